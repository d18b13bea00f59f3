//! Why bytes cannot be run.

use crate::bundle::BundleError;
use crate::limits::{SandboxLimits, names};
use receipt::Digest;
use rustix::io::Errno;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why bytes cannot be run.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// The runtime cannot start on this machine.
    #[error("the WebAssembly runtime cannot start on this machine: {0}")]
    Runtime(String),
    /// The size.
    #[error(
        "the component has {bytes} bytes; limit {name} is {limit} (an operator raises it with --limit {name}=N, or permanently in pp-host.toml)", name = names::COMPONENT_BYTES
    )]
    TooLarge {
        /// The component's size.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// Another kind of file.
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
    #[error("not a valid component, perhaps truncated in transfer: {0}")]
    Invalid(String),
    /// A feature of WebAssembly that guests may not use.
    #[error("the component uses a feature that no workflow may use: {0}")]
    Feature(String),
    /// More than may be compiled.
    #[error(
        "the component has more than {bound} {what}: limit {limit} is {bound} (an operator raises it with --limit {limit}=N)"
    )]
    TooComplex {
        /// The bound's name.
        limit: &'static str,
        /// The kind of part.
        what: &'static str,
        /// The bound.
        bound: u64,
    },
    /// Compiling exceeds a bound.
    #[error(
        "compiling the component was stopped: limit {limit} is {bound} ({}an operator raises it with --limit {limit}=N)",
        if *.limit == names::COMPILE_WALL_SECONDS { "on a busy machine try again; " } else { "" }
    )]
    CompileBound {
        /// The bound's name.
        limit: &'static str,
        /// The bound.
        bound: u64,
    },
    /// The compiler itself.
    #[error("compilation failed for a reason that is not known to be the component's: {0}")]
    Compiler(String),
    /// More than an instance may have.
    #[error("the component needs more than an instance may have: {0}")]
    TooDemanding(String),
    /// The folder of compiled code.
    #[error("the cache of compiled code in {} cannot be used: {error} (repair it, or delete the folder: it is made again)", .folder.display())]
    Cache {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        error: Arc<std::io::Error>,
    },
    /// Imports outside the world.
    #[error("the component imports what a workflow may not have: {}; it can use permission-protocol:tenant/pp, deploy and workflow, and nothing else", names(.0))]
    ForbiddenImports(Vec<String>),
    /// The component is not a workflow.
    #[error(
        "the component is not a workflow: it exports {}, and a workflow exports {} (build it against wit/tenant.wit)",
        if .exports.is_empty() { "nothing".to_owned() } else { names(.exports) },
        crate::ENTRYPOINT
    )]
    NoEntrypoint {
        /// The component's exports.
        exports: Vec<String>,
    },
    /// The bytes are not a bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A bundle for an engine that is not there.
    #[error(
        "the bundle runs on engine {0}, which is neither in this program nor in the data folder's engines/ (put the component there as {0}.wasm, \
         or make a new bundle with pp-host run or submit)"
    )]
    NoEngine(Digest),
    /// The source text is invalid.
    #[error("{}", at(.module, *.line, *.column, .message))]
    Source {
        /// The module.
        module: String,
        /// The line, from 1; 0 if the error has no position.
        line: u32,
        /// The column, from 1.
        column: u32,
        /// The fault.
        message: String,
    },
    /// Source text that a parser has not enough stack for.
    #[error(
        "the source text is nested too deeply to be read (hundreds of functions, parentheses, brackets or blocks inside each other)"
    )]
    SourceTooDeep,
    /// Source text that a parser has not enough memory for.
    #[error(
        "the source text takes more than {0} bytes of memory to be read: limit {name} (an operator raises it with --limit {name}=N)",
        name = names::MEMORY_BYTES
    )]
    SourceTooLarge(usize),
    /// The right names with the wrong types.
    #[error("the component was built against another version of wit/tenant.wit: {0}")]
    OtherTypes(String),
}

impl LoadError {
    /// The compiler itself crashed, with these words.
    pub(crate) fn crashed(words: &str) -> Self {
        Self::Compiler(format!(
            "the compiler crashed and printed {}; please report this together with the component",
            workflow::Quoted(words)
        ))
    }

