//! Artifacts on disk, by their content: written once, synchronised once, shared by all deployments of the same bytes,
//! and removed when nothing refers to them.

use receipt::Digest;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::{BlobStore, StoreError, files};

/// The mode of an artifact: readable by the accounts that serve it, if the folder above lets them in.
const FILE: u32 = 0o644;

/// The digests that are remembered as durable. When they are more, all are forgotten: each then costs one comparison
/// again.
const REMEMBERED: usize = 65_536;

/// The name of a file that is not complete.
const UNFINISHED: &str = "new";

/// The attempts to share an artifact, and the delay after a failed one.
const KEEPS: u32 = 6;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// The folder of artifacts.
pub(crate) struct Artifacts {
    folder: PathBuf,
    /// The store in which other hosts find the artifacts.
    shared: Option<Arc<dyn BlobStore>>,
    state: Mutex<State>,
}

impl fmt::Debug for Artifacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifacts").field("folder", &self.folder).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    /// Artifacts that this process has seen complete and durable.
    durable: HashSet<Digest>,
    /// Artifacts that are being written or removed. A second writer of the same bytes waits for the first; others do not wait.
    in_progress: HashMap<Digest, Arc<Mutex<()>>>,
}

impl Artifacts {
    /// The artifacts below the folder of deployments.
    pub(crate) fn new(deployments: &Path) -> Self {
        Self { folder: deployments.join("artifacts"), shared: None, state: Mutex::default() }
    }

    /// These artifacts, shared with other hosts.
    pub(crate) fn shared_in(self, shared: Option<Arc<dyn BlobStore>>) -> Self {
        Self { shared, ..self }
    }

    /// Copies an artifact that another host keeps to this disk. If nothing is shared, the artifact is already on this
    /// disk.
    pub(crate) fn fetch(&self, digest: Digest) -> io::Result<()> {
        let Some(shared) = &self.shared else { return Ok(()) };
        self.in_turn(digest, || {
            if self.path(&digest).exists() {
                return Ok(());
            }
            let bytes = shared.blob(&digest).wait().map_err(io::Error::other)?;
            let lacking = || io::Error::other(format!("artifact {digest} is not in the database"));
            self.write(&self.path(&digest), &bytes.ok_or_else(lacking)?)
        })
    }

