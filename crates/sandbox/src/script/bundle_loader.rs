//! From a bundle to a program that may run.

use crate::LoadError;
use crate::Provenance;
use crate::bundle::Bundle;
use crate::bundle::EngineId;
use crate::bundle::Module;
use crate::bundle::Script;
use crate::code::Origin;
use crate::guest::Guest;
use crate::imports;
use crate::load::Examined;
use crate::load::Program;
use crate::script::Summary;
use crate::script::engines::Engines;
use crate::script::engines::current_engine;
use crate::script::prepare::LoadContext;
use crate::script::prepare::Preparer;
use receipt::Digest;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use wasmtime::component::Linker;

/// The most JavaScript engines that are kept in memory. An engine is some megabytes of code, and a host has the one or
/// two that its instances use.
const IN_MEMORY: usize = 8;

/// The engines that are in memory, and where others are found.
pub(crate) struct Scripts {
    /// The tenant's world and the interface of bundles.
    linker: Linker<Guest>,
    engines: Engines,
    loaded: Mutex<HashMap<EngineId, Arc<LoadedEngine>>>,
}

/// An engine, ready to run.
struct LoadedEngine {
    program: Program,
    /// Loaded when a bundle is prepared: it has more code than the program, and bundles that were prepared before do not need it.
    preparer: Mutex<Option<Arc<Preparer>>>,
}

impl Scripts {
    pub(crate) fn new(linker: Linker<Guest>) -> Self {
        Self { linker, engines: Engines::default(), loaded: Mutex::default() }
    }

    /// Also looks for engines in this folder, and stores used engines there.
    pub(crate) fn keep_engines(&mut self, engines: Engines) {
        self.engines = engines;
    }

    /// A program of a bundle whose digest is known.
    pub(crate) fn load(
        &self,
        digest: Digest,
        bytes: &[u8],
        context: LoadContext<'_>,
    ) -> Result<Program, LoadError> {
        let bundle = Bundle::read(bytes)?;
        let engine = self.engine(bundle.engine, context)?;
        let sealed = context.loader.prepared(&bundle.engine, &digest);
        let provenance = if sealed.is_some() { Provenance::Cached } else { Provenance::Compiled };
        let prepared = match sealed {
            Some(prepared) => prepared,
            None => {
                let prepared = self.preparer(&engine, &bundle.engine, context)?.prepare(&bundle, context)?;
                context.loader.keep_prepared(&bundle.engine, &digest, &prepared);
                prepared
            }
        };
        let measured =
            |(name, module): (&String, &Module)| (name.clone(), module.digest(), module.content.len() as u64);
        let modules = bundle.modules.iter().map(measured).collect();
        let Bundle { engine: id, main, class, .. } = bundle;
        let script = Script { prepared, class, engine: id, main, modules };
        Ok(engine.program.running(Arc::new(script), digest, bytes.len() as u64, provenance))
    }

    /// A module's imports and exports, as the current engine parses it.
    pub(crate) fn examine(
        &self,
        name: &str,
        module: &Module,
        context: LoadContext<'_>,
    ) -> Result<Summary, LoadError> {
        let id = current_engine();
        self.preparer(&*self.engine(id, context)?, &id, context)?.examine(name, module, context)
    }

    /// The workflows that a bundle's main module exports.
    pub(crate) fn workflows(&self, bytes: &[u8], context: LoadContext<'_>) -> Result<Vec<String>, LoadError> {
        let Bundle { engine, main, modules, .. } = Bundle::read(bytes)?;
        let Some(module) = modules.get(&main) else { return Ok(Vec::new()) };
        let preparer = self.preparer(&*self.engine(engine, context)?, &engine, context)?;
        Ok(preparer.examine(&main, module, context)?.workflows)
    }

    fn engine(&self, id: EngineId, context: LoadContext<'_>) -> Result<Arc<LoadedEngine>, LoadError> {
        // Held while one is loaded: a second caller for the same bundle waits, and the others are in memory soon enough.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = loaded.get(&id) {
            return Ok(Arc::clone(engine));
        }
        let component = self.component(&id.engine, context)?;
        // Both engine and preparer are stored now: a later version of this program with another engine may have to
        // prepare the bundle again.
        self.kept(&id.prepare)?;
        let engine = Arc::new(LoadedEngine {
            program: component.program(&self.linker, imports::is_allowed_to_engine)?,
            preparer: Mutex::default(),
        });
        if loaded.len() >= IN_MEMORY {
            loaded.clear();
        }
        loaded.insert(id, Arc::clone(&engine));
        Ok(engine)
    }

    fn preparer(
        &self,
        engine: &LoadedEngine,
        id: &EngineId,
        context: LoadContext<'_>,
    ) -> Result<Arc<Preparer>, LoadError> {
        // Held while it is loaded: a second caller waits for it.
        let mut preparer = engine.preparer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(preparer) = &*preparer {
            return Ok(Arc::clone(preparer));
        }
        let loaded = Arc::new(Preparer::new(self.component(&id.prepare, context)?.component())?);
        *preparer = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    /// The bytes of an engine's component, which are also stored for later versions.
    fn kept(&self, digest: &Digest) -> Result<Cow<'static, [u8]>, LoadError> {
        let bytes = self.engines.find(digest).ok_or(LoadError::NoEngine(*digest))?;
        // A folder that cannot be written to does not keep the bundle from running: the JavaScript engine is available.
        let _ = self.engines.keep(digest, &bytes);
        Ok(bytes)
    }

    fn component(&self, digest: &Digest, context: LoadContext<'_>) -> Result<Examined, LoadError> {
        let bytes = self.kept(digest)?;
        let (component, provenance) = context.loader.load(digest, &bytes, context.limits, Origin::Engine)?;
        Ok(Examined::new(component, provenance, *digest, bytes.len() as u64))
    }
}
