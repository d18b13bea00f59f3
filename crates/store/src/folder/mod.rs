//! The data folder.

pub mod files;
mod layout;
pub mod ownership;

use crate::error::{FolderError, StoreError};
use crate::records::claim::HostId;
use layout::{FolderState, JOURNAL, KEY_SET, MAKING, Presence, incomplete, keep_out_of_git, presence, state};
use std::fs::{File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A data folder, with or without the right to write to it.
///
/// ```text
/// journal.sqlite   every fact, request, receipt and deployment
/// keys/            the issuer's private key (0600) and the public key set
/// deployments/     artifacts by content, and what each resource serves as files
/// cache/           compiled code; may be deleted at any time
/// control.sock     the owner's socket for other processes
/// lock             held while a process owns the folder
/// .gitignore       keeps a repository that contains the folder from committing the keys
/// host             the host's id, if the state is in a database that several hosts share
/// making           present until the folder is complete for the first time
/// moved            present once the state was moved to a database: no process writes to the journal any more
/// ```
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    state: FolderState,
    /// Held for its lock, which the system releases however the process ends.
    lock: Option<File>,
}

/// The file that says where the state was moved to.
const MOVED: &str = "moved";

/// A move of a folder's state to a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The name of the move. The database keeps it with the moved state.
    pub id: String,
    /// The database, without a password.
    pub to: String,
}

impl DataFolder {
    /// Opens a folder for writing, and creates it if it does not exist. One process at a time.
    ///
    /// # Errors
    /// The folder cannot be created, another account owns it or can change its content, another process has it, or it
    /// has data without a journal.
    pub fn own(path: &Path) -> Result<Self, StoreError> {
        Self::make(path)?;
        Self::take(path)
    }

    /// Opens a folder that has data for writing. Creates nothing if there is none.
    ///
    /// # Errors
    /// Those of [`own`](Self::own), and a folder without data.
    pub fn own_existing(path: &Path) -> Result<Self, StoreError> {
        Self::read(path)?;
        Self::take(path)
    }

    /// Opens for writing a folder whose state is to be moved to a database, whether or not a move was begun before.
    ///
    /// # Errors
    /// Those of [`own_existing`](Self::own_existing).
    pub fn own_to_move(path: &Path) -> Result<Self, StoreError> {
        Self::read(path)?;
        Self::lock(path, state)
    }

    /// Opens for writing the folder of a host whose state is in a database, and creates it if it does not exist: it has
    /// keys, cache, sockets and artifacts. A journal in it is ignored.
    ///
    /// # Errors
    /// Those of [`own`](Self::own).
    pub fn own_without_journal(path: &Path) -> Result<Self, StoreError> {
        Self::make(path)?;
        Self::lock(path, |path| match (presence(path, MAKING)?, presence(path, KEY_SET)?) {
            (Presence::Missing, Presence::Missing) => Ok(FolderState::New),
            (Presence::Missing, _) => Ok(FolderState::Used),
            _ => Ok(FolderState::Unfinished),
        })
    }

    /// Opens, for reading, the folder of a host whose state is in a database. The folder may be missing.
    #[must_use]
    pub fn read_without_journal(path: &Path) -> Self {
        Self { path: path.to_owned(), state: FolderState::Used, lock: None }
    }