    /// The bytes of an artifact; `None` if its file is missing or has other bytes.
    pub(crate) fn read(&self, digest: &Digest) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(digest)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(|bytes| Some(bytes).filter(|bytes| Digest::of(bytes) == *digest)),
        }
    }

    /// Removes artifacts that nothing holds from where hosts share them.
    pub(crate) fn sweep_shared(&self) -> Result<(), StoreError> {
        let Some(shared) = &self.shared else { return Ok(()) };
        shared.blobs().wait()?.iter().try_for_each(|digest| shared.sweep_blob(digest).wait())?;
        shared.sweep_unnamed().wait()
    }

    /// Returns once the bytes are on disk under their digest.
    pub(crate) fn keep(&self, digest: Digest, bytes: &[u8]) -> io::Result<()> {
        self.keep_here(digest, bytes)?;
        match &self.shared {
            // Each time: another host may have removed an artifact that had no holder until now.
            Some(shared) => {
                let keep = || shared.keep_blob(&digest, Arc::from(bytes)).wait();
                // A server that was started again has closed the connection: the next try makes another.
                let again = |_| {
                    (1..KEEPS).find_map(|_| {
                        std::thread::sleep(PAUSE);
                        keep().ok()
                    })
                };
                keep().or_else(|error| again(()).ok_or(error)).map_err(io::Error::other)
            }
            None => Ok(()),
        }
    }

    fn keep_here(&self, digest: Digest, bytes: &[u8]) -> io::Result<()> {
        if self.state().durable.contains(&digest) {
            return Ok(());
        }
        self.in_turn(digest, || {
            if self.state().durable.contains(&digest) {
                return Ok(());
            }
            self.write(&self.path(&digest), bytes)?;
            self.state().set_durable(digest);
            Ok(())
        })
    }

    /// Removes the artifacts of `only`, or all artifacts, that have no holder, and files that a crash has left
    /// incomplete. An artifact that is stored during the sweep has a holder first, and so is either seen to have one or
    /// written again.
    ///
    /// # Errors
    /// The first artifact that cannot be removed, or whose holders cannot be determined. The others are removed.
    pub(crate) fn sweep<E: From<io::Error>>(
        &self,
        only: Option<&HashSet<Digest>>,
        mut is_held: impl FnMut(&Digest) -> Result<bool, E>,
    ) -> Result<(), E> {
        let digests = match only {
            Some(only) => only.clone(),
            None => self.listed()?,
        };
        let mut swept = Ok(());
        for digest in digests {
            let removed = self.in_turn(digest, || {
                // Before the holders are looked up: a caller that finds it durable after that has been seen as a
                // holder.
                self.state().durable.remove(&digest);
                if !is_held(&digest)? {
                    files::remove(&self.path(&digest))?;
                    files::remove(&self.path(&digest).with_extension(UNFINISHED))?;
                }
                Ok(())
            });
            swept = swept.and(removed);
        }
        swept
    }

    /// Works on an artifact under its lock.
    fn in_turn<T>(&self, digest: Digest, act: impl FnOnce() -> T) -> T {
        let turn = Arc::clone(self.state().in_progress.entry(digest).or_default());
        let acted = {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            act()
        };
        let mut state = self.state();
        drop(turn);
        // Only the last caller removes it: a second lock would not exclude callers that wait for this one.
        if state.in_progress.get(&digest).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            state.in_progress.remove(&digest);
        }
        acted
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.to_string())
    }

    /// The artifacts that have a file, complete or not.
    fn listed(&self) -> io::Result<HashSet<Digest>> {
        let files = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
            files => files?,
        };
        let mut listed = HashSet::new();
        for file in files {
            let path = file?.path();
            listed.extend(path.file_stem().and_then(|stem| stem.to_str()?.parse::<Digest>().ok()));
        }
        Ok(listed)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match files::has_bytes(path, bytes)? {
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
    fn set_durable(&mut self, digest: Digest) {
        if self.durable.len() >= REMEMBERED {
            self.durable.clear();
        }
        self.durable.insert(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;
    use tempfile::TempDir;

    #[test]
    fn a_damaged_artifact_is_written_anew_by_the_next_process() {
        let folder = TempDir::new().unwrap();
        let digest = Digest::of(b"module");
        Artifacts::new(folder.path()).keep(digest, b"module").unwrap();
        let file = folder.path().join("artifacts").join(digest.to_string());
        for damage in [&b"mod"[..], b"MODULE"] {
            fs::write(&file, damage).unwrap();
            Artifacts::new(folder.path()).keep(digest, b"module").unwrap();
            assert_eq!(fs::read(&file).unwrap(), b"module");
        }
    }

    #[test]
    fn an_artifact_is_written_once_however_many_bring_it() {
        let folder = TempDir::new().unwrap();
        let artifacts = Artifacts::new(folder.path());
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
        let artifacts = Artifacts::new(folder.path());
        artifacts.keep(Digest::of(b"module"), b"module").unwrap_err();
        fs::remove_file(&path).unwrap();
        artifacts.keep(Digest::of(b"module"), b"module").unwrap();
        assert!(artifacts.state().in_progress.is_empty());
    }

    #[test]
    fn what_nothing_holds_is_removed_and_what_is_no_artifact_stays() {
        let folder = TempDir::new().unwrap();
        let artifacts = Artifacts::new(folder.path());
        let [held, other] = [b"held", b"drop"].map(|bytes| {
            artifacts.keep(Digest::of(bytes), bytes).unwrap();
            Digest::of(bytes)
        });
        let path = folder.path().join("artifacts");
        let half_written = path.join(Digest::of(b"crash").to_string()).with_extension("new");
        fs::write(&half_written, "half").unwrap();
        fs::write(path.join("README"), "of an operator").unwrap();
        artifacts.sweep(None, |digest| Ok::<_, io::Error>(*digest == held)).unwrap();
        assert!(path.join(held.to_string()).exists() && path.join("README").exists());
        assert!(!path.join(other.to_string()).exists() && !half_written.exists());
        // The next drive that needs it writes it again.
        artifacts.keep(other, b"drop").unwrap();
        assert!(path.join(other.to_string()).exists());
        artifacts.sweep(Some(&HashSet::from([held])), |_| Ok::<_, io::Error>(false)).unwrap();
        assert!(!path.join(held.to_string()).exists() && path.join(other.to_string()).exists());
    }

    /// A caller that holds an artifact before storing it has it afterwards, during any sweep.
    #[test]
    fn what_is_held_is_there_however_much_is_swept() {
        let folder = TempDir::new().unwrap();
        let artifacts = Artifacts::new(folder.path());
        let (digest, holders) = (Digest::of(b"module"), std::sync::atomic::AtomicUsize::new(0));
        let is_held = |_: &Digest| Ok::<_, io::Error>(holders.load(Ordering::SeqCst) > 0);
        std::thread::scope(|scope| {
            let deploying: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..50 {
                            holders.fetch_add(1, Ordering::SeqCst);
                            artifacts.keep(digest, b"module").unwrap();
                            assert!(artifacts.path(&digest).exists());
                            holders.fetch_sub(1, Ordering::SeqCst);
                        }
                    })
                })
                .collect();
            while deploying.iter().any(|thread| !thread.is_finished()) {
                artifacts.sweep(None, is_held).unwrap();
            }
        });
    }
}
