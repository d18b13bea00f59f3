//! WASI as guests with a standard library see it: an attack that ships with the host tries every linked call.

use crate::support;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

/// The packages of which some interface is linked.
const PACKAGES: [&str; 5] = ["cli", "clocks", "filesystem", "io", "random"];

/// Imports of a command's world that are not linked, and that no import of ours may be.
const NOT_LINKED: [&str; 2] = ["wasi:cli/run", "wasi:clocks/timezone"];

/// The version of `wasmtime-wasi` that the list is of, and every function that its definitions of [`PACKAGES`] have.
///
/// The list is a fixture because the definitions are in cargo's cache, which a test cannot rely on.
fn listed() -> (String, BTreeSet<String>) {
    let list = fs::read_to_string(support::root().join("tests/fixtures/wasi-p2.txt")).unwrap();
    let (version, functions) = list.split_once('\n').unwrap();
    (version.to_owned(), functions.lines().map(ToOwned::to_owned).collect())
}

/// The list according to the definitions from which the runtime's bindings are generated.
fn list_from_source() -> String {
    let metadata = support::cargo(&["metadata", "--locked", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let wasi = packages.iter().find(|package| package["name"] == "wasmtime-wasi").unwrap();
    let folder = Path::new(wasi["manifest_path"].as_str().unwrap()).with_file_name("src/p2/wit/deps");
    let text = |package: &str| fs::read_to_string(folder.join(format!("{package}.wit"))).unwrap();
    let functions: BTreeSet<_> =
        PACKAGES.iter().flat_map(|package| defined(package, &text(package))).collect();
    let version = wasi["version"].as_str().unwrap();
    let lines = functions.iter().fold(String::new(), |lines, function| lines + function + "\n");
    format!("wasmtime-wasi {version}\n{lines}")
}

#[test]
#[ignore = "cargo may have to download what it looks at"]
fn the_list_is_what_the_runtime_defines() {
    let list = fs::read_to_string(support::root().join("tests/fixtures/wasi-p2.txt")).unwrap();
    let source = list_from_source();
    assert!(list == source, "tests/fixtures/wasi-p2.txt is of another version. It has to be:\n{source}");
}

#[test]
fn the_list_is_of_the_version_in_use() {
    let lock = fs::read_to_string(support::root().join("Cargo.lock")).unwrap();
    let (_, locked) = lock.split_once("name = \"wasmtime-wasi\"\nversion = \"").unwrap();
    let (locked, _) = locked.split_once('"').unwrap();
    let command = "cargo test -p host --test it the_list_is_what_the_runtime_defines -- --ignored";
    assert_eq!(listed().0, format!("wasmtime-wasi {locked}"), "`{command}` prints the list of this version");
}

/// Every stable function of a package, as `wasi:cli/exit#exit`, without the names of the resources that they belong to.
fn defined(package: &str, text: &str) -> BTreeSet<String> {
    let (mut found, mut interface, mut stable) = (BTreeSet::new(), String::new(), true);
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        if let Some(name) = line.strip_prefix("interface ") {
            interface = format!("wasi:{package}/{}", name.trim_end_matches(" {"));
        } else if line.starts_with("@unstable") {
            stable = false;
        } else if let Some((name, rest)) = line.split_once(": ")
            && (rest.starts_with("func(") || rest.starts_with("static func("))
        {
            let _ = stable.then(|| found.insert(format!("{interface}#{name}")));
            stable = true;
        } else if line.ends_with('{') || line.ends_with(';') {
            stable = true;
        }
    }
    found
}

/// Every function of WASI that a guest imports, in the same form. It calls all of its imports: its toolchain leaves out
/// the others.
fn imported(guest: &str) -> BTreeSet<String> {
    let engine = Engine::default();
    let component = Component::new(&engine, support::guest(guest)).unwrap();
    let shape = component.component_type();
    let mut found = BTreeSet::new();
    for (name, item) in shape.imports(&engine) {
        let (ComponentItem::ComponentInstance(instance), Some((interface, _))) =
            (item.ty, name.split_once('@'))
        else {
            continue;
        };
        for (function, item) in instance.exports(&engine) {
            if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                let plain = function.rsplit_once('.').map_or(function, |(_, plain)| plain);
                found.insert(format!("{interface}#{plain}"));
            }
        }
    }
    found
}

#[test]
fn every_call_that_a_guest_can_have_is_tried_by_one() {
    let is_linked =
        |function: &&String| NOT_LINKED.iter().all(|name| !function.starts_with(&format!("{name}#")));
    let (_, all) = listed();
    let tried = imported("hostile");
    let untried: Vec<_> =
        all.iter().filter(is_linked).filter(|function| !tried.contains(*function)).collect();
    assert!(untried.is_empty(), "no attack calls {untried:#?}");
}

/// Every call on a file has its attack in the suite.
#[test]
fn every_call_on_a_file_is_an_attack_of_the_suite() {
    let names: BTreeSet<_> = drill::attacks().iter().map(|attack| attack.name()).collect();
    let (_, all) = listed();
    let calls: Vec<_> =
        all.iter().filter_map(|function| function.strip_prefix("wasi:filesystem/types#")).collect();
    assert!(!calls.is_empty(), "{all:?}");
    for call in calls {
        let call = if call == "filesystem-error-code" { "error-code" } else { call };
        assert!(names.contains(format!("wasi-file-{call}").as_str()), "{call}");
    }
}
