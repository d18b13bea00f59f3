//! `docs/workflows.md` shows the code that these tests run.

use crate::support;
use crate::support::cli;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use workflow::StepConfig;

fn page() -> String {
    fs::read_to_string(support::root().join("docs/workflows.md")).unwrap()
}

/// The pieces of Rust on the page.
fn shown(page: &str) -> Vec<&str> {
    let blocks = page.split("```rust\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap()).collect()
}

/// A function's name in a piece of code.
fn functions(code: &str) -> impl Iterator<Item = &str> {
    code.split("pub(crate) fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next())
}

#[test]
fn the_page_shows_every_example_as_it_is() {
    let page = page();
    let examples = fs::read_to_string(support::root().join("guests/durable/src/examples.rs")).unwrap();
    let shown = shown(&page);
    for code in &shown {
        assert!(examples.contains(code), "not in guests/durable/src/examples.rs:\n{code}");
    }
    // Helper functions of an example are shown with it.
    let named: BTreeSet<_> = shown.iter().flat_map(|code| functions(code)).collect();
    let all: BTreeSet<_> = functions(&examples).collect();
    assert_eq!(named, all, "the page leaves out an example");
}

/// The page has the name of every example, with which the guest runs it.
#[test]
fn the_page_names_every_example() {
    let guest = fs::read_to_string(support::root().join("guests/durable/src/lib.rs")).unwrap();
    let named =
        guest.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => examples::"));
    let names: Vec<_> = named.map(|(name, _)| name).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(page().contains(&format!("Example `{name}`")), "{name}");
    }
}

/// The page's limits equal those of `pp-host limits`.
#[test]
fn the_page_has_the_limits_as_they_are() {
    let page = page();
    let (_, table) = page.split_once("<!-- limits: begin -->\n").unwrap();
    let (table, _) = table.split_once("<!-- limits: end -->").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 14, "limits");
    let data = tempfile::TempDir::new().unwrap();
    let listed = cli::run(data.path(), &["limits"]).stdout;
    let limits: BTreeMap<&str, String> = listed.lines().filter_map(limit).collect();
    for row in rows {
        assert_eq!(limits.get(row[1].trim_matches('`')).map(String::as_str), Some(row[2]), "{}", row[1]);
    }
}

/// `name   value  default`; what follows it is further in.
fn limit(line: &str) -> Option<(&str, String)> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [name, value @ .., _] = &words[..] else { return None };
    (!line.starts_with(' ')).then(|| (*name, value.join(" ")))
}

#[test]
fn the_page_has_the_defaults_as_they_are() {
    let StepConfig { retries, delay_ms, backoff, timeout_ms } = StepConfig::default();
    let defaults = format!(
        "{retries} retries, {} s apart and {backoff:?}, {} min an attempt",
        delay_ms / 1_000,
        timeout_ms / 60_000
    );
    assert!(page().contains(&defaults.to_lowercase()), "{}", defaults.to_lowercase());
}
