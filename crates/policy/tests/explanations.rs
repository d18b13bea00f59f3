//! Explanations of rulings.

use crate::common::{asked, toml};
use policy::Policy;

#[test]
fn each_rule_says_what_became_of_it() {
    let policy = toml(
        "[[rule]]\n\
         id = \"other-tenant\"\n\
         tenant = \"globex\"\n\
         environment = \"staging\"\n\
         then = \"allow\"\n\
         \n\
         [[rule]]\n\
         id = \"small\"\n\
         artifact-bytes-at-most = \"8 KiB\"\n\
         then = \"allow\"\n\
         [[rule]]\n\
         id = \"workers\"\n\
         capability = [\"cloudflare.*\", \"pay\"]\n\
         then = \"ask\"\n\
         [[rule]]\n\
         id = \"late\"\n\
         then = \"allow\"\n",
    );
    let explanation = policy.explain(&asked().question()).to_string();
    assert_eq!(
        explanation,
        "ask 1 of anyone by workers\n\
         \x20 line 1     other-tenant  allow  does not match: tenant is \"acme\", and \"globex\" is wanted\n\
         \x20 line 7     small         allow  does not match: artifact-bytes-at-most is 10 KiB, and 8 KiB at most is wanted\n\
         \x20 line 11    workers       ask    decides\n\
         \x20 line 15    late          allow  matches, but workers goes before it\n\
         \x20 line -     default       ask    matches, but workers goes before it\n"
    );
}

#[test]
fn what_a_workflow_chose_is_shown_so_that_it_can_be_seen() {
    let policy = toml("[[rule]]\nid = \"it\"\nresource = \"x\"\nthen = \"allow\"");
    let resource = format!("a\u{1b}[2K\u{202e}\n  line 9  fake  allow  decides{}", "y".repeat(1_000_000));
    let hostile = crate::common::Asked { resource, ..asked() };
    let explanation = policy.explain(&hostile.question()).to_string();
    assert_eq!(explanation.lines().count(), 3, "{explanation}");
    assert!(explanation.len() < 2_000);
    assert!(explanation.chars().all(|character| character == '\n' || workflow::is_visible(character)));
}
