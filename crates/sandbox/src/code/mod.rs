//! From a component's bytes to code that may run: read from the cache, or compiled.
//!
//! ```text
//!   bytes, sha256 ─► cache ── sealed here, for this ──► Trusted ─► load
//!                      └── anything else ─► outline ─► compiler ─► Trusted ─► load ─► cache
//! ```

mod cache;
mod child;
mod compiler;
mod outline;
mod trusted;

pub use child::{COMPILE, compile_for_parent};
pub use compiler::Compiler;
pub(crate) use outline::Outline;

use crate::bundle::EngineId;
use crate::limits::SandboxLimits;
use crate::runtime::engine;
use crate::runtime::engine::Addressing;
use crate::{LoadError, error};
use cache::{Cache, CacheLookup};
use compiler::{CompilePool, CompileSlot};
use receipt::Digest;
use std::path::Path;
use trusted::Label;
use wasmtime::Engine;
use wasmtime::component::Component;

/// The origin of a program's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// The code came from the cache.
    Cached,
    /// Compiled.
    Compiled,
    /// Compiled, in the place of a cached file that was damaged, foreign, or made by another version or with other settings.
    Replaced,
}

/// The tenant whose component is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A tenant's: it has to be a workflow, and that is checked before it is compiled.
    Tenant,
    /// This program's own JavaScript engine. Linking checks its imports.
    Engine,
}

/// Replaces the runtime's version in the label of a file that is not machine code but an engine's prepared input.
const PREPARED: &str = "prepared/v1";

/// The digest of both components that prepared source text depends on.
fn prepared_by(EngineId { engine, prepare }: &EngineId) -> Digest {
    Digest::of(format!("{engine}\0{prepare}").as_bytes())
}

/// The target of compiled code.
pub(crate) struct Target {
    /// A digest of everything that affects compiled code.
    config: Digest,
    addressing: Addressing,
}

/// Turns components into code for one engine.
pub(crate) struct Loader {
    engine: Engine,
    target: Target,
    pool: CompilePool,
    cache: Option<Cache>,
}

impl Loader {
    pub(crate) fn new(engine: Engine, addressing: Addressing) -> Self {
        let target = Target { config: engine::config_digest(&engine), addressing };
        Self { engine, target, pool: CompilePool::new(Compiler::InProcess), cache: None }
    }

    pub(crate) fn compile_with(&mut self, compiler: Compiler) {
        self.pool = CompilePool::new(compiler);
    }

    pub(crate) fn cache_in(&mut self, folder: &Path, bound: u64) -> Result<(), LoadError> {
        self.cache = Some(Cache::open(folder, bound)?);
        Ok(())
    }

    /// The right to compile, or to do other work of that size.
    pub(crate) fn slot(&self) -> CompileSlot<'_> {
        CompileSlot::take(&self.pool)
    }

    /// The prepared form of a bundle, if it was sealed here for that engine.
    pub(crate) fn prepared(&self, engine: &EngineId, bundle: &Digest) -> Option<Vec<u8>> {
        let (cache, config) = (self.cache.as_ref()?, prepared_by(engine));
        cache.find_prepared(Label { runtime: PREPARED, config: &config, component: bundle })
    }

    /// Stores the prepared form of a bundle that a sandbox of this host has just made.
    pub(crate) fn keep_prepared(&self, engine: &EngineId, bundle: &Digest, prepared: &[u8]) {
        let config = prepared_by(engine);
        if let Some(cache) = &self.cache {
            cache.keep_prepared(Label { runtime: PREPARED, config: &config, component: bundle }, prepared);
        }
    }

    /// The component's code. `digest` is the digest of `bytes`. The compile limits apply to compilation only: cached
    /// code is not checked against them, because loading it costs no compilation.
    pub(crate) fn load(
        &self,
        digest: &Digest,
        bytes: &[u8],
        limits: &SandboxLimits,
        origin: Origin,
    ) -> Result<(Component, Provenance), LoadError> {
        let label = Label { runtime: engine::RUNTIME, config: &self.target.config, component: digest };
        let found = self.cache.as_ref().map_or(CacheLookup::Nothing, |cache| cache.find(label));
        let provenance = match found {
            CacheLookup::Code(code) => match code.load(&self.engine) {
                Ok(component) => return Ok((component, Provenance::Cached)),
                Err(_) => Provenance::Replaced,
            },
            CacheLookup::Unsealed => Provenance::Replaced,
            CacheLookup::Nothing => Provenance::Compiled,
        };
        let code = self.pool.compile(&self.engine, &self.target, bytes, limits, origin)?;
        let component = code.load(&self.engine).map_err(|error| error::too_demanding(&error, limits))?;
        if let Some(cache) = &self.cache {
            cache.keep(label, &code);
        }
        Ok((component, provenance))
    }
}
