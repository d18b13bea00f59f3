//! The outline of a component, read in one pass over its bytes before anything is compiled.
//!
//! Compiling costs at least as much as there are functions, and more than linearly in the length of one function. A
//! component whose imports or parts will be refused is refused here: compiling it first would take a minute.

use crate::code::Origin;
use crate::limits::{SandboxLimits, names};
use crate::{LoadError, imports};
use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Encoding, Instance, Parser, Payload, TypeRef,
};

/// Nesting of components. Toolchains make two or three; a compiler's time grows faster than their number.
const NESTED: usize = 100;

/// A component's declarations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outline {
    /// All imports, sorted.
    pub(crate) imports: Vec<String>,
    /// All exports.
    pub(crate) exports: Vec<String>,
    parts: Parts,
}

/// The parts of an instance, as far as they can be counted without the runtime. Instances of imported code and the
/// adapters that the runtime makes are additional.
#[derive(Debug, Clone, Copy, Default)]
struct Parts {
    instances: u64,
    memories: u64,
    tables: u64,
}

impl Outline {
    /// Reads a component, and refuses a component that would cost too much to compile.
    pub(crate) fn read(bytes: &[u8], limits: &SandboxLimits) -> Result<Self, LoadError> {
        let mut reader = Reader { limits, frames: Vec::new(), functions: 0, outline: Self::default() };
        for payload in Parser::new(0).parse_all(bytes) {
            reader.take(&payload.map_err(invalid)?)?;
        }
        let mut outline = reader.outline;
        outline.imports.sort_unstable();
        Ok(outline)
    }

    /// Refuses a component that has more parts than an instance may have, and a tenant's component that is no workflow.
    pub(crate) fn check(&self, limits: &SandboxLimits, origin: Origin) -> Result<(), LoadError> {
        if origin == Origin::Tenant {
            imports::check(&self.imports, &self.exports, imports::is_allowed)?;
        }
        let Parts { instances, memories, tables } = self.parts;
        at_most(names::CORE_INSTANCES, "core instances", instances, u64::from(limits.core_instances))?;
        let bound = u64::from(limits.memories);
        at_most(names::MEMORIES, "memories or tables", memories.max(tables), bound)
    }
}

fn invalid(error: BinaryReaderError) -> LoadError {
    LoadError::Invalid(error.to_string())
}

fn at_most(limit: &'static str, what: &'static str, found: u64, bound: u64) -> Result<(), LoadError> {
    match found > bound {
        true => Err(LoadError::TooComplex { limit, what, bound }),
        false => Ok(()),
    }
}

/// A component or module whose end has not come.
enum Frame {
    Component(Definitions),
    /// A core module: the parts that one instance of it takes, and the memories that it uses, including imported ones.
    Module {
        parts: Parts,
        visible_memories: u64,
    },
}

/// A component's index spaces, as far as they matter here: the parts that an instance of each entry takes.
#[derive(Default)]
struct Definitions {
    modules: Vec<Parts>,
    components: Vec<Parts>,
    total: Parts,
}

struct Reader<'a> {
    limits: &'a SandboxLimits,
    frames: Vec<Frame>,
    functions: u64,
    outline: Outline,
}

