//! Compiled code that tests share, so that their hosts do not compile the same components again.

use super::guest;
use crate::support::script::workflow;
use engine::Host;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::OnceLock;
use tempfile::TempDir;

/// A data folder's cache of compiled code.
const CACHE: &str = "cache";

/// The prebuilt guests that many tests run.
const GUESTS: [&str; 4] = ["durable", "hostile", "paces", "tenant-workflow"];

/// Puts the prebuilt guests' compiled code into a data folder that has no cache yet.
pub fn put_guests(data: &Path) {
    static GUESTS_COMPILED: OnceLock<TempDir> = OnceLock::new();
    put(data, &GUESTS_COMPILED, || GUESTS.map(guest).into());
}

/// Puts the compiled engine of scripts into a data folder that has no cache yet.
pub fn put_engine(data: &Path) {
    static ENGINE_COMPILED: OnceLock<TempDir> = OnceLock::new();
    put(data, &ENGINE_COMPILED, || vec![workflow("return 1;").bytes()]);
}

fn put(data: &Path, compiled: &'static OnceLock<TempDir>, programs: impl FnOnce() -> Vec<Vec<u8>>) {
    let cache = data.join(CACHE);
    if cache.exists() {
        return;
    }
    let compiled = compiled.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let host = Host::builder(folder.path()).open().unwrap();
        programs().into_iter().for_each(|program| drop(host.load(program).unwrap()));
        folder
    });
    let compiled = compiled.path().join(CACHE);
    DirBuilder::new().recursive(true).mode(0o700).create(&cache).unwrap();
    for entry in fs::read_dir(&compiled).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), cache.join(entry.file_name())).unwrap();
    }
}
