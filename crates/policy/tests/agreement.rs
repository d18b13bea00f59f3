//! The same rules in both engines have the same answers.

use crate::strategies;
use policy::{AnswerKind, Cedar, Policy, Ruling, Toml};
use proptest::prelude::*;

/// Whether two rulings agree. In Cedar every rule that denies is named, in TOML the first; and in Cedar the default has
/// a name.
fn agree(toml: &Ruling, cedar: &Ruling) -> bool {
    let (one, other) = (toml.rules.first().map(AsRef::as_ref), cedar.rules.first().map(AsRef::as_ref));
    let named = one == other || (one, other) == (Some("default"), Some("otherwise"));
    toml.answer == cedar.answer && named && (toml.answer.kind() == AnswerKind::Deny || cedar.rules.len() == 1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn on_every_question(
        rules in strategies::rules(),
        asked in strategies::question(),
        people in strategies::people(),
    ) {
        let toml = Toml::parse(&strategies::in_toml(&rules)).unwrap();
        let cedar = Cedar::parse(&strategies::cedar::of_rules(&rules)).unwrap();
        let asked = asked.with(people);
        let (one, other) = (toml.rule(&asked.question()), cedar.rule(&asked.question()));
        prop_assert!(agree(&one, &other), "toml: {}, cedar: {}", one, other);
    }
}