    /// The error with bounded texts. A component's own names may be as long as the component.
    pub(crate) fn bounded(self) -> Self {
        match self {
            Self::Invalid(why) => Self::Invalid(beginning(&why)),
            Self::TooDemanding(why) => Self::TooDemanding(beginning(&why)),
            Self::OtherTypes(why) => Self::OtherTypes(beginning(&why)),
            Self::ForbiddenImports(names) => Self::ForbiddenImports(few(names)),
            Self::NoEntrypoint { exports } => Self::NoEntrypoint { exports: few(exports) },
            Self::Source { module, line, column, message } => {
                Self::Source { module: beginning(&module), line, column, message: beginning(&message) }
            }
            other => other,
        }
    }

    /// Whether the same bytes are always refused with this error, under the same limits.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Runtime(_)
            | Self::TooLarge { .. }
            | Self::Compiler(_)
            | Self::Cache { .. }
            | Self::NoEngine(_) => false,
            // The time on the wall depends on the machine's other work as much as on the component.
            Self::CompileBound { limit, .. } => *limit != names::COMPILE_WALL_SECONDS,
            Self::NotWasm
            | Self::CoreModule
            | Self::Invalid(_)
            | Self::Feature(_)
            | Self::TooComplex { .. }
            | Self::TooDemanding(_)
            | Self::ForbiddenImports(_)
            | Self::NoEntrypoint { .. }
            | Self::Bundle(_)
            | Self::Source { .. }
            | Self::SourceTooDeep
            | Self::SourceTooLarge(_)
            | Self::OtherTypes(_) => true,
        }
    }
}

/// A message and the position that it refers to.
fn at(module: &str, line: u32, column: u32, message: &str) -> String {
    let (module, message) = (workflow::Escaped(module), workflow::Escaped(message));
    match line {
        0 => format!("{module}: {message}"),
        _ => format!("{module}:{line}:{column}: {message}"),
    }
}

/// The first kilobyte of a text.
fn beginning(text: &str) -> String {
    const LONGEST: usize = 1 << 10;
    match text.len() {
        ..=LONGEST => text.to_owned(),
        _ => format!("{}…", &text[..text.floor_char_boundary(LONGEST)]),
    }
}

/// The first twenty names, and how many there are.
fn few(names: Vec<String>) -> Vec<String> {
    const SHOWN: usize = 20;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.iter().take(SHOWN).map(|name| beginning(name));
    shown.chain((more > 0).then(|| format!("and {more} more"))).collect()
}

fn names(names: &[String]) -> String {
    names.iter().map(|name| workflow::Quoted(name).to_string()).collect::<Vec<_>>().join(", ")
}

/// A system's error, and the limit of this process that causes it, if one does.
pub(crate) fn with_way_out(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => format!("{error}: this process may open more files with a higher ulimit -n"),
        Some(Errno::AGAIN) => {
            format!("{error}: this process may start more threads with a higher ulimit -u or -v")
        }
        _ => error.to_string(),
    }
}

/// Code that does not fit into the pool's places: which bound it is that it does not fit.
pub(crate) fn too_demanding(error: &wasmtime::Error, limits: &SandboxLimits) -> LoadError {
    let said = format!("{error:#}");
    // The runtime has no types for these. Its version is pinned, and a hostile component for each is in the tests.
    if said.contains("minimum element size") {
        let (what, bound) = ("elements in a table", limits.table_elements as u64);
        return LoadError::TooComplex { limit: names::TABLE_ELEMENTS, what, bound };
    }
    if said.contains("core module instances, which") {
        let (what, bound) = ("core instances", u64::from(limits.core_instances));
        return LoadError::TooComplex { limit: names::CORE_INSTANCES, what, bound };
    }
    if ["Wasm linear memories, which", "tables, which", "defined tables count"]
        .iter()
        .any(|words| said.contains(words))
    {
        let (what, bound) = ("memories or tables", u64::from(limits.memories));
        return LoadError::TooComplex { limit: names::MEMORIES, what, bound };
    }
    LoadError::TooDemanding(said)
}

pub(crate) fn check_size(bytes: usize, limit: usize) -> Result<(), LoadError> {
    if bytes > limit { Err(LoadError::TooLarge { bytes, limit }) } else { Ok(()) }
}

/// Recognises commonly confused file types, before the compiler runs.
pub(crate) fn check_header(bytes: &[u8]) -> Result<(), LoadError> {
    const MODULE: &[u8] = &[1, 0, 0, 0];
    match bytes.strip_prefix(b"\0asm") {
        None => Err(LoadError::NotWasm),
        Some(rest) if rest.starts_with(MODULE) => Err(LoadError::CoreModule),
        Some(_) => Ok(()),
    }
}
