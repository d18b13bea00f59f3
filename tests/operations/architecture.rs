//! The shape of the sources: which module may know which, and how long files and functions are.

use crate::support;
use crate::support::sources::{Crate, files, product};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// The modules of the engine from the ground up. A module may know those before it in the list, and none after it.
const ENGINE: [&str; 21] = [
    "storage",
    "clock",
    "ids",
    "text_limits",
    "process",
    "unix_connections",
    "limits",
    "access",
    "trust",
    "capability",
    "issuer",
    "error",
    "history",
    "runtime",
    "drive",
    "instances",
    "schedule",
    "approvals",
    "api",
    "control",
    "builder",
];

/// The module behind a name that the engine's root gives out.
const ROOT: [(&str, &str); 14] = [
    ("StoreLocation", "storage"),
    ("StoreUrl", "storage"),
    ("Error", "error"),
    ("Host", "runtime"),
    ("Builder", "builder"),
    ("Clock", "clock"),
    ("SystemClock", "clock"),
    ("SignOutcome", "approvals"),
    ("Waiting", "runtime"),
    ("Workflow", "instances"),
    ("Start", "instances"),
    ("ReadOnlyHost", "api"),
    ("random_bytes", "ids"),
    ("TooLong", "text_limits"),
];

/// The longest file of a crate, in lines of code.
const FILE: usize = 400;

/// The longest function, in lines.
const FUNCTION: usize = 70;

/// Words that stand in for the subject of a sentence. Comments name it instead.
const UNNAMED_SUBJECTS: [&str; 3] = ["whoever", "somebody", "nobody"];