impl Reader<'_> {
    fn take(&mut self, payload: &Payload<'_>) -> Result<(), LoadError> {
        match payload {
            Payload::Version { encoding, .. } => return self.begin(*encoding),
            Payload::End(_) => self.end(),
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let length = range.end.saturating_sub(range.start) as u64;
                let bound = self.limits.load.function_bytes;
                at_most(names::FUNCTION_BYTES, "bytes in one function", length, bound)?;
                self.count_functions(1)?;
            }
            // Compiling makes more functions than there are bodies: lifting, lowering and adapting a function make one
            // each.
            Payload::ComponentCanonicalSection(section) => self.count_functions(section.count())?,
            Payload::InstanceSection(section) => self.count_functions(section.count())?,
            Payload::ComponentInstanceSection(section) => self.count_functions(section.count())?,
            _ => {}
        }
        self.in_module(payload)?;
        self.in_component(payload).map_err(invalid)
    }

    fn begin(&mut self, encoding: Encoding) -> Result<(), LoadError> {
        self.frames.push(match encoding {
            Encoding::Component => Frame::Component(Definitions::default()),
            Encoding::Module => {
                Frame::Module { parts: Parts { instances: 1, ..Parts::default() }, visible_memories: 0 }
            }
        });
        match self.frames.len() > NESTED {
            true => {
                Err(LoadError::TooDemanding(format!("components more than {NESTED} deep inside each other")))
            }
            false => Ok(()),
        }
    }

    fn end(&mut self) {
        let ended = self.frames.pop();
        match (self.frames.last_mut(), ended) {
            (Some(Frame::Component(outer)), Some(Frame::Module { parts, .. })) => outer.modules.push(parts),
            (Some(Frame::Component(outer)), Some(Frame::Component(inner))) => {
                outer.components.push(inner.total);
            }
            (None, Some(Frame::Component(whole))) => self.outline.parts = whole.total,
            _ => {}
        }
    }

    fn count_functions(&mut self, more: u32) -> Result<(), LoadError> {
        self.functions += u64::from(more);
        let (what, bound) = ("functions, adapters and instances", u64::from(self.limits.load.functions));
        at_most(names::FUNCTIONS, what, self.functions, bound)
    }

    /// The runtime's own adapters between two memories need several memories in a module. A guest's modules get by with one: with more,
    /// each costs another bounds check that was never tried here.
    fn in_module(&mut self, payload: &Payload<'_>) -> Result<(), LoadError> {
        let Some(Frame::Module { parts, visible_memories }) = self.frames.last_mut() else { return Ok(()) };
        match payload {
            Payload::MemorySection(section) => {
                parts.memories += u64::from(section.count());
                *visible_memories += u64::from(section.count());
            }
            Payload::TableSection(section) => parts.tables += u64::from(section.count()),
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    if let TypeRef::Memory(_) = import.map_err(invalid)?.ty {
                        *visible_memories += 1;
                    }
                }
            }
            _ => {}
        }
        match *visible_memories > 1 {
            true => Err(LoadError::Feature("several memories in one core module".to_owned())),
            false => Ok(()),
        }
    }

    fn in_component(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    let import = import?;
                    if self.frames.len() == 1 {
                        self.outline.imports.push(import.name.name.to_owned());
                    }
                    match import.ty {
                        ComponentTypeRef::Module(_) => self.define(Space::Modules, Parts::default()),
                        ComponentTypeRef::Component(_) => self.define(Space::Components, Parts::default()),
                        _ => {}
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    let export = export?;
                    if self.frames.len() == 1 {
                        self.outline.exports.push(export.name.name.to_owned());
                    }
                    let (index, outer) = (export.index, 0);
                    match export.kind {
                        ComponentExternalKind::Module => self.alias(Space::Modules, outer, index),
                        ComponentExternalKind::Component => self.alias(Space::Components, outer, index),
                        _ => {}
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.take_alias(&alias?);
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        self.instantiate(Space::Modules, module_index);
                    }
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    if let ComponentInstance::Instantiate { component_index, .. } = instance? {
                        self.instantiate(Space::Components, component_index);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn take_alias(&mut self, alias: &ComponentAlias<'_>) {
        match *alias {
            ComponentAlias::Outer { kind, count, index } => match kind {
                ComponentOuterAliasKind::CoreModule => self.alias(Space::Modules, count, index),
                ComponentOuterAliasKind::Component => self.alias(Space::Components, count, index),
                _ => {}
            },
            ComponentAlias::InstanceExport { kind, .. } => match kind {
                ComponentExternalKind::Module => self.define(Space::Modules, Parts::default()),
                ComponentExternalKind::Component => self.define(Space::Components, Parts::default()),
                _ => {}
            },
            ComponentAlias::CoreInstanceExport { .. } => {}
        }
    }

    /// Gives an entry of a component further out another index in this one.
    fn alias(&mut self, space: Space, outer: u32, index: u32) {
        let parts = self.parts_of(space, outer, index);
        self.define(space, parts);
    }

    fn define(&mut self, space: Space, parts: Parts) {
        if let Some(Frame::Component(definitions)) = self.frames.last_mut() {
            definitions.space_mut(space).push(parts);
        }
    }

    fn instantiate(&mut self, space: Space, index: u32) {
        let parts = self.parts_of(space, 0, index);
        if let Some(Frame::Component(definitions)) = self.frames.last_mut() {
            definitions.total.add(parts);
        }
    }

    /// The parts of an instance of that entry. The validator refuses an index that is out of bounds.
    fn parts_of(&self, space: Space, outer: u32, index: u32) -> Parts {
        let frame = self.frames.len().checked_sub(1 + outer as usize).and_then(|at| self.frames.get(at));
        match frame {
            Some(Frame::Component(definitions)) => {
                definitions.space(space).get(index as usize).copied().unwrap_or_default()
            }
            _ => Parts::default(),
        }
    }
}

#[derive(Clone, Copy)]
enum Space {
    Modules,
    Components,
}

impl Definitions {
    fn space(&self, space: Space) -> &[Parts] {
        match space {
            Space::Modules => &self.modules,
            Space::Components => &self.components,
        }
    }

    fn space_mut(&mut self, space: Space) -> &mut Vec<Parts> {
        match space {
            Space::Modules => &mut self.modules,
            Space::Components => &mut self.components,
        }
    }
}

impl Parts {
    fn add(&mut self, other: Self) {
        self.instances = self.instances.saturating_add(other.instances);
        self.memories = self.memories.saturating_add(other.memories);
        self.tables = self.tables.saturating_add(other.tables);
    }
}
