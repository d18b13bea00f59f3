//! Quorum: people are counted, in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::LazyLock;

use crate::common::{at, person, request, statement};
use proptest::prelude::*;
use receipt::{
    DeciderKey, DeciderSet, Decision, DecisionStatement, Digest, Ed25519StatementSigner, Expected, PersonId,
    Quorum, StatementSigner as _, Tally, VerifiedDecision, sign_decision,
};

const PEOPLE: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

fn signer(person: usize, key: u8) -> Ed25519StatementSigner {
    Ed25519StatementSigner::from_seed(&[0x10 * key + u8::try_from(person).unwrap() + 1; 32]).unwrap()
}

/// Five people with two keys each, of whom two have two roles.
static DECIDERS: LazyLock<DeciderSet> = LazyLock::new(|| {
    let mut deciders = DeciderSet::new();
    for (index, name) in PEOPLE.iter().enumerate() {
        let mut entry = person(name, &signer(index, 0));
        let second = signer(index, 1).public_key();
        entry.keys.push(DeciderKey::new(second, at("2026-01-01T00:00:00.000Z")));
        entry.roles.push("audit".parse().unwrap());
        deciders.insert(entry).unwrap();
    }
    deciders
});

/// Person, key, whether they approve, in the role that counts, about the request that counts.
type Says = (usize, u8, bool, bool, bool);

/// Every statement about two requests, signed and verified once.
static SAID: LazyLock<BTreeMap<Says, VerifiedDecision>> = LazyLock::new(|| {
    let bools = [false, true];
    let mut said = BTreeMap::new();
    for (index, name) in PEOPLE.iter().enumerate() {
        for key in [0, 1] {
            for (approve, right_role, right_request) in bools
                .into_iter()
                .flat_map(|a| bools.into_iter().flat_map(move |b| bools.into_iter().map(move |c| (a, b, c))))
            {
                let decision = if approve { Decision::Approved } else { Decision::Denied };
                let mut statement = DecisionStatement {
                    decider: name.parse().unwrap(),
                    role: if right_role { "release" } else { "audit" }.parse().unwrap(),
                    ..statement(&request(), decision)
                };
                if !right_request {
                    statement.matter.request = Digest::of(b"another request");
                }
                let envelope = sign_decision(&statement, &signer(index, key)).unwrap();
                let expected = Expected::about(&statement.matter, statement.decided_at);
                let verified = DECIDERS.verify(&envelope, &expected).unwrap();
                said.insert((index, key, approve, right_role, right_request), verified);
            }
        }
    }
    said
});

fn says(person: usize, key: u8, approve: bool) -> VerifiedDecision {
    SAID[&(person, key, approve, true, true)].clone()
}

fn quorum(approvals: usize, denials: usize, excluded: &[usize]) -> Quorum {
    Quorum {
        role: "release".parse().unwrap(),
        approvals: NonZeroUsize::new(approvals).unwrap(),
        denials: NonZeroUsize::new(denials).unwrap(),
        excluded: excluded.iter().map(|index| PEOPLE[*index].parse().unwrap()).collect(),
    }
}

fn tally(quorum: &Quorum, decisions: &[VerifiedDecision]) -> Tally {
    quorum.tally(receipt::request_digest(&request()), decisions)
}

fn people(indices: &[usize]) -> Vec<PersonId> {
    indices.iter().map(|index| PEOPLE[*index].parse().unwrap()).collect()
}

const fn waiting(have: usize, need: usize) -> Tally {
    Tally::Waiting { have, need }
}

#[test]
fn m_of_n_people_approve() {
    let quorum = quorum(2, 1, &[]);
    assert_eq!(tally(&quorum, &[]), waiting(0, 2));
    assert_eq!(tally(&quorum, &[says(1, 0, true)]), waiting(1, 2));
    assert_eq!(tally(&quorum, &[says(1, 0, true), says(0, 0, true)]), Tally::Approved(people(&[0, 1])));
}

#[test]
fn two_keys_of_one_person_and_a_copied_decision_count_once() {
    let quorum = quorum(2, 2, &[]);
    let same = [says(0, 0, true), says(0, 1, true), says(0, 0, true)];
    assert_eq!(tally(&quorum, &same), waiting(1, 2));
    let same = [says(0, 0, false), says(0, 1, false), says(0, 1, false)];
    assert_eq!(tally(&quorum, &same), waiting(0, 2));
}

#[test]
fn the_excluded_never_count_on_either_side() {
    let quorum = quorum(1, 1, &[0, 1]);
    assert_eq!(tally(&quorum, &[says(0, 0, true), says(1, 0, true)]), waiting(0, 1));
    assert_eq!(tally(&quorum, &[says(0, 0, false), says(2, 0, true)]), Tally::Approved(people(&[2])));
}

