//! Files and folders that are trusted by their path: only the account of this process, or root, may be able to change
//! them.
//!
//! The check is on the open file, not on the path, so that the checked file is the file that is read.

use std::fs::{File, Metadata, Permissions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::{fmt, io};

/// Write permission of the group and of others.
const OTHERS_WRITE: u32 = 0o022;

/// Every permission of the group and of others.
const OTHERS: u32 = 0o077;

/// Why the file at a path cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exposed {
    /// Another account owns it.
    Owner { owner: u32, account: u32 },
    /// Other accounts may write to it, by this mode.
    Mode(u32),
    /// Other accounts may read it.
    Readable(u32),
}

impl std::error::Error for Exposed {}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner { owner, account } => write!(
                f,
                "account {owner} owns it, and this process runs under account {account}: run pp-host under the account that owns it, or chown it"
            ),
            Self::Readable(mode) => {
                write!(f, "its mode {mode:04o} lets other accounts read it: chmod go-rwx it")
            }
            Self::Mode(mode) => {
                write!(
                    f,
                    "its mode {mode:04o} lets other accounts change it: chmod go-w it, after a look at what is in it"
                )
            }
        }
    }
}

/// Reads a text file that only this account or root can have written.
///
/// # Errors
/// The file cannot be read, is not UTF-8, or others can change it.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    check(&file.metadata()?)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Reads a text file that only this account can read.
///
/// # Errors
/// The file cannot be read, is not UTF-8, or others own it or can read it.
pub fn read_secret(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let found = file.metadata()?;
    check_owner(&found)?;
    if found.mode() & OTHERS != 0 {
        return Err(refused(Exposed::Readable(found.mode() & 0o7777)));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Refuses a file that accounts other than this process's and root can change.
pub fn check(found: &Metadata) -> io::Result<()> {
    check_mode(found)?;
    match found.uid() {
        0 => Ok(()),
        _ => check_owner(found),
    }
}

/// Refuses a file that another account owns, or other accounts can change.
pub fn check_own(found: &Metadata) -> io::Result<()> {
    check_owner(found)?;
    check_mode(found)
}

/// Removes every permission of other accounts from a file of this account. An account that can open a file can lock it,
/// too.
pub fn close_to_others(file: &File) -> io::Result<()> {
    let found = file.metadata()?;
    check_owner(&found)?;
    match found.mode() & OTHERS {
        0 => Ok(()),
        _ => file.set_permissions(Permissions::from_mode(found.mode() & 0o700)),
    }
}

fn check_owner(found: &Metadata) -> io::Result<()> {
    let (owner, account) = (found.uid(), rustix::process::geteuid().as_raw());
    match owner == account {
        true => Ok(()),
        false => Err(refused(Exposed::Owner { owner, account })),
    }
}

fn check_mode(found: &Metadata) -> io::Result<()> {
    match found.mode() & OTHERS_WRITE {
        0 => Ok(()),
        _ => Err(refused(Exposed::Mode(found.mode() & 0o7777))),
    }
}

fn refused(exposed: Exposed) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, exposed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    #[test]
    fn a_file_that_others_can_write_is_not_read() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("policy.toml");
        fs::write(&path, "allow").unwrap();
        for (mode, trusted) in [(0o600, true), (0o644, true), (0o664, false), (0o646, false), (0o777, false)]
        {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let read = read_to_string(&path);
            assert_eq!(read.is_ok(), trusted, "{mode:o}: {read:?}");
        }
        let refused = read_to_string(&path).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        assert!(
            refused.to_string().contains("0777") && refused.to_string().contains("chmod go-w"),
            "{refused}"
        );
    }

    #[test]
    fn a_file_that_others_can_open_is_closed_to_them() {
        let file = tempfile::tempfile().unwrap();
        for (mode, closed) in [(0o644, 0o600), (0o666, 0o600), (0o777, 0o700), (0o600, 0o600)] {
            file.set_permissions(Permissions::from_mode(mode)).unwrap();
            close_to_others(&file).unwrap();
            assert_eq!(file.metadata().unwrap().mode() & 0o7777, closed);
        }
    }
}
