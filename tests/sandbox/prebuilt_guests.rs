//! The prebuilt guests match their sources.

use crate::support;
use receipt::Digest;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const MEND: &str = "run guests/build.sh and commit what it changes";

#[test]
fn every_source_and_every_guest_is_as_it_was_when_the_guests_were_built() {
    let root = support::root();
    let lock = fs::read_to_string(root.join("tests/guests/guests.lock")).unwrap();
    let locked: BTreeMap<&str, &str> =
        lock.lines().filter_map(|line| line.split_once("  ")).map(|(sum, path)| (path, sum)).collect();
    let mut found = BTreeMap::new();
    for folder in ["wit", "guests", "guest-tenant-workflow", "tests/guests"] {
        collect(&root, &root.join(folder), &mut found);
    }
    for (path, sum) in &found {
        assert_eq!(
            locked.get(path.as_str()).copied(),
            Some(sum.as_str()),
            "{path} is not what the guests were built from: {MEND}"
        );
    }
    for path in locked.keys() {
        assert!(found.contains_key(*path), "{path} is gone: {MEND}");
    }
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            // The engine of scripts has a lock of its own.
            if name != "target" && name != "js-engine" {
                collect(root, &path, found);
            }
        } else if name == "Cargo.toml" || [".rs", ".wit", ".wasm"].iter().any(|ending| name.ends_with(ending))
        {
            let digest = Digest::of(&fs::read(&path).unwrap()).to_string();
            found.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), digest);
        }
    }
}