#[test]
fn comments_name_their_subjects() {
    let root = support::root();
    let mut found = Vec::new();
    for file in ["crates", "host", "tests"].into_iter().flat_map(|folder| files(&root.join(folder))) {
        let text = fs::read_to_string(&file).unwrap();
        let comments = (1..).zip(text.lines()).filter(|(_, line)| line.trim_start().starts_with("//"));
        for (number, line) in comments {
            let mut words = line.split(|c: char| !c.is_alphabetic()).map(str::to_lowercase);
            if words.any(|word| UNNAMED_SUBJECTS.contains(&word.as_str())) {
                found.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "name the subject, such as \"the caller\": {found:#?}");
}

#[test]
fn no_module_of_the_engine_knows_one_above_it() {
    let root = support::root().join("crates/engine/src");
    let place = |name: &str| ENGINE.iter().position(|module| *module == name);
    let mut upwards = BTreeSet::new();
    for file in files(&root) {
        let inside = file.strip_prefix(&root).unwrap();
        let module = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = module.trim_end_matches(".rs").to_owned();
        if module == "lib" {
            continue;
        }
        let from = place(&module).unwrap_or_else(|| panic!("{module} is in no order: add it to this list"));
        for name in known_to(&product(&file)) {
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
fn the_architecture_describes_every_module_of_the_engine() {
    let text = fs::read_to_string(support::root().join("docs/architecture.md")).unwrap();
    let (_, rest) = text.split_once("| Module | For |").unwrap();
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2));
    assert_eq!(names.collect::<BTreeSet<_>>(), BTreeSet::from(ENGINE));
    let place = |name| ENGINE.iter().position(|module| *module == name);
    let arrows = text.lines().find_map(|line| line.strip_prefix("engine: ")).unwrap();
    let levels = arrows.split(" ─► ").map(|level| level.split(", ").map(place).collect::<Option<Vec<_>>>());
    let levels: Vec<_> = levels.map(|level| level.expect("a module of the engine")).collect();
    for pair in levels.windows(2) {
        assert!(pair[0].iter().min() > pair[1].iter().max(), "an arrow leads upwards: {arrows}");
    }
}

#[test]
fn files_and_functions_fit_on_a_few_screens() {
    let root = support::root();
    let mut long = BTreeMap::new();
    for file in files(&root.join("crates")).into_iter().chain(files(&root.join("host/src"))) {
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        if !name.contains("/src/") {
            continue;
        }
        let text = product(&file);
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

#[test]
fn no_modules_know_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for (name, folder) in crates() {
        let cycles = Crate::read(&folder.join("src")).cycles();
        circles
            .extend(cycles.into_iter().map(|(parent, circle)| format!("{name}, in {parent:?}: {circle:?}")));
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

/// The arrows between crates are those in the map.
#[test]
fn crates_know_those_that_the_map_says() {
    let map = fs::read_to_string(support::root().join("docs/map.md")).unwrap();
    let names =
        |names: &str| names.split(", ").filter(|name| *name != "nothing").map(str::to_owned).collect();
    let lines = map.lines().filter_map(|line| line.strip_prefix("- ")?.split_once(" → "));
    let said: BTreeMap<String, BTreeSet<String>> =
        lines.map(|(name, known)| (name.to_owned(), names(known))).collect();
    let all: BTreeSet<String> = crates().into_iter().map(|(name, _)| name).collect();
    let known = |folder: &PathBuf| -> BTreeSet<String> {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let (_, rest) = manifest.split_once("[dependencies]\n").unwrap();
        let lines = rest.lines().take_while(|line| !line.starts_with('['));
        let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next());
        names.filter(|name| all.contains(*name)).map(str::to_owned).collect()
    };
    let are: BTreeMap<_, _> = crates().iter().map(|(name, folder)| (name.clone(), known(folder))).collect();
    assert_eq!(are, said, "left: the manifests, right: docs/map.md");
}

/// Public types of one name, and why: no reader meets both without their crates' names.
const NAMESAKES: [(&str, &str); 14] = [
    ("Answer", "policy: allow, ask or deny; store: what a read is answered with, later"),
    (
        "Artifact",
        "receipt: the signed envelope; workflow: bytes to act with; policy: what a rule sees of them",
    ),
    ("Call", "workflow: the number; engine::history: the call with all that became of it"),
    ("DeciderKey", "receipt: the public key on record; signer: the private key, wherever it is"),
    ("Event", "workflow: one in the journal; sandbox: what an instance is started with"),
    ("InvalidValue", "engine::limits and policy each name their own grammar"),
    ("Kind", "sandbox::script: of a module; signer: of a key"),
    ("Limits", "workflow: of a workflow; engine::limits: of a tenant, with those in it"),
    ("Mismatch", "policy: why a rule does not match; receipt: what a statement differs in"),
    ("PublicKey", "signer knows no receipts, receipt knows no key files"),
    ("PublicKeyError", "as PublicKey"),
    ("Quorum", "policy: what is asked for; receipt: what is committed to"),
    ("SignError", "signer knows no receipts, receipt knows no key files"),
    ("Start", "workflow: of an operation; engine: of an instance"),
];

#[test]
fn a_public_type_has_a_name_of_its_own() {
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, folder) in crates() {
        for file in files(&folder.join("src")) {
            for line in product(&file).lines() {
                let mut words = line.split_whitespace();
                let is_type = words.next() == Some("pub")
                    && matches!(words.next(), Some("struct" | "enum" | "trait" | "type" | "union"));
                let of = words.next().and_then(|word| word.split(|c: char| !c.is_alphanumeric()).next());
                let of = of.filter(|of| !of.is_empty());
                if let (true, Some(of)) = (is_type, of) {
                    let file = file.strip_prefix(&folder).unwrap().display();
                    places.entry(of.to_owned()).or_default().insert(format!("{name}/{file}"));
                }
            }
        }
    }
    let twice: BTreeMap<_, _> = places.into_iter().filter(|(_, places)| places.len() > 1).collect();
    let unstated: BTreeMap<_, _> =
        twice.iter().filter(|(of, _)| NAMESAKES.iter().all(|(name, _)| name != of)).collect();
    assert!(unstated.is_empty(), "{unstated:#?}");
    let gone: Vec<_> = NAMESAKES.iter().filter(|(name, _)| !twice.contains_key(*name)).collect();
    assert!(gone.is_empty(), "no longer twice: {gone:?}");
}

/// The crates of the program, with their folders.
fn crates() -> Vec<(String, PathBuf)> {
    let root = support::root();
    let mut found = vec![("host".to_owned(), root.join("host"))];
    for entry in fs::read_dir(root.join("crates")).unwrap() {
        let path = entry.unwrap().path();
        if path.join("Cargo.toml").exists() {
            found.push((path.file_name().unwrap().to_str().unwrap().to_owned(), path));
        }
    }
    found
}

/// The names that a file's code uses of its own crate: the first word after `crate::`.
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
