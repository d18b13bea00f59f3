//! What a component is, before anything of it runs.

use crate::DEPLOY;
use crate::code::Outline;
use crate::guest::Guest;
use crate::load::Examined;
use crate::{LoadError, Provenance, imports};
use receipt::Digest;
use std::time::Duration;
use wasmtime::component::Linker;

/// What is known of a component.
#[derive(Debug)]
pub struct Inspection {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it is a workflow, and why not.
    pub verdict: Result<(), LoadError>,
    /// Where its code came from. None where it was refused before it was compiled.
    pub code: Option<Provenance>,
    /// How long it took to find or compile the code.
    pub took: Duration,
    /// Everything it imports, sorted.
    pub imports: Vec<String>,
    /// Everything it exports.
    pub exports: Vec<String>,
}

impl Inspection {
    /// What the bytes say by themselves.
    pub(crate) fn before_compiling(digest: Digest, bytes: u64, took: Duration, outline: Outline) -> Self {
        let Outline { imports, exports, .. } = outline;
        Self { digest, bytes, verdict: Ok(()), code: None, took, imports, exports }
    }

    /// The same with what was found out by compiling, or why it was not compiled.
    pub(crate) fn with(self, examined: Result<Examined, LoadError>, linker: &Linker<Guest>) -> Self {
        match examined {
            Err(error) => Self { verdict: Err(error.bounded()), ..self },
            Ok(examined) => Self {
                code: Some(examined.provenance()),
                imports: examined.imports().to_vec(),
                exports: examined.exports().to_vec(),
                verdict: examined.program(linker).map(drop).map_err(LoadError::bounded),
                ..self
            },
        }
    }

    /// The part of its imports that belongs to the inert WASI.
    pub fn wasi(&self) -> impl Iterator<Item = &str> {
        self.imports.iter().map(String::as_str).filter(|name| imports::is_wasi(name))
    }

    /// The capabilities that its imports could reach, each behind the gate.
    #[must_use]
    pub fn capabilities(&self) -> &'static [&'static str] {
        match self.imports.iter().any(|name| imports::deploys(name)) {
            true => &[DEPLOY],
            false => &[],
        }
    }

    /// Whether it can ask for approvals.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.imports.iter().any(|name| imports::asks(name))
    }
}