#[test]
fn other_roles_and_other_requests_do_not_count() {
    let quorum = quorum(1, 1, &[]);
    for (right_role, right_request) in [(false, true), (true, false), (false, false)] {
        for approve in [true, false] {
            let other = SAID[&(0, 0, approve, right_role, right_request)].clone();
            assert_eq!(tally(&quorum, &[other]), waiting(0, 1));
        }
    }
}

#[test]
fn enough_denials_deny_despite_approvals() {
    let approvals = [says(0, 0, true), says(1, 0, true)];
    let with = |denials: &[usize]| {
        let denials = denials.iter().map(|person| says(*person, 0, false));
        approvals.iter().cloned().chain(denials).collect::<Vec<_>>()
    };
    assert_eq!(tally(&quorum(2, 2, &[]), &with(&[2])), Tally::Approved(people(&[0, 1])));
    assert_eq!(tally(&quorum(2, 2, &[]), &with(&[3, 2])), Tally::Denied(people(&[2, 3])));
}

#[test]
fn a_person_who_approved_and_denied_has_denied() {
    for said in [[says(0, 0, true), says(0, 1, false)], [says(0, 1, false), says(0, 0, true)]] {
        assert_eq!(tally(&quorum(1, 2, &[]), &said), waiting(0, 1));
        assert_eq!(tally(&quorum(1, 1, &[]), &said), Tally::Denied(people(&[0])));
    }
}

/// Any decisions by any person, about either request, in either role.
fn said() -> impl Strategy<Value = Vec<VerifiedDecision>> {
    let one = (0..PEOPLE.len(), 0_u8..2, any::<bool>(), prop::bool::weighted(0.8), prop::bool::weighted(0.8));
    prop::collection::vec(one.prop_map(|key| SAID[&key].clone()), 0..10)
}

fn any_quorum() -> impl Strategy<Value = Quorum> {
    let excluded = prop::collection::vec(0..PEOPLE.len(), 0..3);
    (1_usize..4, 1_usize..4, excluded).prop_map(|(m, d, excluded)| quorum(m, d, &excluded))
}

/// The rule in another form: each person's decision, then a count.
fn by_hand(quorum: &Quorum, said: &[VerifiedDecision]) -> Tally {
    let counted = |person: &str, decision: Decision| {
        said.iter().any(|one| {
            one.person().as_str() == person
                && one.decision() == decision
                && one.role().as_str() == "release"
                && one.statement().matter.request == receipt::request_digest(&request())
        })
    };
    let (mut yes, mut no) = (vec![], vec![]);
    for person in PEOPLE.into_iter().filter(|person| quorum.excluded.iter().all(|id| id.as_str() != *person))
    {
        if counted(person, Decision::Denied) {
            no.push(person.parse().unwrap());
        } else if counted(person, Decision::Approved) {
            yes.push(person.parse().unwrap());
        }
    }
    if no.len() >= quorum.denials.get() {
        Tally::Denied(no)
    } else if yes.len() >= quorum.approvals.get() {
        Tally::Approved(yes)
    } else {
        waiting(yes.len(), quorum.approvals.get())
    }
}

proptest! {
    #[test]
    fn the_rule_is_the_rule_in_any_order(
        quorum in any_quorum(),
        (said, shuffled) in said().prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle())),
    ) {
        let tally = tally(&quorum, &said);
        prop_assert_eq!(&tally, &by_hand(&quorum, &said));
        prop_assert_eq!(&tally, &self::tally(&quorum, &shuffled));
        let twice: Vec<_> = said.iter().chain(&said).cloned().collect();
        prop_assert_eq!(&tally, &self::tally(&quorum, &twice));
    }

    /// One more approval never takes an approval away, and one more denial never adds one.
    #[test]
    fn decisions_are_monotone(quorum in any_quorum(), said in said(), person in 0..PEOPLE.len(), approve: bool) {
        let before = tally(&quorum, &said);
        let mut more = said;
        more.push(says(person, 0, approve));
        let after = tally(&quorum, &more);
        match (&before, approve) {
            (Tally::Denied(_), _) => prop_assert!(matches!(after, Tally::Denied(_))),
            (Tally::Approved(people), true) => {
                let Tally::Approved(now) = after else { panic!("{after:?}") };
                let now: BTreeSet<_> = now.into_iter().collect();
                prop_assert!(people.iter().all(|person| now.contains(person)));
            }
            (Tally::Waiting { .. }, true) => prop_assert!(!matches!(after, Tally::Denied(_))),
            (Tally::Waiting { .. }, false) => prop_assert!(!matches!(after, Tally::Approved(_))),
            (Tally::Approved(_), false) => {}
        }
    }
}
