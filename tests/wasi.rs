//! WASI as guests with a standard library have it: every call that is linked is tried, by an attack that ships with the host.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

/// The packages of which something is linked.
const PACKAGES: [&str; 5] = ["cli", "clocks", "filesystem", "io", "random"];

/// What the world of a command has beside the interfaces that are linked, and no import of ours may be.
const NOT_LINKED: [&str; 2] = ["wasi:cli/run", "wasi:clocks/timezone"];

/// The definitions that the runtime's bindings are made of.
fn definitions() -> PathBuf {
    let arguments = ["metadata", "--locked", "--offline", "--format-version", "1"];
    let ran = Command::new(env!("CARGO")).current_dir(support::root()).args(arguments).output().unwrap();
    let metadata: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let wasi = packages.iter().find(|package| package["name"] == "wasmtime-wasi").unwrap();
    Path::new(wasi["manifest_path"].as_str().unwrap()).with_file_name("src/p2/wit/deps")
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

/// Every function of WASI that a guest imports, in the same form. What it imports it calls: its toolchain leaves out the rest.
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
    let folder = definitions();
    let all: BTreeSet<String> = PACKAGES
        .iter()
        .flat_map(|package| {
            defined(package, &fs::read_to_string(folder.join(format!("{package}.wit"))).unwrap())
        })
        .filter(|function| NOT_LINKED.iter().all(|interface| !function.starts_with(&format!("{interface}#"))))
        .collect();
    assert!(all.len() > 60, "{all:#?}");
    let tried = imported("hostile");
    let untried: Vec<_> = all.difference(&tried).collect();
    assert!(untried.is_empty(), "no attack calls {untried:#?}");
}

/// Whatever a call is named after, its attack is in the suite.
#[test]
fn every_call_on_a_file_is_an_attack_of_the_suite() {
    let names: BTreeSet<_> = drill::attacks().iter().map(|attack| attack.name()).collect();
    let text = fs::read_to_string(definitions().join("filesystem.wit")).unwrap();
    for function in defined("filesystem", &text) {
        let (interface, call) = function.split_once('#').unwrap();
        let call = if call == "filesystem-error-code" { "error-code" } else { call };
        if interface == "wasi:filesystem/types" {
            assert!(names.contains(format!("wasi-file-{call}").as_str()), "{function}");
        }
    }
}
