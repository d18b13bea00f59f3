//! `docs/policy.md`: each policy on the page is read, and each question of its table is asked.

use crate::common::{Asked, approver, artifact, asked, rules};
use policy::{Artifact, Novelty, Policy};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/policy.md"));

/// Every block of this language, and the rows of the first table with rulings that follows it before the next block.
fn examples(language: &str) -> Vec<(String, Vec<(Asked, String)>)> {
    let fence = format!("```{language}\n");
    let blocks = PAGE.split(&fence).skip(1).map(|rest| {
        let (text, rest) = rest.split_once("```").unwrap();
        let until_next = rest.split("```").next().unwrap();
        (text.to_owned(), questions(until_next))
    });
    blocks.collect()
}

fn questions(text: &str) -> Vec<(Asked, String)> {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut lines = text.lines().skip_while(|line| !line.ends_with("| ruling |"));
    let Some(head) = lines.next().map(cells) else { return Vec::new() };
    let rows = lines.skip(1).take_while(|line| line.starts_with('|')).map(cells);
    rows.map(|row| {
        let ruling = row[row.len() - 2].clone();
        let facts = head.iter().zip(&row).skip(1).take(row.len() - 3);
        (facts.fold(asked(), |asked, (key, cell)| with(asked, key, cell)), ruling)
    })
    .collect()
}

fn with(asked: Asked, key: &str, cell: &str) -> Asked {
    match key {
        "tenant" => Asked { tenant: cell.parse().unwrap(), ..asked },
        "capability" => Asked { capability: cell.to_owned(), ..asked },
        "resource" => Asked { resource: cell.to_owned(), ..asked },
        "environment" => Asked { environment: cell.parse().unwrap(), ..asked },
        "artifact" => Asked { artifact: bytes(cell), ..asked },
        "component" => Asked { component: novelty(cell), ..asked },
        "approved by" => {
            let people = cell.split(", ").filter(|person| !person.is_empty()).map(|person| {
                let (name, role) = person.split_once(' ').unwrap_or((person, "()"));
                let role = role.trim_matches(['(', ')']);
                approver(name, if role.is_empty() { &[] } else { std::slice::from_ref(&role) })
            });
            asked.with(people.collect())
        }
        other => panic!("the page asks about {other:?}"),
    }
}

fn bytes(cell: &str) -> Option<Artifact> {
    let (seen, size) = cell.split_once(", ")?;
    let (number, unit) = size.split_once(' ').unwrap();
    let shift = match unit {
        "KiB" => 10,
        "MiB" => 20,
        other => panic!("the page has a size in {other:?}"),
    };
    Some(artifact(number.parse::<u64>().unwrap() << shift, novelty(seen)))
}

fn novelty(cell: &str) -> Novelty {
    match cell {
        "known" => Novelty::Known,
        "new" => Novelty::New,
        other => panic!("{other:?} is neither known nor new"),
    }
}

fn check(language: &str, parse: fn(&str) -> Box<dyn Policy>, count: usize) {
    let mut answered = 0;
    for (text, questions) in examples(language) {
        let policy = parse(&text);
        assert!(!questions.is_empty(), "nothing is asked of\n{text}");
        assert_eq!(policy.warnings(), [], "{text}");
        for (asked, ruling) in questions {
            assert_eq!(rules(policy.as_ref(), &asked), ruling, "{asked:?}\n{text}");
            answered += 1;
        }
    }
    assert_eq!(answered, count, "questions on the page");
}

#[test]
fn the_examples_in_toml_answer_as_the_page_says() {
    check("toml", |text| Box::new(crate::common::toml(text)), 18);
}

#[cfg(feature = "cedar")]
#[test]
fn the_examples_in_cedar_answer_as_the_page_says() {
    check("cedar", |text| Box::new(policy::Cedar::parse(text).unwrap()), 9);
}

#[test]
fn the_page_names_every_key() {
    for key in ["id", "tenant", "actor", "capability", "resource", "environment", "artifact"]
        .into_iter()
        .chain(["artifact-bytes-at-most", "artifact-bytes-over", "component", "then", "role", "approvals"])
        .chain(["denials", "expires", "keys", "message", "[default]"])
    {
        assert!(PAGE.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn the_page_has_the_schema() {
    let source = include_str!("../src/cedar/facts.rs");
    let schema = PAGE.split("```cedarschema\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(source.contains(schema), "docs/policy.md has another schema than policies are checked against");
}
