//! A text in Cedar that is not understood, or not certain to help, is no policy.

use policy::Cedar;

fn error(text: &str) -> String {
    match Cedar::parse(text) {
        Ok(policy) => panic!("{policy:?}"),
        Err(error) => error.to_string(),
    }
}

fn condition(effect: &str, kind: &str, condition: &str) -> String {
    error(&format!(
        "// A policy; of one rule.\n\n@id(\"it\") {effect} (principal, action, resource) {kind} {{ {condition} }};"
    ))
}

#[test]
fn what_is_not_cedar() {
    let error =
        error("@id(\"a\")\npermit (principal, action, resource)\nwhen { context.tenant = \"acme\" };");
    assert!(error.starts_with("line 3: not Cedar: "), "{error}");
    assert!(crate::cedar_refusals::error("permit").contains("not Cedar: "));
}

#[test]
fn what_does_not_fit_the_schema() {
    for (text, line) in [
        ("context.tenent == \"acme\"", 3),
        ("context.artifactBytes > 5", 3),
        ("context.tenant == 5", 3),
        ("principal.tenant == \"acme\"", 3),
        ("principal in Group::\"x\"", 3),
        ("action.name == \"x\"", 3),
        ("\ncontext.nothing", 4),
    ] {
        let error = condition("permit", "when", text);
        assert!(error.starts_with(&format!("line {line}: rule it: ")), "{text}: {error}");
    }
}

#[test]
fn approvals_that_take_away() {
    for (effect, kind, text) in [
        ("permit", "when", "context.approvals.release < 3"),
        ("permit", "when", "context.approvals.release <= 3"),
        ("permit", "unless", "context.approvals.release >= 3"),
        ("permit", "when", "!(context.approvals.release >= 3)"),
        ("permit", "when", "3 > context.approvals.release"),
        ("forbid", "when", "context.approvals.release >= 3"),
        ("forbid", "unless", "context.approvals.release < 3"),
        ("forbid", "when", "context.componentKnown || context.approvals.a > 1"),
        ("permit", "when", "context.approvals.a >= 1 && context.approvals.b < 1"),
        ("permit", "when", "if context.componentKnown then context.approvals.a < 1 else true"),
    ] {
        let error = condition(effect, kind, text);
        assert!(
            error.starts_with("line 3: rule it: an additional approval must never withdraw permission"),
            "{text}: {error}"
        );
    }
}

#[test]
fn approvals_used_otherwise() {
    for text in [
        "context.approvals.release == 2",
        "context.approvals.release != 2",
        "context.approvals.release >= context.approvals.owner",
        "context has artifactBytes && context.approvals.release >= context.artifactBytes",
        "[1, 2].contains(context.approvals.release)",
        "context.approvals has release",
        "context has approvals",
        "context.approvals == context.approvals",
        "context == context",
        "(context.approvals.release >= 2) == true",
        "if context.approvals.release >= 2 then true else false",
    ] {
        let error = condition("permit", "when", text);
        assert!(error.contains("compared with a whole number"), "{text}: {error}");
    }
    for (text, number) in [
        ("context.approvals.release >= 0", "0"),
        ("context.approvals.release > -1", "-1"),
        ("context.approvals.release >= 33", "33"),
        ("context.approvals.release > 32", "32"),
        ("context.approvals.release > 9223372036854775807", "9223372036854775807"),
    ] {
        let error = condition("permit", "when", text);
        assert!(error.contains(&format!("approvals are compared with {number}:")), "{text}: {error}");
    }
    assert!(condition("permit", "when", "context.approvals[\"a b\"] >= 1").contains("is not a role"));
}

#[test]
fn what_could_fail_when_it_is_asked() {
    for text in [
        "context has artifactBytes && context.artifactBytes + 1 > 5",
        "context has artifactBytes && context.artifactBytes * 2 > 5",
        "context has artifactBytes && -context.artifactBytes < 5",
        "Resource::\"x\".name == \"x\"",
        "(if context.componentKnown then resource else Resource::\"x\").name == \"x\"",
        "{\"a\": 1}.a == 1",
        "principal.hasTag(\"x\")",
        "context.approvals.a + context.approvals.b >= 2",
    ] {
        let error = condition("permit", "when", text);
        let expected = ["not available", "have attributes", "compared with a whole number"];
        assert!(expected.iter().any(|expected| error.contains(expected)), "{text}: {error}");
    }
}

