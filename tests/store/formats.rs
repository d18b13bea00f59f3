//! Journals of older formats.

use crate::support::formats::{self, NEWEST, OLDEST};
use crate::support::{self, block_on};
use engine::{Host, Status};
use receipt::Decision;
use std::path::Path;
use tempfile::TempDir;

/// The tables, indexes and views of a folder's journal, as SQL.
fn tables(data: &Path) -> Vec<String> {
    let journal = formats::journal(data);
    let mut sql =
        journal.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY sql").unwrap();
    sql.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_journal_of_each_older_format_becomes_one_of_the_newest_and_goes_on() {
    for format in OLDEST..NEWEST {
        let folder = TempDir::new().unwrap();
        let open = || Host::builder(folder.path()).open().unwrap();
        let host = open();
        let ended = support::start(&host, "tenant-workflow", "{}");
        support::finish(&host, &ended, Decision::Denied);
        host.delete(&ended, "ops").unwrap();
        let waits = support::start(&host, "tenant-workflow", "{}");
        assert!(matches!(block_on(host.drive(&waits)).unwrap(), Status::Waiting(_)));
        drop(host);
        let newest = tables(folder.path());
        formats::take_back(folder.path(), format);
        assert_ne!(tables(folder.path()), newest, "format {format}");

        let host = open();
        assert_eq!((formats::of(folder.path()), tables(folder.path())), (NEWEST, newest), "format {format}");
        let end = support::finish(&host, &waits, Decision::Approved);
        assert!(matches!(end, Status::Completed(_)), "format {format}: {end:?}");
        let usage = host.store().usage(&waits.tenant).wait().unwrap();
        assert_eq!(usage, support::recount::recount(folder.path(), waits.tenant.as_str()), "format {format}");
    }
}
