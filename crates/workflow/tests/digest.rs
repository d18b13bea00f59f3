//! Change any one part of an action and its digest changes.

use crate::common::action;
use crate::strategies::text;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use receipt::Digest;
use std::collections::BTreeMap;
use workflow::{Action, Artifact};

/// Few letters, so that two random texts are often the same or shifted.
fn short() -> impl Strategy<Value = String> {
    prop_oneof!["[ab\"\\\\,:{}]{0,3}", text()]
}

fn any_action() -> impl Strategy<Value = Action> {
    let artifact = (short(), vec(0_u8..3, 0..3)).prop_map(|(name, bytes)| Artifact::new(name, bytes));
    (short(), short(), short(), short(), option::of(artifact)).prop_map(
        |(capability, resource, reason, evidence, artifact)| Action {
            capability,
            resource,
            reason,
            evidence,
            artifact,
        },
    )
}

/// `action` with one part changed.
fn changed(action: &Action, part: usize, text: String, bytes: Vec<u8>) -> Action {
    let mut changed = action.clone();
    let facts = action.artifact.as_ref().map(|artifact| artifact.facts().name.clone());
    match part {
        0 => changed.capability = text,
        1 => changed.resource = text,
        2 => changed.reason = text,
        3 => changed.evidence = text,
        4 => changed.artifact = None,
        5 => {
            let bytes = action.artifact.as_ref().map_or(bytes, |artifact| artifact.bytes().to_vec());
            changed.artifact = Some(Artifact::new(text, bytes));
        }
        _ => changed.artifact = Some(Artifact::new(facts.unwrap_or_default(), bytes)),
    }
    changed
}

proptest! {
    #[test]
    fn changing_any_one_part_changes_the_digest(
        action in any_action(), part in 0_usize..7, text in short(), bytes in vec(0_u8..3, 0..3),
    ) {
        let changed = changed(&action, part, text, bytes);
        prop_assert_eq!(changed.digest() == action.digest(), changed == action, "{:?}\n{:?}", changed, action);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn two_actions_share_a_digest_only_if_they_are_the_same(actions in vec(any_action(), 20)) {
        let mut known: BTreeMap<Digest, Action> = BTreeMap::new();
        for action in actions {
            let digest = action.digest();
            if let Some(other) = known.insert(digest, action.clone()) {
                prop_assert_eq!(other, action);
            }
        }
    }
}

#[test]
fn every_part_of_an_action_counts() {
    let digest = action().digest();
    let text = "something else".to_owned();
    for part in 0..7 {
        let changed = changed(&action(), part, text.clone(), vec![1]);
        assert_ne!(changed.digest(), digest, "part {part}");
    }
}

#[test]
fn what_stands_in_one_part_does_not_pass_for_another() {
    let one = Action { capability: "a.b".to_owned(), resource: "c".to_owned(), ..action() };
    let shifted = Action { capability: "a".to_owned(), resource: ".bc".to_owned(), ..action() };
    let swapped = Action { capability: "c".to_owned(), resource: "a.b".to_owned(), ..action() };
    assert_ne!(one.digest(), shifted.digest());
    assert_ne!(one.digest(), swapped.digest());
}

/// A journal from an earlier version is recognised by this digest.
#[test]
fn the_digest_of_an_action_stays_what_it_is() {
    assert_eq!(
        action().digest().to_string(),
        "2bfacfeb347caf6cf9cc0c2a08643ef54106221466b622582e3d5f2459aedf13"
    );
}
