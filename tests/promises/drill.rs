//! The attack suite that ships with the host holds, and the threat model lists its attacks.

use crate::promises::suite;
use crate::support;
use crate::support::cli;
use std::collections::BTreeSet;
use tempfile::TempDir;

#[test]
fn every_attack_is_refused_as_it_has_to_be() {
    let verdicts = suite::verdicts();
    let broken = verdicts.iter().filter(|(_, verdict)| !verdict.held());
    let broken: Vec<_> =
        broken.map(|(name, verdict)| format!("{name}: {}", workflow::Escaped(verdict.message()))).collect();
    assert!(broken.is_empty(), "{} of {} went through:\n{}", broken.len(), verdicts.len(), broken.join("\n"));
}

#[test]
fn the_threat_model_has_the_suite_as_it_is() {
    let path = support::root().join("docs/threat-model.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (_, after) = page.split_once("<!-- drill: begin -->\n\n").unwrap();
    let (table, _) = after.split_once("\n<!-- drill: end -->").unwrap();
    assert!(
        table == drill::table(),
        "docs/threat-model.md has another table than the suite: put the output of `pp-host drill --table` between its markers"
    );
}

/// Every page that states the number of attacks states the right one.
#[test]
fn the_pages_have_the_number_of_attacks() {
    let root = support::root();
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|file| file.unwrap().path());
    let pages = docs.chain([root.join("README.md"), root.join("CHANGELOG.md")]);
    let mut said = 0;
    for page in pages.filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = std::fs::read_to_string(&page).unwrap();
        let words: Vec<&str> = text.split_whitespace().collect();
        for pair in words.windows(2).filter(|pair| pair[1].starts_with("attacks")) {
            if let Ok(number) = pair[0].parse::<usize>() {
                assert_eq!(number, drill::attacks().len(), "{}", page.display());
                said += 1;
            }
        }
    }
    assert_eq!(said, 2, "places that say it");
}

#[test]
fn every_attack_has_a_name_of_its_own_and_every_file_is_an_attack() {
    let attacks = drill::attacks();
    let names: BTreeSet<_> = attacks.iter().map(|attack| attack.name().to_owned()).collect();
    assert_eq!(names.len(), attacks.len());
    for folder in ["load", "raw"] {
        for file in std::fs::read_dir(support::root().join("guests/hostile").join(folder)).unwrap() {
            let name = file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
            assert!(names.contains(&name), "{folder}/{name}.wat is in no attack of the suite");
        }
    }
}

#[test]
fn the_command_prints_a_line_an_attack_and_nothing_that_a_terminal_obeys() {
    let data = TempDir::new().unwrap();
    let ran = cli::run_cold(data.path(), &["drill", "panic-escapes", "print-escapes", "wrong-key"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout.lines().count(), 4, "{}", ran.stdout);
    assert!(ran.stdout.lines().take(3).all(|line| line.starts_with("held ")), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("3 of 3 attacks held\n"), "{}", ran.stdout);
    assert!(!ran.stdout.contains(|character: char| character.is_control() && character != '\n'));
    let json = cli::lines(&cli::run_cold(data.path(), &["drill", "--json", "wrong-key"]).stdout);
    assert_eq!((&json[0]["held"], &json[0]["attack"]), (&true.into(), &"wrong-key".into()));
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "the drill leaves the data folder alone");
}

#[test]
fn an_unknown_attack_is_an_error() {
    let data = TempDir::new().unwrap();
    let ran = cli::run(data.path(), &["drill", "no-such-attack"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("pp-host drill --table"), "{}", ran.stderr);
}
