//! The folder that everything is kept in.

use std::fs::{File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::{fs, io};
use store::StoreError;
use store::ownership;

/// A data folder, with or without the right to write to it.
///
/// ```text
/// journal.sqlite   every fact, request, receipt and deployment
/// keys/            the issuer's private key (0600) and the public key set
/// deployments/     artifacts by content, and what each resource serves as files
/// cache/           compiled code; may be deleted at any time
/// control.sock     where the owner listens for other processes
/// lock             held while a process owns the folder
/// ```
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Held for its lock, which the system releases however the process ends.
    lock: Option<File>,
}

impl DataFolder {
    /// Takes a folder for writing, and makes it where there is none. One process at a time.
    ///
    /// # Errors
    /// When it cannot be made, another account owns it or can change what is in it, or another process has it.
    pub fn own(path: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::Folder { path: path.to_owned(), error };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        fs::metadata(path).and_then(|found| ownership::check_own(&found)).map_err(failed)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(failed)?;
        // An account that can open it can lock it.
        ownership::close_to_others(&lock).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Looks into a folder, which another process may own.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        match fs::metadata(path.join("journal.sqlite")) {
            Ok(_) => Ok(Self { path: path.to_owned(), lock: None }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::NoData(path.to_owned())),
            Err(error) => Err(StoreError::Folder { path: path.to_owned(), error }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal's file.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal.sqlite")
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

/// A process that is just being started has this process's files until it is what it was started as. Closing the file would leave the lock
/// to it for so long.
impl Drop for DataFolder {
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            // Where this fails, the lock goes with the last who has the file.
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
    fn a_folder_that_was_left_is_free_whoever_has_its_files() {
        let folder = TempDir::new().unwrap();
        let owned = DataFolder::own(folder.path()).unwrap();
        assert!(matches!(DataFolder::own(folder.path()), Err(StoreError::Locked(_))));
        let also = owned.lock.as_ref().unwrap().try_clone().unwrap();
        drop(owned);
        DataFolder::own(folder.path()).unwrap();
        drop(also);
    }
}
