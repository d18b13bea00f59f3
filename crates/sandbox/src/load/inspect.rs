//! Inspection of a component, before any of its code runs.

use crate::bundle::Script;
use crate::code::Outline;
use crate::guest::Guest;
use crate::load::{Examined, Program};
use crate::{LoadError, Provenance, imports};
use receipt::Digest;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Linker;

/// The properties of a component.
#[derive(Debug)]
pub struct Inspection {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// The component's size in bytes.
    pub bytes: u64,
    /// Whether the component is a workflow; the error is the reason if it is not.
    pub verdict: Result<(), LoadError>,
    /// The origin of its code. `None` if it was refused before it was compiled.
    pub code: Option<Provenance>,
    /// The time to find or compile the code.
    pub took: Duration,
    /// All imports, sorted.
    pub imports: Vec<String>,
    /// All exports.
    pub exports: Vec<String>,
    /// The content of a bundle of source text; `None` for a component.
    pub script: Option<Arc<Script>>,
    /// The workflows that the main module of a bundle exports, as far as its text shows them.
    pub workflows: Vec<String>,
}

impl Inspection {
    /// The properties that the bytes show without compiling.
    pub(crate) fn before_compiling(digest: Digest, bytes: u64, took: Duration, outline: Outline) -> Self {
        let Outline { imports, exports, .. } = outline;
        Self {
            digest,
            bytes,
            verdict: Ok(()),
            code: None,
            took,
            imports,
            exports,
            script: None,
            workflows: Vec::new(),
        }
    }

    /// Adds the result of compiling.
    pub(crate) fn with(self, examined: Result<Examined, LoadError>, linker: &Linker<Guest>) -> Self {
        match examined {
            Err(error) => Self { verdict: Err(error.bounded()), ..self },
            Ok(examined) => Self {
                code: Some(examined.provenance()),
                imports: examined.imports().to_vec(),
                exports: examined.exports().to_vec(),
                verdict: examined.program(linker, imports::is_allowed).map(drop).map_err(LoadError::bounded),
                ..self
            },
        }
    }

    pub(crate) fn of_bundle(
        digest: Digest,
        bytes: u64,
        took: Duration,
        loaded: Result<(Program, Vec<String>), LoadError>,
    ) -> Self {
        let (program, workflows, verdict) = match loaded {
            Ok((program, workflows)) => (Some(program), workflows, Ok(())),
            Err(error) => (None, Vec::new(), Err(error.bounded())),
        };
        Self {
            digest,
            bytes,
            verdict,
            took,
            workflows,
            code: program.as_ref().map(Program::provenance),
            imports: program.as_ref().map(|program| program.imports().to_vec()).unwrap_or_default(),
            exports: program.iter().map(|_| crate::ENTRYPOINT.to_owned()).collect(),
            script: program.and_then(|program| program.script),
        }
    }

    /// The part of its imports that belongs to the inert WASI.
    pub fn wasi(&self) -> impl Iterator<Item = &str> {
        self.imports.iter().map(String::as_str).filter(|name| imports::is_wasi(name))
    }

    /// The imports of [`wasi`](Self::wasi) that are named after the network. Every call of them is refused.
    pub fn network(&self) -> impl Iterator<Item = &str> {
        self.imports.iter().map(String::as_str).filter(|name| imports::is_network(name))
    }

    /// The capabilities that its imports could reach, each behind the gate.
    #[must_use]
    pub fn capabilities(&self) -> Vec<&'static str> {
        imports::gated(&self.imports)
    }

    /// Whether it can ask for approvals.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.imports.iter().any(|name| imports::asks(name))
    }
}
