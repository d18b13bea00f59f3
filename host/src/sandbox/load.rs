//! From bytes to a program that may run.

use crate::sandbox::bindings::TenantWorkflowPre;
use crate::sandbox::guest::Guest;
use crate::sandbox::imports;
use crate::sandbox::limits::names;
use receipt::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::Linker;

/// A component of the world, compiled.
#[derive(Clone)]
pub struct Program {
    pub(crate) pre: TenantWorkflowPre<Guest>,
    digest: Digest,
    bytes: u64,
    imports: Vec<String>,
}

impl Program {
    /// SHA-256 of the component's bytes: the workflow's identity.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The component's size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Everything it imports, sorted.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// The part of [`imports`](Self::imports) that belongs to WASI.
    pub fn wasi_imports(&self) -> impl Iterator<Item = &str> {
        self.imports.iter().map(String::as_str).filter(|name| imports::is_wasi(name))
    }
}

/// Why bytes cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// This machine.
    #[error("the WebAssembly runtime cannot start on this machine: {0}")]
    Runtime(String),
    /// The size.
    #[error(
        "the component has {bytes} bytes; limit {name} is {limit} (an operator raises it with --limit {name}=N, or for good in pp-host.toml)", name = names::COMPONENT_BYTES
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// Something else altogether.
    #[error(
        "not a WebAssembly file: it does not begin with the bytes \\0asm (build a component with `cargo component build`)"
    )]
    NotWasm,
    /// A module, not a component.
    #[error(
        "a core WebAssembly module, not a component (build it with `cargo component build`, with `cargo build --target wasm32-wasip2`, \
         or wrap it with `wasm-tools component new`)"
    )]
    CoreModule,
    /// Damaged.
    #[error("not a valid component, perhaps cut short on its way: {0}")]
    Invalid(String),
    /// Imports outside the world.
    #[error("the component imports what a workflow may not have: {}; it can use permission-protocol:tenant/pp, deploy and workflow, and nothing else", names(.0))]
    ForbiddenImports(Vec<String>),
    /// Not a workflow.
    #[error(
        "the component is not a workflow: it exports {}, and a workflow exports {} (build it against wit/tenant.wit)",
        if .exports.is_empty() { "nothing".to_owned() } else { names(.exports) },
        imports::ENTRYPOINT
    )]
    NoEntrypoint {
        /// What it exports.
        exports: Vec<String>,
    },
    /// The right names with the wrong types.
    #[error("the component was built against another version of wit/tenant.wit: {0}")]
    OtherTypes(String),
}

fn names(names: &[String]) -> String {
    names.iter().map(|name| workflow::Quoted(name).to_string()).collect::<Vec<_>>().join(", ")
}

pub(crate) fn load(
    engine: &Engine,
    linker: &Linker<Guest>,
    bytes: &[u8],
    limit: usize,
) -> Result<Program, LoadError> {
    check_size(bytes.len(), limit)?;
    check_header(bytes)?;
    let component =
        Component::from_binary(engine, bytes).map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
    let shape = component.component_type();
    let mut imports: Vec<String> = shape.imports(engine).map(|(name, _)| name.to_owned()).collect();
    imports.sort_unstable();
    let forbidden: Vec<String> = imports.iter().filter(|name| !imports::is_allowed(name)).cloned().collect();
    if !forbidden.is_empty() {
        return Err(LoadError::ForbiddenImports(forbidden));
    }
    let exports: Vec<String> = shape.exports(engine).map(|(name, _)| name.to_owned()).collect();
    if !exports.iter().any(|name| name == imports::ENTRYPOINT) {
        return Err(LoadError::NoEntrypoint { exports });
    }
    let pre = linker.instantiate_pre(&component).and_then(TenantWorkflowPre::new);
    let pre = pre.map_err(|error| LoadError::OtherTypes(format!("{error:#}")))?;
    Ok(Program { pre, digest: Digest::of(bytes), bytes: bytes.len() as u64, imports })
}

pub(crate) fn check_size(bytes: usize, limit: usize) -> Result<(), LoadError> {
    if bytes > limit { Err(LoadError::TooLarge { bytes, limit }) } else { Ok(()) }
}

/// Tells apart what people confuse, before the compiler sees anything.
fn check_header(bytes: &[u8]) -> Result<(), LoadError> {
    const MODULE: &[u8] = &[1, 0, 0, 0];
    match bytes.strip_prefix(b"\0asm") {
        None => Err(LoadError::NotWasm),
        Some(rest) if rest.starts_with(MODULE) => Err(LoadError::CoreModule),
        Some(_) => Ok(()),
    }
}
