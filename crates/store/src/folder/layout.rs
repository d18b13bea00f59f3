//! The layout of a data folder, and what the presence of its parts says about it.

use crate::error::{FolderError, StoreError};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::{fs, io};

/// Whether a folder has its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FolderState {
    /// The folder has no data: missing parts may be created.
    New,
    /// A process ended while it made the folder: no caller has used it, and missing parts may be made.
    Unfinished,
    /// The folder has data, so a missing part is lost.
    Used,
}

/// The journal's name.
pub(super) const JOURNAL: &str = "journal.sqlite";

/// The public key set's name.
pub(super) const KEY_SET: &str = "keys/keys.json";

/// A file that exists until a new folder has all its parts.
pub(super) const MAKING: &str = "making";

/// The file that says which files git ignores.
const IGNORE: &str = ".gitignore";

/// The files that may be in a data folder before it has data: the files that this program makes, and its settings.
const BEFORE_DATA: [&str; 6] =
    ["lock", "cache", "control.sock", "pp-host.toml", "policy.toml", "policy.cedar"];

/// The parts that only a folder with data has.
const DATA: [&str; 5] = [JOURNAL, "keys", "deployments", "signed.jsonl", "statements.jsonl"];

/// Makes git ignore a new folder, with its keys. A folder with other files belongs to its user, and may be a whole
/// repository.
pub(super) fn keep_out_of_git(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if !BEFORE_DATA.iter().any(|before| name == *before) {
            return Ok(());
        }
    }
    let mut made = File::options().create_new(true).write(true).mode(0o600).open(path.join(IGNORE))?;
    made.write_all(b"*\n")
}

/// Whether a part of a folder exists and has content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Missing,
    Empty,
    Complete,
}

pub(super) fn presence(folder: &Path, name: &str) -> Result<Presence, StoreError> {
    match fs::metadata(folder.join(name)) {
        Ok(found) if found.len() == 0 => Ok(Presence::Empty),
        Ok(_) => Ok(Presence::Complete),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Presence::Missing),
        Err(error) => Err(FolderError::Unusable { path: folder.to_owned(), error }.into()),
    }
}

/// The state of a folder. A folder that has data but no journal is refused.
pub(super) fn state(folder: &Path) -> Result<FolderState, StoreError> {
    if presence(folder, MAKING)? != Presence::Missing {
        return Ok(FolderState::Unfinished);
    }
    if DATA.iter().all(|name| !folder.join(name).exists()) {
        return Ok(FolderState::New);
    }
    match presence(folder, JOURNAL)? {
        Presence::Complete => Ok(FolderState::Used),
        lacking => Err(incomplete(folder, JOURNAL, lacking)),
    }
}

pub(super) fn incomplete(folder: &Path, part: &'static str, lacking: Presence) -> StoreError {
    let problem = if lacking == Presence::Empty { "empty" } else { "missing" };
    FolderError::Incomplete { path: folder.to_owned(), part, problem }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DataFolder;
    use tempfile::TempDir;

    #[test]
    fn git_ignores_a_new_folder_and_not_one_that_has_other_files() {
        let here = TempDir::new().unwrap();
        let ignored = |name: &str, before: &[&str]| {
            let folder = here.path().join(name);
            fs::create_dir(&folder).unwrap();
            before.iter().for_each(|name| fs::write(folder.join(name), "theirs").unwrap());
            drop(DataFolder::own(&folder).unwrap());
            fs::read_to_string(folder.join(IGNORE)).ok()
        };
        assert_eq!(ignored("empty", &[]).as_deref(), Some("*\n"));
        assert_eq!(ignored("cached", &["cache", "lock"]).as_deref(), Some("*\n"));
        assert_eq!(ignored("repository", &["README.md"]), None);
        assert_eq!(ignored("own", &[IGNORE]).as_deref(), Some("theirs"));
        fs::write(here.path().join("empty").join(JOURNAL), "facts").unwrap();
        fs::remove_file(here.path().join("empty").join(IGNORE)).unwrap();
        drop(DataFolder::own(&here.path().join("empty")).unwrap());
        assert!(!here.path().join("empty").join(IGNORE).exists(), "it was taken away");
    }
}
