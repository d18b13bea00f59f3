//! A copy of a data folder while it is in use: the journal at one moment, and the other files right after it.
//!
//! The journal is copied first. Artifacts are on disk before the journal records their deployment, and keys before
//! anything is signed with them. An artifact can be removed in between, when its resource serves another one: the copy
//! is then refused, and made again.

use crate::file::open;
use crate::file::schema::is_older;
use crate::sql::{cell, classify, every};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{DirEntry, File};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::{fs, io};
use store::{DataFolder, FolderError, StoreError, files};

/// The result of a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// The files that were left out, by their names in the folder.
    pub left_out: Vec<PathBuf>,
}

/// Files that belong to the process that owns the folder, or that the next process makes again. The file `host` has the id of one folder's host: a
/// process that works with the copy is another host, and needs another id.
const LEFT_OUT: [&str; 4] = ["cache", "control.sock", "host", "lock"];

/// The journal's name.
const JOURNAL: &str = "journal.sqlite";
const BESIDE_JOURNAL: [&str; 2] = ["journal.sqlite-wal", "journal.sqlite-shm"];

/// The folder of artifacts and of what names them, which are removed when nothing needs them.
const DEPLOYMENTS: &str = "deployments";
const ARTIFACTS: &str = "deployments/artifacts";

/// The name of a file that is not complete.
const UNFINISHED: &str = "new";

/// Copies a folder to a new one, atomically.
///
/// # Errors
/// When the destination exists, the copy cannot be written, or the journal is damaged.
pub fn back_up(folder: &DataFolder, to: &Path) -> Result<Copied, StoreError> {
    folder.check_keys()?;
    let failed = |problem: String| StoreError::from(FolderError::Backup { path: to.to_owned(), problem });
    if fs::symlink_metadata(to).is_ok() {
        return Err(failed("it exists already, and a copy overwrites nothing".to_owned()));
    }
    let name = to.file_name().ok_or_else(|| failed("it has no name".to_owned()))?;
    let parent = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let within =
        parent.canonicalize().and_then(|parent| Ok(parent.starts_with(folder.path().canonicalize()?)));
    if within.map_err(|error| failed(error.to_string()))? {
        return Err(failed("it would lie in the folder that is copied".to_owned()));
    }
    let mut unfinished = name.to_owned();
    unfinished.push(".partial");
    let partial = parent.join(unfinished);
    let made = fs::DirBuilder::new().mode(0o700).create(&partial);
    made.map_err(|error| {
        failed(format!("{}: {error} (what was broken off is left there: remove it)", partial.display()))
    })?;
    let copied = fill(folder, &partial, || {}).and_then(|copied| {
        fs::rename(&partial, to).and_then(|()| files::sync(parent)).map_err(|error| at(to, &error))?;
        Ok(copied)
    });
    if copied.is_err() {
        // The name of the rest shows that it is not complete.
        let _ = fs::remove_dir_all(&partial);
    }
    copied
}

fn at(path: &Path, error: &io::Error) -> StoreError {
    FolderError::Backup { path: path.to_owned(), problem: error.to_string() }.into()
}

/// Calls `between` when the journal is copied.
fn fill(folder: &DataFolder, to: &Path, between: impl FnOnce()) -> Result<Copied, StoreError> {
    let mut copied = Copied::default();
    let served = copy_journal(&folder.journal(), &to.join(JOURNAL))?;
    between();
    copied.count(&to.join(JOURNAL))?;
    copied.copy_folder(folder.path(), Path::new(""), to)?;
    match removed_meanwhile(folder, served, to)? {
        None => Ok(copied),
        Some(artifact) => {
            let problem = format!("artifact {artifact} was removed in the meantime: try again");
            Err(FolderError::Backup { path: to.to_owned(), problem }.into())
        }
    }
}

/// An artifact that a resource serves by the copied journal (`served_then`), that the copy lacks, and that is not simply missing from
/// the folder: a damaged folder is copied as it is.
fn removed_meanwhile(
    folder: &DataFolder,
    served_then: HashSet<String>,
    to: &Path,
) -> Result<Option<String>, StoreError> {
    let file = |root: &Path, sha256: &str| root.join(ARTIFACTS).join(sha256);
    let lacks = |root: &Path, sha256: &String| !file(root, sha256).exists();
    let lacking: Vec<String> = served_then.into_iter().filter(|sha256| lacks(to, sha256)).collect();
    if lacking.is_empty() {
        return Ok(None);
    }
    let now = served(&open::read_as_it_is(&folder.journal())?)?;
    Ok(lacking.into_iter().find(|sha256| !now.contains(sha256) || !lacks(folder.path(), sha256)))
}

/// The artifacts that resources serve. Of a journal of an older format none is known: no process of this version writes to it.
fn served(journal: &Connection) -> Result<HashSet<String>, StoreError> {
    if is_older(journal).map_err(classify)? {
        return Ok(HashSet::new());
    }
    let served = "SELECT DISTINCT sha256 FROM artifacts WHERE holder < 0";
    Ok(every(journal, served, [], |row| cell(row, 0))?.into_iter().collect())
}

