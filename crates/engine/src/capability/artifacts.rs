//! Artifacts on disk, by their content: written once, synchronised once, shared by all that deploy the same bytes.

use receipt::Digest;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::files;

/// The mode of an artifact: readable by the accounts that serve it, if the folder above lets them in.
const FILE: u32 = 0o644;

/// So many digests are remembered as durable. Beyond, all are forgotten: each then costs one comparison again.
const REMEMBERED: usize = 65_536;

/// Bytes that are compared at once.
const CHUNK: usize = 64 << 10;

/// The folder of artifacts.
#[derive(Debug)]
pub(super) struct Artifacts {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Artifacts that this process has seen whole and durable.
    durable: HashSet<Digest>,
    /// Artifacts that are being written. A second writer of the same bytes waits for the first; others do not.
    in_progress: HashMap<Digest, Arc<Mutex<()>>>,
}

impl Artifacts {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, state: Mutex::default() }
    }

    /// Returns once the bytes are on disk under their digest.
    pub(super) fn keep(&self, digest: Digest, bytes: &[u8]) -> io::Result<()> {
        let turn = {
            let mut state = self.state();
            if state.durable.contains(&digest) {
                return Ok(());
            }
            Arc::clone(state.in_progress.entry(digest).or_default())
        };
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.state().durable.contains(&digest) {
            return Ok(());
        }
        let kept = self.write(&self.folder.join(digest.to_string()), bytes);
        self.state().finish(digest, kept.is_ok());
        kept
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match has_bytes(path, bytes)? {
            // An earlier process may have ended between the name and its synchronisation.
            true => files::sync(&self.folder),
            false => files::replace(path, bytes, FILE),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn finish(&mut self, digest: Digest, is_durable: bool) {
        self.in_progress.remove(&digest);
        if !is_durable {
            return;
        }
        if self.durable.len() >= REMEMBERED {
            self.durable.clear();
        }
        self.durable.insert(digest);
    }
}

/// Whether a file is there and has exactly these bytes.
fn has_bytes(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    if file.metadata()?.len() != bytes.len() as u64 {
        return Ok(false);
    }
    let mut buffer = vec![0; CHUNK.min(bytes.len())];
    for expected in bytes.chunks(CHUNK) {
        let Some(read) = buffer.get_mut(..expected.len()) else { return Ok(false) };
        file.read_exact(read)?;
        if read != expected {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    #[test]
    fn a_damaged_artifact_is_written_anew_by_the_next_process() {
        let folder = TempDir::new().unwrap();
        let (digest, path) = (Digest::of(b"module"), folder.path().join("artifacts"));
        Artifacts::new(path.clone()).keep(digest, b"module").unwrap();
        let file = path.join(digest.to_string());
        for damage in [&b"mod"[..], b"MODULE"] {
            fs::write(&file, damage).unwrap();
            Artifacts::new(path.clone()).keep(digest, b"module").unwrap();
            assert_eq!(fs::read(&file).unwrap(), b"module");
        }
    }

    #[test]
    fn an_artifact_is_written_once_however_many_bring_it() {
        let folder = TempDir::new().unwrap();
        let artifacts = Artifacts::new(folder.path().join("artifacts"));
        let bytes = vec![7; 1 << 20];
        let digest = Digest::of(&bytes);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| artifacts.keep(digest, &bytes).unwrap());
            }
        });
        let state = artifacts.state();
        assert_eq!((state.durable.len(), state.in_progress.len()), (1, 0));
        assert_eq!(fs::read_dir(folder.path().join("artifacts")).unwrap().count(), 1);
    }

    #[test]
    fn an_artifact_that_cannot_be_written_is_tried_again() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("artifacts");
        fs::write(&path, "in the way").unwrap();
        let artifacts = Artifacts::new(path.clone());
        artifacts.keep(Digest::of(b"module"), b"module").unwrap_err();
        fs::remove_file(&path).unwrap();
        artifacts.keep(Digest::of(b"module"), b"module").unwrap();
    }
}
