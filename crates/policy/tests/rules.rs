//! The meaning of rules in TOML.

use crate::common::{artifact, asked, rules, toml};
use policy::{Environment, Novelty, Policy, ask_one};

/// A policy of one rule with these matchers.
fn one(matchers: &str) -> policy::Toml {
    toml(&format!("[[rule]]\nid = \"it\"\n{matchers}\nthen = \"allow\""))
}

#[test]
fn without_a_policy_every_action_asks_one_person() {
    let policy = ask_one();
    assert_eq!(rules(&policy, &asked()), "ask 1 of anyone by default");
    assert_eq!(rules(&policy, &asked().approved_by(&[("alice", &[])])), "allow by default");
    assert_eq!(rules(&toml(""), &asked()), "ask 1 of anyone by default");
    assert!(policy.warnings().is_empty());
}

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = toml(
        r#"
        [[rule]]
        id = "small"
        artifact-bytes-at-most = "10 KiB"
        then = "allow"
        [[rule]]
        id = "any"
        then = "ask"
        role = "release"
        approvals = 2
        denials = 3
        expires = "15m"
        "#,
    );
    assert_eq!(rules(&policy, &asked()), "allow by small");
    let large = crate::common::Asked { artifact: Some(artifact((10 << 10) + 1, Novelty::New)), ..asked() };
    assert_eq!(rules(&policy, &large), "ask 2 of release, 3 denials end it, lapses after 15m by any");
    let none = crate::common::Asked { artifact: None, ..asked() };
    assert!(rules(&policy, &none).starts_with("ask"), "no artifact has no size");
    let roles: Vec<_> = policy.roles().into_iter().map(String::from).collect();
    assert_eq!(roles, ["release"]);
}

/// The demands that `pp-host policy check` compares with the existing people and capabilities.
#[test]
fn a_policy_says_what_it_wants_of_the_place_where_it_governs() {
    let policy = toml(
        r#"
        [[rule]]
        id = "ours"
        tenant = ["acme", "globex"]
        capability = ["cloudflare.*", "kv.put"]
        then = "ask"
        role = "release"
        approvals = 2
        [[rule]]
        id = "beginning"
        tenant = "acme-*"
        then = "deny"
        "#,
    );
    let [ours, beginning, default]: [policy::Demand; 3] = policy.demands().try_into().unwrap();
    assert_eq!((ours.rule.as_ref().unwrap().as_str(), ours.line), ("ours", Some(2)));
    assert_eq!(ours.tenants.iter().map(ToString::to_string).collect::<Vec<_>>(), ["acme", "globex"]);
    assert_eq!(ours.ask.as_ref().unwrap().to_string(), "2 of release");
    assert!(beginning.tenants.is_empty() && beginning.ask.is_none());
    assert_eq!(
        (default.rule.unwrap().as_str(), default.ask.unwrap().to_string()),
        ("default", "1 of anyone".to_owned())
    );
    assert_eq!(ours.capabilities(), "\"cloudflare.*\" or \"kv.put\"");
    for (capability, fits) in
        [("cloudflare.dynamic-worker.deploy", true), ("kv.put", true), ("kv.get", false)]
    {
        assert_eq!(ours.fits(capability), fits, "{capability}");
    }
}

#[test]
fn a_rule_that_denies_decides_wherever_it_stands() {
    let policy = toml(
        r#"
        [[rule]]
        id = "ours"
        tenant = "acme"
        then = "allow"
        [[rule]]
        id = "frozen"
        environment = "production"
        message = "frozen until Monday"
        then = "deny"
        [default]
        then = "deny"
        "#,
    );
    assert_eq!(rules(&policy, &asked()), "deny by frozen: \"frozen until Monday\"");
    let approved = asked().approved_by(&[("alice", &["release"]), ("bob", &["release"])]);
    assert_eq!(rules(&policy, &approved), "deny by frozen: \"frozen until Monday\"");
    let staging = crate::common::Asked { environment: Environment::Staging, ..asked() };
    assert_eq!(rules(&policy, &staging), "allow by ours");
    let other = crate::common::Asked { tenant: "globex".parse().unwrap(), ..staging };
    assert_eq!(rules(&policy, &other), "deny by default");
}