/// A misspelt environment makes a `forbid` that never holds.
#[test]
fn environments_that_there_are_not() {
    for text in [
        "context.environment == \"prod\" && context.approvals.anyone < 2",
        "\"Production\" == context.environment",
        "context.environment != \"prod\"",
        "[\"production\", \"stage\"].contains(context.environment)",
        "[context.environment] == [\"prod\"]",
        "[\"prod\"].containsAny([context.environment])",
        "(if context.componentKnown then context.environment else \"dev\") == \"production\"",
        "(if context.componentKnown then \"prod\" else \"production\") == context.environment",
        "context.environment like \"prod\"",
        "context.environment like \"*live*\"",
        "context.environment like \"Prod*\"",
        // No pattern takes long.
        &format!("context.environment like \"{}\"", "*x".repeat(100)),
    ] {
        let error = condition("forbid", "when", text);
        assert!(error.contains("an environment is development, staging or production"), "{text}: {error}");
    }
    for text in [
        "context.environment == \"production\" || context.environment != \"staging\"",
        "[\"production\", \"staging\"].contains(context.environment)",
        "context.environment like \"prod*\" || context.environment like \"*\"",
        "context.environment like \"d*lop*nt\"",
        "context.tenant == \"prod\" && context.environment == \"development\"",
        "(if context.environment == \"staging\" then \"a\" else \"b\") == context.tenant",
    ] {
        let policy = format!("@id(\"it\") forbid (principal, action, resource) when {{ {text} }};");
        let read = Cedar::parse(&policy);
        assert!(read.is_ok(), "{text}: {read:?}");
    }
}

/// An action below a named one is in it, and in all that it is in.
#[test]
fn what_could_fail_for_an_action_below_a_named_one() {
    for text in [
        "action in Action::\"cloudflare.dynamic-worker\" && context.artifactBytes > 16777216",
        "action in [Action::\"cloudflare.dynamic-worker\"] && context.artifactBytes > 16777216",
        "if action in Action::\"cloudflare.dynamic-worker\" then context.artifactBytes > 16777216 else false",
        "!(action in Action::\"cloudflare.dynamic-worker\") || context.artifactBytes > 16777216",
        "action in Action::\"cloudflare.dynamic-worker\" && action != Action::\"cloudflare.dynamic-worker\" && context.artifactBytes > 5",
    ] {
        let error = error(&format!(
            "@id(\"it\") forbid (principal, action in Action::\"cloudflare\", resource) when {{ {text} }};"
        ));
        assert!(error.contains("artifactBytes"), "{text}: {error}");
    }
    // What such an action is in is compared for the asked action only.
    for text in [
        "Action::\"a.b\" in Action::\"a\" || context.artifactBytes > 5",
        "(if context.componentKnown then action else Action::\"a\") in Action::\"a\"",
        "Action::\"a.b\" is Action in Action::\"a\"",
    ] {
        let error = condition("forbid", "when", text);
        assert!(error.contains("principal, action or resource"), "{text}: {error}");
    }
}

#[test]
fn what_would_take_too_long() {
    for deep in
        ["(", "!(", "!!!!(", "[", "-", "if true then true else ", "true && ", "context.a || ", "a.", "a+"]
    {
        let error = condition("permit", "when", &deep.repeat(10_000));
        assert!(
            error.starts_with("line 3: a policy has ") && error.contains("write it as several"),
            "{error}"
        );
    }
    let roles: Vec<_> = (0..9).map(|role| format!("context.approvals.r{role} >= 1")).collect();
    let error = condition("permit", "when", &roles.join(" && "));
    assert!(error.contains("512 combinations of approvals"), "{error}");
    assert!(error.contains("at most 256"), "{error}");
    assert!(Cedar::parse(&" ".repeat(policy::MOST_TEXT + 1)).is_err());
}

#[test]
fn annotations() {
    let permit = "permit (principal, action, resource);";
    for (text, expected) in [
        (permit.to_owned(), "line 1: a policy needs @id, such as @id(\"small-changes\")"),
        (format!("@id(\"a b\") {permit}"), "line 1: \"a b\" is not a rule id"),
        (format!("@id {permit}"), "line 1: \"\" is not a rule id"),
        (
            format!("@id(\"a\") {permit}\n// b;\n@id(\"a\") {permit}"),
            "line 3: rule a already exists, on line 1: each rule needs its own id",
        ),
        (
            format!("@id(\"a\") @expire(\"1h\") {permit}"),
            "line 1: unknown key \"expire\" in the annotations of a policy; did you mean expires?",
        ),
        (
            format!("@id(\"a\") @message(\"no\") {permit}"),
            "line 1: @message is valid only on a forbid: move it there or remove it",
        ),
        (
            "@id(\"a\") @expires(\"1h\") forbid (principal, action, resource);".to_owned(),
            "line 1: @expires is valid only on a permit: move it there or remove it",
        ),
        (
            format!("@id(\"a\") @expires(\"soon\") {permit}"),
            "line 1: @expires cannot be soon: a duration is expected",
        ),
        (
            format!("@id(\"a\") @denials(\"0\") {permit}"),
            "line 1: @denials cannot be 0: a whole number from 1 to 32",
        ),
        ("@id(\"a\") permit (principal == ?principal, action, resource);".to_owned(), "templates"),
    ] {
        let error = error(&text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}