    fn make(path: &Path) -> Result<(), StoreError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        Ok(made.map_err(|error| FolderError::Unusable { path: path.to_owned(), error })?)
    }

    fn take(path: &Path) -> Result<Self, StoreError> {
        let taken = Self::lock(path, state)?;
        match taken.moved()? {
            None => Ok(taken),
            Some(Move { to, .. }) => Err(FolderError::Moved { path: path.to_owned(), to }.into()),
        }
    }

    fn lock(
        path: &Path,
        state: impl FnOnce(&Path) -> Result<FolderState, StoreError>,
    ) -> Result<Self, StoreError> {
        let failed = |error| StoreError::from(FolderError::Unusable { path: path.to_owned(), error });
        fs::metadata(path).and_then(|found| ownership::check_own(&found)).map_err(failed)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(failed)?;
        // An account that can open the file can lock it.
        ownership::close_to_others(&lock).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::Locked(path.to_owned()).into()),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // The state is read only now: another process may have been creating the folder until here.
        let state = state(path)?;
        if state == FolderState::New {
            keep_out_of_git(path).map_err(failed)?;
            files::replace(&path.join(MAKING), b"", 0o600).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), state, lock: Some(lock) })
    }

    /// Opens a folder for reading. Another process may own it.
    ///
    /// # Errors
    /// There is no folder with data.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        match (state(path)?, presence(path, JOURNAL)?) {
            (state, Presence::Complete) => Ok(Self { path: path.to_owned(), state, lock: None }),
            (_, Presence::Missing | Presence::Empty) => Err(FolderError::NoData(path.to_owned()).into()),
        }
    }

    /// Whether the folder had no data before this process opened it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.state == FolderState::New
    }

    /// Checks that a folder with data has its public key set.
    ///
    /// # Errors
    /// The folder has data, but no key set.
    pub fn check_keys(&self) -> Result<(), StoreError> {
        match (self.state, presence(&self.path, KEY_SET)?) {
            (FolderState::New | FolderState::Unfinished, _) | (FolderState::Used, Presence::Complete) => {
                Ok(())
            }
            (FolderState::Used, lacking) => Err(incomplete(&self.path, KEY_SET, lacking)),
        }
    }

    /// Marks the folder as complete: from now on, a missing part is lost.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn finish(&self) -> Result<(), StoreError> {
        let making = self.path.join(MAKING);
        let finished = match self.state {
            FolderState::Used => Ok(()),
            FolderState::New | FolderState::Unfinished => {
                files::remove(&making).and_then(|()| files::sync(&self.path))
            }
        };
        finished.map_err(|error| FolderError::Unusable { path: self.path.clone(), error }.into())
    }

    /// The move of the folder's state to a database, if a move was begun.
    ///
    /// # Errors
    /// The mark's file cannot be read.
    pub fn moved(&self) -> Result<Option<Move>, StoreError> {
        let path = self.path.join(MOVED);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let (id, to) = text.trim_end().split_once('\n').unwrap_or((text.trim_end(), ""));
                Ok(Some(Move { id: id.to_owned(), to: to.to_owned() }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FolderError::Unusable { path, error }.into()),
        }
    }

    /// Marks the state as moved to a database: from now on only [`own_to_move`](Self::own_to_move) opens the folder for writing.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn set_moved(&self, Move { id, to }: &Move) -> Result<(), StoreError> {
        let path = self.path.join(MOVED);
        files::replace(&path, format!("{id}\n{to}\n").as_bytes(), 0o600)
            .map_err(|error| FolderError::Unusable { path, error }.into())
    }

    /// Removes the mark that the state was moved to a database: the move did not take place.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn set_not_moved(&self) -> Result<(), StoreError> {
        let path = self.path.join(MOVED);
        files::remove(&path)
            .and_then(|()| files::sync(&self.path))
            .map_err(|error| FolderError::Unusable { path, error }.into())
    }

    /// The id of the host that has the folder. If it has none yet, stores `made`.
    ///
    /// # Errors
    /// The id cannot be read or written, or is invalid.
    pub fn host_id(&self, made: HostId) -> Result<HostId, StoreError> {
        let path = self.path.join("host");
        let failed = |error| StoreError::from(FolderError::Unusable { path: path.clone(), error });
        match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map_err(|error| failed(io::Error::other(error))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                files::replace(&path, format!("{made}\n").as_bytes(), 0o600).map_err(failed)?;
                Ok(made)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal's file.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// The keys' folder.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }

    /// The deploy capability's folder.
    #[must_use]
    pub fn deployments(&self) -> PathBuf {
        self.path.join("deployments")
    }

    /// The folder of the engines that bundles of this data folder run on.
    #[must_use]
    pub fn engines(&self) -> PathBuf {
        self.path.join("engines")
    }

    /// The folder of compiled code.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.path.join("cache")
    }

    /// Whether this process may write.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        self.lock.is_some()
    }
}

