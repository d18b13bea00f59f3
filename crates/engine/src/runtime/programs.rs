//! The sandbox, and the programs that are in memory: each is loaded once, and the least recently used ones are forgotten.

use crate::Error;
use receipt::Digest;
use sandbox::{Program, Sandbox};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::Store;

/// Programs by their digest.
pub(crate) struct ProgramCache {
    pub(crate) sandbox: Sandbox,
    places: Mutex<Places>,
    bound: usize,
}

#[derive(Default)]
struct Places {
    by_digest: HashMap<Digest, Place>,
    uses: u64,
}

#[derive(Default)]
struct Place {
    used: u64,
    /// The program's own lock: loading one program does not delay another.
    program: Arc<Mutex<Option<Program>>>,
}

impl ProgramCache {
    pub(crate) fn new(sandbox: Sandbox, bound: usize) -> Self {
        Self { sandbox, places: Mutex::default(), bound: bound.max(1) }
    }

    /// A program that is in memory.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Program> {
        let place = self.place(digest);
        // Being loaded counts as not being there.
        place.try_lock().ok()?.clone()
    }

    /// A program, loaded if it is not in memory. Concurrent callers for one program wait for one of them to load it.
    pub(crate) fn get_or_load(
        &self,
        digest: &Digest,
        load: impl FnOnce() -> Result<Program, Error>,
    ) -> Result<Program, Error> {
        let place = self.place(digest);
        let mut program = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = &*program {
            return Ok(program.clone());
        }
        Ok(program.insert(load()?).clone())
    }

    /// The program of these bytes. The same bytes compile once.
    pub(crate) fn of_bytes(&self, digest: Digest, bytes: &[u8]) -> Result<Program, Error> {
        self.get_or_load(&digest, || Ok(self.sandbox.load_as(digest, bytes)?))
    }

    /// The program of a component that the store has.
    pub(crate) fn of_component(&self, store: &dyn Store, digest: &Digest) -> Result<Program, Error> {
        self.get_or_load(digest, || {
            let bytes = store.component(digest).wait()?;
            Ok(self.sandbox.load_as(*digest, &bytes)?)
        })
    }

    fn place(&self, digest: &Digest) -> Arc<Mutex<Option<Program>>> {
        let mut places = self.lock();
        places.uses += 1;
        let used = places.uses;
        let place = places.by_digest.entry(*digest).or_default();
        place.used = used;
        let program = Arc::clone(&place.program);
        if places.by_digest.len() > self.bound {
            let oldest =
                places.by_digest.iter().min_by_key(|(_, place)| place.used).map(|(digest, _)| *digest);
            oldest.and_then(|oldest| places.by_digest.remove(&oldest));
        }
        program
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
