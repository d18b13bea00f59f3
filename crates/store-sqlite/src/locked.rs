//! Finds the program that keeps the journal locked.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::{fmt, fs};

/// The journal is locked by another program, for longer than this process waits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Locked {
    /// The processes that hold a lock, according to the system: id and name.
    holders: BTreeSet<(u32, String)>,
}

impl std::error::Error for Locked {}

impl fmt::Display for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the journal is locked by ")?;
        let mut holders = self.holders.iter();
        match holders.next() {
            Some((id, name)) => write!(f, "{name} (process {id})")?,
            None => f.write_str("another program (`fuser journal.sqlite` names it)")?,
        }
        holders.try_for_each(|(id, name)| write!(f, ", {name} (process {id})"))?;
        f.write_str(": nothing was written; end it, or wait until it is done, and try again")
    }
}

impl Locked {
    /// Looks up the processes that have a lock on a journal that this process has open.
    pub(crate) fn find() -> Self {
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        let (own, open) = (std::process::id(), open_journals());
        let others = locks.lines().filter_map(holder).filter(|(id, file)| *id != own && open.contains(file));
        let named = others.filter_map(|(id, _)| {
            let name = fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
            Some((id, workflow::Escaped(name.trim_end()).to_string()))
        });
        Self { holders: named.collect() }
    }
}

/// The process and the file, by its inode, of a line such as `1: POSIX  ADVISORY  WRITE 23477 fe:00:10011103 120 120`.
fn holder(line: &str) -> Option<(u32, u64)> {
    let mut words = line.split_whitespace().skip_while(|word| !matches!(*word, "READ" | "WRITE")).skip(1);
    let id = words.next()?.parse().ok()?;
    let (_device, inode) = words.next()?.rsplit_once(':')?;
    Some((id, inode.parse().ok()?))
}

/// The inodes of the journals that this process has open. It may have inherited other files, whose locks do not matter.
fn open_journals() -> BTreeSet<u64> {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let journals = open.filter(|entry| fs::read_link(entry.path()).is_ok_and(|file| is_journal(&file)));
    journals.filter_map(|entry| fs::metadata(entry.path()).ok()).map(|found| found.ino()).collect()
}

/// Whether a file is a journal, or a log beside one.
fn is_journal(file: &Path) -> bool {
    file.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("journal.sqlite"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_read_as_the_system_writes_it() {
        assert_eq!(
            holder("1: POSIX  ADVISORY  WRITE 23477 fe:00:10011103 120 120"),
            Some((23477, 10_011_103))
        );
        assert_eq!(holder("5: FLOCK  ADVISORY  READ 20924 00:2d:5498932 0 EOF"), Some((20924, 5_498_932)));
        for odd in
            ["", "1: POSIX", "1: -> POSIX  ADVISORY  WRITE x fe:00:1 0 EOF", "7: LEASE  ACTIVE    READ"]
        {
            assert_eq!(holder(odd), None, "{odd}");
        }
        let locked = Locked { holders: BTreeSet::from([(7, "sqlite3".to_owned())]) };
        assert!(
            locked.to_string().contains("locked by sqlite3 (process 7): nothing was written"),
            "{locked}"
        );
    }
    #[test]
    fn only_the_locks_of_a_journal_count() {
        for (file, is) in [
            ("/data/journal.sqlite", true),
            ("/data/journal.sqlite-wal", true),
            ("/data/lock", false),
            ("/tmp/build.lock", false),
        ] {
            assert_eq!(is_journal(Path::new(file)), is, "{file}");
        }
    }
}
