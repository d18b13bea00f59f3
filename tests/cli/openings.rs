//! The number of times that one command opens a data folder, as the system counts it.

use crate::support::cli::{lines, run};
use crate::support::worker::{decider, submit, succeeds};
use rustix::fs::inotify;
use std::mem::MaybeUninit;
use std::path::Path;
use tempfile::TempDir;

/// The number of times that a file is opened while `done` runs.
fn openings(file: &Path, done: impl FnOnce()) -> usize {
    use inotify::WatchFlags;
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    // Of equal events in a row there is one: the closings keep the openings apart.
    let both = WatchFlags::OPEN | WatchFlags::CLOSE_WRITE | WatchFlags::CLOSE_NOWRITE;
    inotify::add_watch(&watch, file, both).unwrap();
    done();
    let mut buffer = [MaybeUninit::uninit(); 1 << 14];
    let mut events = inotify::Reader::new(&watch, &mut buffer);
    std::iter::from_fn(|| events.next().ok().map(|event| event.events()))
        .filter(|events| events.contains(inotify::ReadFlags::OPEN))
        .count()
}

/// A folder in which alice decides, and a request waits.
fn waiting() -> (TempDir, String, String) {
    let data = TempDir::new().unwrap();
    let key = decider(data.path(), "alice");
    let instance = submit(data.path(), "tenant-workflow", &[]);
    assert_eq!(run(data.path(), &["drive", &instance]).code, Some(3));
    let listed = lines(&succeeds(data.path(), &["approvals", "--json"]));
    let request = listed[0]["request"].as_str().unwrap().to_owned();
    (data, key, request)
}

/// Approving needs a statement, the request's text, the decider's keys and the signed envelope: all through one
/// opening.
#[test]
fn a_decision_opens_the_folder_and_the_runtime_once() {
    for (file, once) in [("lock", Some(1)), ("cache/key", None)] {
        let (data, key, request) = waiting();
        let file = data.path().join(file);
        let freeze = || drop(succeeds(data.path(), &["freeze", "--tenant", "local", "--reason", "r"]));
        // A command that does one thing.
        let one = openings(&file, freeze);
        assert!(once.is_none_or(|once| once == one) && one > 0, "{one}");
        drop(succeeds(data.path(), &["thaw", "--tenant", "local", "--reason", "r"]));
        let opened = openings(&file, || {
            drop(succeeds(data.path(), &["approve", &request, "--as", "alice", "--key", &key]));
        });
        assert_eq!(opened, one, "{}", file.display());
    }
}
