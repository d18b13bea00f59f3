//! From bytes to a program that may run.

pub(crate) mod export_check;
pub(crate) mod inspect;
pub(crate) mod rejected;

use crate::bundle::Script;
use crate::error::{LoadError, check_size};
use crate::guest::Guest;
use crate::limits::SandboxLimits;
use crate::{Provenance, imports};
use receipt::Digest;
use std::sync::Arc;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

/// A component of the world, compiled.
#[derive(Clone)]
pub struct Program {
    pub(crate) pre: InstancePre<Guest>,
    /// The function of the program's entry point.
    pub(crate) run: ComponentExportIndex,
    digest: Digest,
    bytes: u64,
    imports: Vec<String>,
    provenance: Provenance,
    memories: u32,
    /// The engine's script, if this is a bundle.
    pub(crate) script: Option<Arc<Script>>,
}

impl Program {
    /// This JavaScript engine with the modules of a bundle, under the bundle's name.
    pub(crate) fn running(
        &self,
        script: Arc<Script>,
        digest: Digest,
        bytes: u64,
        provenance: Provenance,
    ) -> Self {
        Self { script: Some(script), digest, bytes, provenance, ..self.clone() }
    }

    /// SHA-256 of the component's or the bundle's bytes: the workflow's identity.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The component's size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All imports, sorted.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// The content of a bundle of source text; `None` for a component.
    #[must_use]
    pub fn script(&self) -> Option<&Arc<Script>> {
        self.script.as_ref()
    }

    /// The origin of its code.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// The number of memories of an instance; at least one, because every instance has to count.
    pub(crate) fn memories(&self) -> u32 {
        self.memories
    }

    /// The part of [`imports`](Self::imports) that belongs to WASI.
    pub fn wasi_imports(&self) -> impl Iterator<Item = &str> {
        self.imports.iter().map(String::as_str).filter(|name| imports::is_wasi(name))
    }
}

/// A component with its code, of which only the outline is known.
pub(crate) struct Examined {
    component: Component,
    provenance: Provenance,
    digest: Digest,
    bytes: u64,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Examined {
    pub(crate) fn new(component: Component, provenance: Provenance, digest: Digest, bytes: u64) -> Self {
        let (shape, engine) = (component.component_type(), component.engine());
        let mut imports: Vec<String> = shape.imports(engine).map(|(name, _)| name.to_owned()).collect();
        imports.sort_unstable();
        let exports = shape.exports(engine).map(|(name, _)| name.to_owned()).collect();
        Self { component, provenance, digest, bytes, imports, exports }
    }

    pub(crate) fn component(&self) -> &Component {
        &self.component
    }

    pub(crate) fn imports(&self) -> &[String] {
        &self.imports
    }

    pub(crate) fn exports(&self) -> &[String] {
        &self.exports
    }

    pub(crate) fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// Checks that it is a workflow: imports from the world only, exports the entry point, with the world's types.
    pub(crate) fn program(
        self,
        linker: &Linker<Guest>,
        is_allowed: fn(&str) -> bool,
    ) -> Result<Program, LoadError> {
        let Self { component, provenance, digest, bytes, imports, exports } = self;
        let entrypoint = imports::check(&imports, &exports, is_allowed)?;
        let pre = linker.instantiate_pre(&component);
        let pre = pre.map_err(|error| LoadError::OtherTypes(format!("{error:#}")))?;
        let run = export_check::check(&component, linker, entrypoint).map_err(LoadError::OtherTypes)?;
        let memories = memories(&component);
        Ok(Program { pre, run, digest, bytes, imports, provenance, memories, script: None })
    }
}

/// The number of memories of an instance; at least one, because every instance has to count.
pub(crate) fn memories(component: &Component) -> u32 {
    component.resources_required().map_or(1, |needs| needs.num_memories.max(1))
}

impl SandboxLimits {
    /// Refuses a component with more bytes than these limits allow.
    pub fn check_component(&self, bytes: usize) -> Result<(), LoadError> {
        check_size(bytes, self.component_bytes)
    }
}