#[test]
fn a_quorum_is_of_different_people_with_the_role() {
    let policy = toml("[default]\nthen = \"ask\"\nrole = \"release\"\napprovals = 2");
    let ruling = |people: &[(&str, &[&str])]| rules(&policy, &asked().approved_by(people));
    let (ask, allow) = ("ask 2 of release by default", "allow by default");
    let release: &[&str] = &["release"];
    assert_eq!(ruling(&[]), ask);
    assert_eq!(ruling(&[("alice", release)]), ask);
    assert_eq!(ruling(&[("alice", release), ("alice", release)]), ask, "one person twice");
    assert_eq!(ruling(&[("alice", release), ("bob", &["sec"])]), ask, "without the role");
    assert_eq!(ruling(&[("alice", release), ("bob", &["sec", "release"])]), allow);
    assert_eq!(
        ruling(&[("bob", &["sec"]), ("carol", &["releases"]), ("dan", release)]),
        ask,
        "releases is another"
    );
}

#[test]
fn every_matcher_fits_what_it_says_and_nothing_else() {
    let asked = asked();
    for fits in [
        "tenant = \"acme\"",
        "tenant = [\"globex\", \"ac*\"]",
        "actor = \"agent:builder\"",
        "actor = \"agent:*\"",
        "capability = \"cloudflare.*\"",
        "resource = \"cloudflare://workers/acme/app\"",
        "environment = [\"staging\", \"production\"]",
        "artifact = \"new\"",
        "artifact-bytes-at-most = 10240",
        "artifact-bytes-over = \"10239 B\"",
        "component = \"known\"",
    ] {
        assert_eq!(rules(&one(fits), &asked), "allow by it", "{fits}");
    }
    for not in [
        "tenant = \"Acme\"",
        "tenant = \"acm\"",
        "actor = \"builder\"",
        "capability = \"cloudflare\"",
        "capability = \"deploy\"",
        "resource = \"cloudflare://workers/acme/\"",
        "environment = \"development\"",
        "artifact = \"known\"",
        "artifact = \"none\"",
        "artifact-bytes-at-most = \"9 KiB\"",
        "artifact-bytes-over = \"10 KiB\"",
        "component = \"new\"",
    ] {
        assert_eq!(rules(&one(not), &asked), "ask 1 of anyone by default", "{not}");
    }
}

#[test]
fn no_artifact_is_neither_known_nor_new_nor_of_any_size() {
    let asked = crate::common::Asked { artifact: None, ..asked() };
    assert_eq!(rules(&one("artifact = \"none\""), &asked), "allow by it");
    for not in [
        "artifact = \"new\"",
        "artifact = \"known\"",
        "artifact-bytes-at-most = \"1 GiB\"",
        "artifact-bytes-over = 0",
    ] {
        assert_eq!(rules(&one(not), &asked), "ask 1 of anyone by default", "{not}");
    }
}

#[test]
fn what_is_allowed_and_probably_not_meant_is_warned_of() {
    for (text, warning) in [
        (
            "[default]\nthen = \"allow\"",
            "line 1: every action that no rule matches is allowed, and no person is asked",
        ),
        (
            "[[rule]]\nid = \"a\"\nthen = \"allow\"\n[[rule]]\nid = \"b\"\ntenant = \"acme\"\nthen = \"ask\"",
            "line 4: rule b never decides: a on line 1 comes first and matches everything that it matches",
        ),
        (
            "[[rule]]\nid = \"a\"\ntenant = \"acme-2\"\nthen = \"allow\"\n\n[[rule]]\nid = \"b\"\ntenant = \"acme*\"\nthen = \"deny\"",
            "line 1: rule a never decides: b on line 6 denies everything that it matches",
        ),
        (
            "[[rule]]\nid = \"a\"\nthen = \"deny\"\nartifact-bytes-over = 5\n[[rule]]\nid = \"b\"\nartifact-bytes-over = 6\nthen = \"deny\"",
            "line 5: rule b never decides: a on line 1 denies everything that it matches",
        ),
    ] {
        let warnings: Vec<_> = toml(text).warnings().iter().map(ToString::to_string).collect();
        assert_eq!(warnings, [warning], "{text}");
    }
    for text in [
        "[[rule]]\nid = \"a\"\ntenant = \"acme\"\nthen = \"allow\"\n[[rule]]\nid = \"b\"\nthen = \"ask\"",
        "[[rule]]\nid = \"a\"\nthen = \"allow\"\n[[rule]]\nid = \"b\"\ntenant = \"acme\"\nthen = \"deny\"",
        "[[rule]]\nid = \"a\"\nenvironment = \"staging\"\nthen = \"deny\"\n[[rule]]\nid = \"b\"\nenvironment = [\"staging\", \"production\"]\nthen = \"deny\"",
    ] {
        assert_eq!(toml(text).warnings(), [], "{text}");
    }
}
