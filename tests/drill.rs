//! The attack suite that ships with the host holds, and the threat model says what is in it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use host::drill::Drill;

#[test]
fn every_attack_is_refused_as_it_has_to_be() {
    let drill = Drill::new();
    let attacks = host::drill::attacks();
    let broken: Vec<_> = attacks
        .iter()
        .filter_map(|attack| {
            let verdict = drill.run(attack);
            (!verdict.held()).then(|| format!("{}: {}", attack.name(), workflow::Escaped(verdict.said())))
        })
        .collect();
    assert!(broken.is_empty(), "{} of {} went through:\n{}", broken.len(), attacks.len(), broken.join("\n"));
}
