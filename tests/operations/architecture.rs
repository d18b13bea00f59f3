//! The shape of the sources: which module may know which, and how long files and functions are.

use crate::support;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the engine from the ground up. A module may know those before it in the list, and none after it.
const ENGINE: [&str; 20] = [
    "clock",
    "ids",
    "words",
    "process",
    "limits",
    "access",
    "trust",
    "capability",
    "issuer",
    "error",
    "history",
    "runtime",
    "state",
    "drive",
    "instances",
    "schedule",
    "approvals",
    "api",
    "control",
    "builder",
];

/// The module behind a name that the engine's root gives out.
const ROOT: [(&str, &str); 12] = [
    ("Error", "error"),
    ("Host", "state"),
    ("Builder", "builder"),
    ("Clock", "clock"),
    ("SystemClock", "clock"),
    ("Recorded", "approvals"),
    ("Waiting", "runtime"),
    ("Workflow", "instances"),
    ("Start", "instances"),
    ("ReadOnlyHost", "api"),
    ("random_bytes", "ids"),
    ("TooLong", "words"),
];

/// The longest file of a crate, in lines of code.
const FILE: usize = 400;

/// The longest function, in lines.
const FUNCTION: usize = 70;

#[test]
fn no_module_of_the_engine_knows_one_above_it() {
    let root = support::root().join("crates/engine/src");
    let place = |name: &str| ENGINE.iter().position(|module| *module == name);
    let mut upwards = BTreeSet::new();
    for file in sources(&root) {
        let inside = file.strip_prefix(&root).unwrap();
        let module = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = module.trim_end_matches(".rs").to_owned();
        if module == "lib" {
            continue;
        }
        let from = place(&module).unwrap_or_else(|| panic!("{module} is in no order: add it to this list"));
        for name in known_to(&code(&file)) {
            let name =
                ROOT.iter().find(|(given, _)| *given == name).map_or(name.as_str(), |(_, module)| module);
            if place(name).is_some_and(|to| to > from) {
                upwards.insert(format!("{module} -> {name} ({})", inside.display()));
            }
        }
    }
    assert!(upwards.is_empty(), "{upwards:#?}");
}

#[test]
fn files_and_functions_fit_on_a_few_screens() {
    let root = support::root();
    let mut long = BTreeMap::new();
    for file in sources(&root.join("crates")).into_iter().chain(sources(&root.join("host/src"))) {
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        if !name.contains("/src/") {
            continue;
        }
        let text = code(&file);
        let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
        if lines > FILE {
            long.insert(name.clone(), lines);
        }
        for (function, lines) in functions(&text) {
            if lines > FUNCTION {
                long.insert(format!("{name}: {function}"), lines);
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// What a file's code names of its own crate: the first word after `crate::`.
fn known_to(code: &str) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap(),
            None => rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap(),
        };
        let words = names.split(',').map(|name| name.trim().split("::").next().unwrap().to_owned());
        known.extend(words);
    }
    known
}

/// A file without its comments and its unit tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let product = text.split("\n#[cfg(test)]\n").next().unwrap();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The functions of a formatted file, with their lengths.
fn functions(code: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let is_function = line.split_whitespace().take(5).any(|word| word == "fn") && line.contains('(');
        if !is_function || line.trim_end().ends_with(';') {
            continue;
        }
        let ends = |other: &&str| {
            indent(other) == indent(line) && other.trim_end() == format!("{}}}", " ".repeat(indent(line)))
        };
        if let Some(length) = lines[start..].iter().position(ends) {
            found.push((line.trim().to_owned(), length + 1));
        }
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.ends_with("target") || path.ends_with("fuzz") => {}
            true => found.extend(sources(&path)),
            false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            false => {}
        }
    }
    found
}
