//! Compiled code that tests share, so that their hosts do not compile the same components again.

use super::guest;
use crate::support::script::workflow;
use engine::Host;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::OnceLock;
use tempfile::TempDir;

/// A data folder's cache of compiled code.
const CACHE: &str = "cache";

/// The prebuilt guests that many tests run.
const GUESTS: [&str; 4] = ["durable", "hostile", "paces", "tenant-workflow"];

/// The files of a cache. They are in memory: a folder that lives as long as the test program is not removed at its end.
type Compiled = Vec<(OsString, Vec<u8>)>;

/// Puts the prebuilt guests' compiled code into a data folder that has no cache yet. A test that starts a child process in a folder does this
/// first: otherwise the child compiles them.
pub fn put_guests(data: &Path) {
    static COMPILED: OnceLock<Compiled> = OnceLock::new();
    put(data, || COMPILED.get_or_init(|| compile(GUESTS.map(guest))));
}

/// Puts the compiled engine of scripts into a data folder that has no cache yet.
pub fn put_engine(data: &Path) {
    static COMPILED: OnceLock<Compiled> = OnceLock::new();
    put(data, || COMPILED.get_or_init(|| compile([workflow("return 1;").bytes()])));
}

fn compile(programs: impl IntoIterator<Item = Vec<u8>>) -> Compiled {
    let folder = TempDir::new().unwrap();
    let host = Host::builder(folder.path()).open().unwrap();
    programs.into_iter().for_each(|program| drop(host.load(program).unwrap()));
    let files = fs::read_dir(folder.path().join(CACHE)).unwrap().map(|file| file.unwrap());
    files.map(|file| (file.file_name(), fs::read(file.path()).unwrap())).collect()
}

fn put(data: &Path, compiled: impl FnOnce() -> &'static Compiled) {
    let cache = data.join(CACHE);
    if cache.exists() {
        return;
    }
    DirBuilder::new().recursive(true).mode(0o700).create(&cache).unwrap();
    for (name, content) in compiled() {
        let mut file =
            File::options().write(true).create_new(true).mode(0o600).open(cache.join(name)).unwrap();
        file.write_all(content).unwrap();
    }
}