/// Copies the journal as it is at one moment, and looks through the copy. Returns the artifacts that resources serve then.
fn copy_journal(from: &Path, to: &Path) -> Result<HashSet<String>, StoreError> {
    let journal = open::read_as_it_is(from)?;
    let made = File::options().write(true).create_new(true).mode(0o600).open(to);
    made.map_err(|error| at(to, &error))?;
    let mut copy = Connection::open(to).map_err(classify)?;
    let backup = Backup::new(&journal, &mut copy).map_err(classify)?;
    // All pages in one step: they are of the same moment, and no writer has to wait.
    match backup.step(-1).map_err(classify)? {
        StepResult::Done => {}
        other => {
            let problem = format!("the journal is busy ({other:?}): try again");
            return Err(FolderError::Backup { path: to.to_owned(), problem }.into());
        }
    }
    drop(backup);
    let verdict: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(classify)?;
    match verdict.as_str() {
        "ok" => served(&copy),
        _ => Err(StoreError::Damaged(verdict)),
    }
}

impl Copied {
    /// Copies the content of a folder below the data folder; `within` is its name there.
    fn copy_folder(&mut self, root: &Path, within: &Path, to: &Path) -> Result<(), StoreError> {
        let from = root.join(within);
        let failed = |error: &io::Error| at(&from, error);
        let entries = fs::read_dir(&from).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = entries.map_err(|error| failed(&error))?;
        entries.sort_by_key(|entry| (order(entry), entry.file_name()));
        for entry in entries {
            let (name, path) = (within.join(entry.file_name()), entry.path());
            match Kind::of(&entry, within).map_err(|error| failed(&error))? {
                Kind::Journal => {}
                Kind::LeftOut => self.left_out.push(name),
                Kind::File => match self.copy_file(&path, &to.join(&name)) {
                    // An artifact that is no longer needed was removed: the backup looks for the needed artifacts
                    // later.
                    Err(_) if within.starts_with(DEPLOYMENTS) && !path.exists() => {}
                    copied => copied?,
                },
                Kind::Folder => {
                    let made = fs::DirBuilder::new().mode(0o700).create(to.join(&name));
                    made.map_err(|error| at(&to.join(&name), &error))?;
                    self.copy_folder(root, &name, to)?;
                }
            }
        }
        let copy = to.join(within);
        files::sync(&copy).map_err(|error| at(&copy, &error))
    }

    fn copy_file(&mut self, from: &Path, to: &Path) -> Result<(), StoreError> {
        fs::copy(from, to).map_err(|error| at(from, &error))?;
        let synced = File::open(to).and_then(|file| file.sync_all());
        synced.map_err(|error| at(to, &error))?;
        self.count(to)
    }

    fn count(&mut self, file: &Path) -> Result<(), StoreError> {
        self.files += 1;
        self.bytes += fs::metadata(file).map_err(|error| at(file, &error))?.len();
        Ok(())
    }
}

/// The list of keys is copied before the keys: each key on the list then exists.
fn order(entry: &DirEntry) -> u8 {
    u8::from(entry.file_name() != "keys.json")
}

/// The treatment of an entry of a folder.
enum Kind {
    /// Copied already.
    Journal,
    LeftOut,
    File,
    Folder,
}

impl Kind {
    fn of(entry: &DirEntry, within: &Path) -> io::Result<Self> {
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let is = |names: &[&str]| within.as_os_str().is_empty() && names.iter().any(|known| name == *known);
        Ok(match () {
            () if is(&[JOURNAL]) || is(&BESIDE_JOURNAL) => Self::Journal,
            () if is(&LEFT_OUT) || Path::new(&name).extension() == Some(OsStr::new(UNFINISHED)) => {
                Self::LeftOut
            }
            () if kind.is_dir() => Self::Folder,
            // A symbolic link to a file, such as a policy, is copied as a file in the place of the link.
            () if kind.is_file() || fs::metadata(entry.path()).is_ok_and(|found| found.is_file()) => {
                Self::File
            }
            () => Self::LeftOut,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sqlite;
    use receipt::Digest;
    use tempfile::TempDir;

    /// A folder whose journal says that a resource serves an artifact, with the artifact's file.
    fn serving() -> (TempDir, DataFolder, PathBuf) {
        let place = TempDir::new().unwrap();
        let folder = DataFolder::own(place.path()).unwrap();
        drop(Sqlite::open(&folder).unwrap());
        let digest = Digest::of(b"module").to_string();
        let held = "INSERT INTO artifacts (sha256, tenant, holder, bytes) VALUES (?1, 'acme', -1, 6)";
        Connection::open(folder.journal()).unwrap().execute(held, [&digest]).unwrap();
        let artifact = place.path().join(ARTIFACTS).join(digest);
        fs::create_dir_all(artifact.parent().unwrap()).unwrap();
        fs::write(&artifact, "module").unwrap();
        (place, folder, artifact)
    }

    fn copied(folder: &DataFolder, between: impl FnOnce()) -> Result<Copied, StoreError> {
        fill(folder, TempDir::new().unwrap().path(), between)
    }

    #[test]
    fn an_artifact_that_is_removed_after_the_journal_was_copied_refuses_the_copy() {
        let (_place, folder, artifact) = serving();
        copied(&folder, || {}).unwrap();
        let replaced = || {
            Connection::open(folder.journal()).unwrap().execute("DELETE FROM artifacts", []).unwrap();
            fs::remove_file(&artifact).unwrap();
        };
        let refused = copied(&folder, replaced).unwrap_err();
        assert!(refused.to_string().contains("try again"), "{refused}");
        copied(&folder, || {}).unwrap();
    }

    #[test]
    fn a_folder_that_lacks_an_artifact_is_copied_as_it_is() {
        let (_place, folder, artifact) = serving();
        fs::remove_file(artifact).unwrap();
        copied(&folder, || {}).unwrap();
    }
}