/// A child process has this process's open files until its `exec`. Closing the file would leave it locked until then.
impl Drop for DataFolder {
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            // If this fails, the lock ends with the last process that has the file open.
            let _ = lock.unlock();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    use tempfile::TempDir;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_lock_is_not_for_others_to_open() {
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let lock = folder.path().join("lock");
        drop(DataFolder::own(folder.path()).unwrap());
        assert_eq!(mode(&lock), 0o600);
        fs::set_permissions(&lock, Permissions::from_mode(0o666)).unwrap();
        drop(DataFolder::own(folder.path()).unwrap());
        assert_eq!(mode(&lock), 0o600, "left by an earlier version");
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let folder = TempDir::new().unwrap();
        for (open, refused) in [(0o755, false), (0o770, true), (0o777, true), (0o1777, true), (0o700, false)]
        {
            fs::set_permissions(folder.path(), Permissions::from_mode(open)).unwrap();
            let owned = DataFolder::own(folder.path());
            assert_eq!(owned.is_err(), refused, "{open:o}");
            let said = owned.map_or_else(|error| error.to_string(), |_| "chmod go-w".to_owned());
            assert!(said.contains("chmod go-w"), "{said}");
        }
    }

    #[test]
    fn a_folder_is_new_until_it_is_finished_and_then_what_is_missing_is_lost() {
        let folder = TempDir::new().unwrap();
        let journal = folder.path().join(JOURNAL);
        assert!(matches!(
            DataFolder::own_existing(folder.path()),
            Err(StoreError::Folder(FolderError::NoData(_)))
        ));
        assert!(!folder.path().join("lock").exists(), "nothing is made");
        let owned = DataFolder::own(folder.path()).unwrap();
        assert!(owned.is_new());
        drop(owned);
        // The process that made the folder ended in the middle.
        fs::write(&journal, "").unwrap();
        assert!(matches!(DataFolder::read(folder.path()), Err(StoreError::Folder(FolderError::NoData(_)))));
        let owned = DataFolder::own(folder.path()).unwrap();
        owned.check_keys().unwrap();
        fs::write(&journal, "facts").unwrap();
        owned.finish().unwrap();
        drop(owned);
        let lacks = |part: &str, problem: &str| {
            let owned = DataFolder::own(folder.path()).and_then(|owned| owned.check_keys());
            let said = owned.unwrap_err().to_string();
            assert!(said.contains(&format!("{part} is {problem}")) && said.contains("restore"), "{said}");
        };
        lacks(KEY_SET, "missing");
        fs::create_dir(folder.path().join("keys")).unwrap();
        fs::write(folder.path().join(KEY_SET), "").unwrap();
        lacks(KEY_SET, "empty");
        fs::write(folder.path().join(KEY_SET), "{}").unwrap();
        DataFolder::own(folder.path()).unwrap().check_keys().unwrap();
        fs::write(&journal, "").unwrap();
        lacks(JOURNAL, "empty");
        fs::remove_file(&journal).unwrap();
        lacks(JOURNAL, "missing");
        assert!(matches!(
            DataFolder::read(folder.path()),
            Err(StoreError::Folder(FolderError::Incomplete { .. }))
        ));
        assert!(!journal.exists(), "nothing is made in its place");
    }

    #[test]
    fn a_folder_that_was_left_is_free_though_its_files_are_open() {
        let folder = TempDir::new().unwrap();
        let owned = DataFolder::own(folder.path()).unwrap();
        assert!(matches!(DataFolder::own(folder.path()), Err(StoreError::Folder(FolderError::Locked(_)))));
        let also = owned.lock.as_ref().unwrap().try_clone().unwrap();
        drop(owned);
        DataFolder::own(folder.path()).unwrap();
        drop(also);
    }
}
