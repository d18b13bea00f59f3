//! `docs/threat-model.md` names tests and attacks that exist.

use crate::support;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The text of every Rust file, by the file's name; of a `mod.rs`, by its folder's.
type Sources = BTreeMap<String, String>;

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let (sources, prose) = (sources(), prose());
    let names = prose.split('`').skip(1).step_by(2);
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:*".contains(c);
    let names: Vec<&str> = names.filter(|name| name.contains('_') && name.chars().all(is_word)).collect();
    assert!(!names.is_empty());
    let gone: Vec<_> = names.into_iter().filter(|name| !is_there(name, &sources)).collect();
    assert!(gone.is_empty(), "docs/threat-model.md names what is not there: {gone:#?}");
}

/// The last cell of a row names tests, attacks of the suite, files, and commands.
#[test]
fn every_name_in_the_column_of_tests_is_there() {
    let (sources, prose) = (sources(), prose());
    let attacks: Vec<_> = drill::attacks().iter().map(|attack| attack.name().to_owned()).collect();
    let is_attack = |name: &str| match name.strip_suffix('*') {
        Some(prefix) => attacks.iter().any(|attack| attack.starts_with(prefix)),
        None => attacks.iter().any(|attack| attack == name),
    };
    let is_named = |name: &str| {
        name.starts_with("cargo ")
            || support::root().join(name).is_file()
            || is_attack(name)
            || is_there(name, &sources)
    };
    let cells = prose
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.trim_end().strip_suffix('|')?.rsplit('|').next());
    let names: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 200, "{} names", names.len());
    let gone: Vec<_> = names.into_iter().filter(|name| !is_named(name)).collect();
    assert!(gone.is_empty(), "docs/threat-model.md names what is not there: {gone:#?}");
}

/// The page before the table of attacks, which a test of its own compares with the suite.
fn prose() -> String {
    let page = fs::read_to_string(support::root().join("docs/threat-model.md")).unwrap();
    page.split_once("<!-- drill: begin -->").unwrap().0.to_owned()
}

fn sources() -> Sources {
    let mut sources = Sources::new();
    for folder in fs::read_dir(support::root()).unwrap().map(|entry| entry.unwrap().path()) {
        let hidden = folder.file_name().unwrap().to_str().is_some_and(|name| name.starts_with('.'));
        if folder.is_dir() && !hidden && !folder.ends_with("target") {
            collect(&folder, &mut sources);
        }
    }
    sources
}

/// `function`, `file::function`, `file`, or `folder::file`; a star stands for the rest of a function's name.
fn is_there(name: &str, sources: &Sources) -> bool {
    let (file, function) = name.rsplit_once("::").map_or((None, name), |(file, name)| (Some(file), name));
    let definition = match function.strip_suffix('*') {
        Some(prefix) => format!("fn {prefix}"),
        None => format!("fn {function}("),
    };
    let has = |text: &String| text.contains(&definition);
    match file.and_then(|file| file.rsplit("::").next()) {
        Some(file) => {
            sources.get(file).is_some_and(has) || sources.contains_key(file) && sources.contains_key(function)
        }
        None => sources.contains_key(function) || sources.values().any(has),
    }
}

fn collect(folder: &Path, sources: &mut Sources) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, sources);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let named = if path.ends_with("mod.rs") { folder } else { &path };
            let name = named.file_stem().unwrap().to_string_lossy().into_owned();
            sources.entry(name).or_default().push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
