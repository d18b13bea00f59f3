//! Laws that hold for every policy, in both engines.

use crate::common::Asked;
use crate::strategies;
use policy::{Answer, Approver, Policy, PolicyError, RuleOutcome, Toml};
use proptest::prelude::*;
use receipt::Digest;

/// An engine: how it reads a text, and what its policies that deny everything look like.
struct Engine {
    name: &'static str,
    parse: fn(&str) -> Result<Box<dyn Policy>, PolicyError>,
    freeze: &'static str,
}

const TOML: Engine = Engine {
    name: "toml",
    parse: |text| Ok(Box::new(Toml::parse(text)?)),
    freeze: "\n[[rule]]\nid = \"frozen\"\nthen = \"deny\"\n",
};

#[cfg(feature = "cedar")]
const CEDAR: Engine = Engine {
    name: "cedar",
    parse: |text| Ok(Box::new(policy::Cedar::parse(text)?)),
    freeze: "\n@id(\"frozen\") forbid (principal, action, resource);\n",
};

/// Checks all laws for one policy and one question, with these approvals and one more.
fn holds(engine: &Engine, text: &str, asked: &Asked, people: &[Approver], more: &Approver) {
    let parse = |text: &str| (engine.parse)(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let policy = parse(text);
    let policy = policy.as_ref();
    is_of_its_text(engine, policy, text);
    is_the_same_again(policy, parse(text).as_ref(), asked, people);
    an_approval_takes_nothing_away(policy, asked, people, more);
    what_is_asked_for_is_enough(policy, asked, people);
    people_are_counted(policy, asked, people, more);
    says_why(policy, asked, people);
    deny_wins(parse(&format!("{text}{}", engine.freeze)).as_ref(), asked, people);
}

fn is_of_its_text(engine: &Engine, policy: &dyn Policy, text: &str) {
    let digest = Digest::of(text.as_bytes());
    assert_eq!(policy.digest(), digest);
    assert_eq!(policy.version(), format!("{}:{}", engine.name, &digest.to_string()[..16]));
}

fn is_the_same_again(policy: &dyn Policy, again: &dyn Policy, asked: &Asked, people: &[Approver]) {
    let asked = asked.with(people.to_vec());
    let ruling = policy.rule(&asked.question());
    assert_eq!(ruling, policy.rule(&asked.question()), "the same policy");
    assert_eq!(ruling, again.rule(&asked.question()), "another of the same text");
}

fn an_approval_takes_nothing_away(policy: &dyn Policy, asked: &Asked, people: &[Approver], more: &Approver) {
    let before = policy.rule(&asked.with(people.to_vec()).question());
    let after = policy.rule(&asked.with([people, std::slice::from_ref(more)].concat()).question());
    match (&before.answer, &after.answer) {
        (Answer::Allow, Answer::Allow) | (Answer::Deny, Answer::Deny) | (Answer::Ask(_), Answer::Allow) => (),
        (Answer::Ask(one), Answer::Ask(other)) => assert_eq!(one, other, "what is asked for has changed"),
        _ => panic!("{before} became {after}"),
    }
}

fn what_is_asked_for_is_enough(policy: &dyn Policy, asked: &Asked, people: &[Approver]) {
    let asked = asked.with(people.to_vec());
    let (first, now) = (policy.rule(&asked.with(Vec::new()).question()), policy.rule(&asked.question()));
    if let Answer::Ask(ask) = &first.answer {
        assert!(!ask.quorums.is_empty() && ask.quorums.iter().all(|quorum| !quorum.needs.is_empty()));
        assert!(!ask.met_by(&[]), "{ask} is met by nobody");
        assert_eq!(ask.met_by(people), now.answer == Answer::Allow, "{ask}, with {people:?}");
    }
}

fn people_are_counted(policy: &dyn Policy, asked: &Asked, people: &[Approver], more: &Approver) {
    let ruling = |people: Vec<Approver>| policy.rule(&asked.with(people).question());
    let now = ruling(people.to_vec());
    assert_eq!(now, ruling(people.iter().rev().cloned().collect()), "the order matters");
    assert_eq!(now, ruling([people, people].concat()), "the same people twice");
    if let Answer::Ask(ask) = &now.answer
        && !ask.counts(&more.roles)
    {
        assert_eq!(now, ruling([people, std::slice::from_ref(more)].concat()), "{more:?} counted for {ask}");
    }
}

fn says_why(policy: &dyn Policy, asked: &Asked, people: &[Approver]) {
    let asked = asked.with(people.to_vec());
    let explanation = policy.explain(&asked.question());
    assert_eq!(explanation.ruling, policy.rule(&asked.question()));
    let decides = explanation.rules.iter().filter(|considered| considered.outcome == RuleOutcome::Decides);
    let decides: Vec<_> = decides.map(|considered| considered.rule.clone()).collect();
    assert_eq!(decides, explanation.ruling.rules, "{explanation}");
}

fn deny_wins(frozen: &dyn Policy, asked: &Asked, people: &[Approver]) {
    let ruling = frozen.rule(&asked.with(people.to_vec()).question());
    assert_eq!(ruling.answer, Answer::Deny);
    let may_allow = |considered: &policy::Considered| {
        ruling.rules.contains(&considered.rule) && considered.kind != policy::AnswerKind::Deny
    };
    assert!(!frozen.explain(&asked.question()).rules.iter().any(may_allow), "{ruling}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn of_rules_in_toml(
        rules in strategies::rules(),
        asked in strategies::question(),
        people in strategies::people(),
        more in strategies::person(),
    ) {
        holds(&TOML, &strategies::in_toml(&rules), &asked, &people, &more);
    }
}

#[cfg(feature = "cedar")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn of_rules_in_cedar(
        rules in strategies::rules(),
        asked in strategies::question(),
        people in strategies::people(),
        more in strategies::person(),
    ) {
        holds(&CEDAR, &strategies::cedar::of_rules(&rules), &asked, &people, &more);
    }

    #[test]
    fn of_any_policies_in_cedar(
        text in strategies::cedar::policies(),
        asked in strategies::question(),
        people in strategies::people(),
        more in strategies::person(),
    ) {
        // A text in which an approval could take away what is allowed is refused, and so is one with too many
        // combinations.
        if policy::Cedar::parse(&text).is_ok() {
            holds(&CEDAR, &text, &asked, &people, &more);
        }
    }
}

proptest! {
    #[test]
    fn any_byte_changes_the_digest(rules in strategies::rules(), place: prop::sample::Index, bit in 0_u8..8) {
        let text = strategies::in_toml(&rules) + "\n";
        let mut bytes = text.clone().into_bytes();
        bytes[place.index(text.len())] ^= 1 << bit;
        if let Some(other) = String::from_utf8(bytes).ok().and_then(|text| Toml::parse(&text).ok()) {
            prop_assert_ne!(other.digest(), Toml::parse(&text).unwrap().digest());
        }
    }

    #[test]
    fn any_text_is_a_policy_or_an_error(text in "\\PC{0,200}") {
        let _ = (TOML.parse)(&text);
        #[cfg(feature = "cedar")]
        let _ = (CEDAR.parse)(&text);
    }
}
