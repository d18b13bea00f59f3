//! The meaning of policies in Cedar.

use crate::common::{Asked, artifact, asked, rules};
use policy::{Cedar, Novelty, Policy};

fn cedar(text: &str) -> Cedar {
    Cedar::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A policy that permits where this holds.
fn permits(condition: &str) -> Cedar {
    cedar(&format!("@id(\"it\") permit (principal, action, resource) when {{ {condition} }};"))
}

#[test]
fn what_nothing_permits_is_denied() {
    assert_eq!(rules(&cedar(""), &asked()), "deny by default");
    let policy = cedar("@id(\"pay\") permit (principal, action == Action::\"pay\", resource);");
    assert_eq!(rules(&policy, &asked()), "deny by default");
    assert_eq!(rules(&policy, &Asked { capability: "pay".to_owned(), ..asked() }), "allow by pay");
}

#[test]
fn people_are_asked_where_enough_of_them_would_do() {
    let policy = cedar(
        r#"
        @id("two") @expires("2h") @denials("2")
        permit (principal, action, resource) when { context.approvals.release >= 2 };
        @id("owner") @expires("1h")
        permit (principal, action, resource) when { 0 < context.approvals.owner };
        "#,
    );
    let ask = "ask 2 of release or 1 of owner, 2 denials end it, lapses after 1h by two, owner";
    assert_eq!(rules(&policy, &asked()), ask);
    assert_eq!(rules(&policy, &asked().approved_by(&[("a", &["release"]), ("a", &["release"])])), ask);
    assert_eq!(
        rules(&policy, &asked().approved_by(&[("a", &["release"]), ("b", &["release"])])),
        "allow by two"
    );
    assert_eq!(rules(&policy, &asked().approved_by(&[("c", &["owner"])])), "allow by owner");
    let roles: Vec<_> = policy.roles().into_iter().map(String::from).collect();
    assert_eq!(roles, ["owner", "release"]);
}

#[test]
fn the_capabilities_and_the_numbers_of_people_in_the_text_can_be_asked_for() {
    let policy = cedar(
        r#"
        @id("deploy") permit (principal, action in [Action::"cloudflare"], resource)
          when { context.approvals.release >= 2 };
        @id("get") permit (principal, action == Action::"kv.get", resource);
        @id("no") forbid (principal, action, resource) when { context.approvals.anyone < 3 };
        "#,
    );
    let [deploy, get, no, release, anyone]: [policy::Demand; 5] = policy.demands().try_into().unwrap();
    for (demand, deploys, gets) in [(&deploy, true, false), (&get, false, true), (&no, true, true)] {
        assert_eq!(demand.fits("cloudflare.dynamic-worker.deploy"), deploys, "{demand:?}");
        assert_eq!(demand.fits("kv.get"), gets, "{demand:?}");
    }
    assert!(deploy.ask.is_none() && deploy.fits("cloudflare") && !deploy.fits("cloudflare2"));
    let asked = [release, anyone].map(|demand| demand.ask.unwrap().to_string());
    assert_eq!(asked, ["2 of release", "3 of anyone"]);
}

#[test]
fn needs_of_several_rules_add_up() {
    let policy = cedar(
        r#"
        @id("release") permit (principal, action, resource) when { context.approvals.release >= 1 };
        @id("security") forbid (principal, action, resource)
          when { context.environment == "production" } unless { context.approvals["sec.ops"] >= 1 };
        @id("two-people") forbid (principal, action, resource) when { context.approvals.anyone < 2 };
        "#,
    );
    assert_eq!(rules(&policy, &asked()), "ask 1 of release and 1 of sec.ops and 2 of anyone by release");
    let both: &[&str] = &["release", "sec.ops"];
    assert!(rules(&policy, &asked().approved_by(&[("a", both)])).starts_with("ask"), "one person with both");
    assert_eq!(rules(&policy, &asked().approved_by(&[("a", both), ("b", &[])])), "allow by release");
}

#[test]
fn what_another_quorum_contains_is_not_asked_for() {
    let policy = permits("context.approvals.anyone >= 2 || context.approvals.release >= 3");
    assert_eq!(rules(&policy, &asked()), "ask 2 of anyone by it");
    let policy = permits("context.approvals.anyone >= 3 || context.approvals.release >= 2");
    assert_eq!(rules(&policy, &asked()), "ask 3 of anyone or 2 of release by it");
    let policy = permits("context.approvals.anyone >= 2 && context.approvals.release >= 2");
    assert_eq!(rules(&policy, &asked()), "ask 2 of release by it");
}

#[test]
fn a_forbid_that_no_approval_lifts_denies_and_says_why() {
    let policy = cedar(
        r#"
        @id("all") permit (principal, action, resource);
        @id("large") @message("too large to review")
        forbid (principal, action, resource) when { context has artifactBytes && context.artifactBytes > 1048576 };
        "#,
    );
    assert_eq!(rules(&policy, &asked()), "allow by all");
    for bytes in [(1 << 20) + 1, u64::MAX] {
        let large = Asked { artifact: Some(artifact(bytes, Novelty::Known)), ..asked() };
        assert_eq!(rules(&policy, &large), "deny by large: \"too large to review\"");
    }
}

#[test]
fn all_facts_are_there() {
    for holds in [
        "context.tenant == \"acme\"",
        "context.environment == \"production\"",
        "context.capability like \"cloudflare.*\"",
        "context has artifactBytes && context.artifactBytes == 10240",
        "context has artifactKnown && !context.artifactKnown",
        "context has artifactSha256 && !(context.artifactSha256 like \"*z*\")",
        "context.componentKnown",
        "context.componentSha256 != \"\"",
        "principal == Agent::\"agent:builder\" && principal.name like \"agent:*\"",
        "principal is Agent && resource is Resource",
        "resource == Resource::\"cloudflare://workers/acme/app\"",
        "resource.name like \"cloudflare://workers/acme/*\"",
        "action == Action::\"cloudflare.dynamic-worker.deploy\"",
        "action in Action::\"cloudflare\"",
        "action in [Action::\"pay\", Action::\"cloudflare.dynamic-worker\"]",
        "[\"acme\", \"globex\"].contains(context.tenant)",
        "if context.componentKnown then context.tenant == \"acme\" else context.tenant == \"globex\"",
        "-5 < 3",
    ] {
        assert_eq!(rules(&permits(holds), &asked()), "allow by it", "{holds}");
    }
    for not in [
        "context has artifactBytes && context.artifactBytes < 10240",
        "action in Action::\"cloud\"",
        "action in Action::\"deploy\"",
        "action in Action::\"cloudflare.dynamic-worker.deploy.now\"",
        "resource.name == \"cloudflare://workers/acme\"",
    ] {
        assert_eq!(rules(&permits(not), &asked()), "deny by default", "{not}");
    }
    let none = Asked { artifact: None, ..asked() };
    assert_eq!(
        rules(&permits("!(context has artifactBytes) && !(context has artifactKnown)"), &none),
        "allow by it"
    );
}

#[test]
fn a_condition_on_an_action_below_a_named_one_can_hold() {
    let policy = cedar(
        r#"
        @id("all") permit (principal, action, resource);
        @id("large") forbid (principal, action in Action::"cloudflare", resource)
          when { action in Action::"cloudflare.dynamic-worker" && context has artifactBytes && context.artifactBytes > 5 };
        "#,
    );
    assert_eq!(policy.warnings(), []);
    assert_eq!(rules(&policy, &asked()), "deny by large");
    assert_eq!(rules(&policy, &Asked { artifact: None, ..asked() }), "allow by all");
    assert_eq!(rules(&policy, &Asked { capability: "cloudflare.kv".to_owned(), ..asked() }), "allow by all");
    // A name that reads like one of the schema's own.
    for name in
        ["every other capability", "below cloudflare", "cloudflare.*", "a capability below cloudflare"]
    {
        let text = format!(
            "@id(\"it\") permit (principal, action in [Action::\"cloudflare\", Action::\"{name}\"], resource);"
        );
        assert_eq!(rules(&cedar(&text), &asked()), "allow by it", "{name}");
    }
}

#[test]
fn a_capability_is_in_its_first_sixteen_beginnings() {
    let capability = |parts: usize| vec!["x"; parts].join(".");
    let asked = Asked { capability: capability(20), ..asked() };
    for (parts, expected) in
        [(1, "allow by it"), (16, "allow by it"), (17, "deny by default"), (20, "allow by it")]
    {
        let policy = permits(&format!("action in Action::\"{}\"", capability(parts)));
        assert_eq!(rules(&policy, &asked), expected, "{parts} parts");
    }
}

#[test]
fn texts_of_a_workflow_stay_texts() {
    let policy = permits("resource.name == \"\\\"); permit\\n\\u{202e}\"");
    let hostile = Asked { resource: "\"); permit\n\u{202e}".to_owned(), ..asked() };
    assert_eq!(rules(&policy, &hostile), "allow by it");
    let dots = Asked { capability: ".".repeat(1 << 20), resource: "\u{0}".repeat(1 << 20), ..asked() };
    assert_eq!(rules(&policy, &dots), "deny by default");
}

#[test]
fn each_policy_says_what_became_of_it() {
    let policy = cedar(
        "// Releases.\n\
         @id(\"two\") permit (principal, action, resource) when { context.approvals.release >= 2 };\n\
         @id(\"bot\") permit (principal == Agent::\"bot;\", action, resource);\n\
         @id(\"pay\")\n\
         permit (principal, action in Action::\"pay\", resource); @id(\"ten\")\n\
         permit (principal, action, resource) when { context.approvals.release >= 10 };\n\
         @id(\"staging\") permit (principal, action, resource)\n\
           when { context.approvals.release >= 1 } when { context.environment == \"staging\" };\n\
         @id(\"first\") forbid (principal, action, resource) unless { context.approvals.release >= 1 };\n\
         @id(\"large\") forbid (principal, action, resource == Resource::\"x\");\n",
    );
    let explanation = policy.explain(&asked().question()).to_string();
    assert_eq!(
        explanation,
        "ask 2 of release by two\n\
         \x20 line 2     two      allow  decides\n\
         \x20 line 3     bot      allow  does not match: principal is \"agent:builder\", and == Agent::\"bot;\" is wanted\n\
         \x20 line 4     pay      allow  does not match: action is \"cloudflare.dynamic-worker.deploy\", and in [Action::\"pay\"] is wanted\n\
         \x20 line 5     ten      allow  depends on approvals that are not there\n\
         \x20 line 7     staging  allow  does not match: \"when { context.environment == \\\"staging\\\" }\" does not hold\n\
         \x20 line 9     first    deny   depends on approvals that are not there\n\
         \x20 line 10    large    deny   does not match: resource is \"cloudflare://workers/acme/app\", and == Resource::\"x\" is wanted\n\
         \x20 line -     default  deny   matches, but two goes before it\n"
    );
}

#[test]
fn what_can_never_hold_is_warned_of() {
    let policy = cedar("\n@id(\"it\") permit (principal, action, resource) when { principal == resource };");
    let warnings: Vec<_> = policy.warnings().iter().map(ToString::to_string).collect();
    assert!(matches!(warnings.as_slice(), [one] if one.starts_with("line 2: ")), "{warnings:?}");
}

#[test]
fn the_largest_policy_is_answered_on_a_small_stack() {
    let holds = "context.componentKnown";
    for condition in [
        format!("{}{holds}{}", "(".repeat(240), ")".repeat(240)),
        format!("{}{holds}{}", "!(".repeat(120), ")".repeat(120)),
        vec![holds; 120].join(" && "),
        vec!["(context.approvals.anyone >= 1 || context.componentKnown)"; 32].join(" && "),
        format!("{}{holds}", "if context.componentKnown then true else ".repeat(120)),
        format!("{}1{}.isEmpty() == false", "[".repeat(240), "]".repeat(240)),
    ] {
        let small = std::thread::Builder::new().stack_size(256 << 10);
        let asked_there = move || {
            let policy = permits(&condition);
            let fates = policy.explain(&asked().question()).rules.len();
            (rules(&policy, &asked()), fates)
        };
        let answered = small.spawn(asked_there).unwrap().join().unwrap();
        assert_eq!(answered, ("allow by it".to_owned(), 2));
    }
}
