//! A text in TOML that is not understood is no policy, and the line is named.

use policy::{Ask, MOST_TEXT, Need, Quorum, Toml};

/// The error of a text.
fn error(text: &str) -> String {
    match Toml::parse(text) {
        Ok(policy) => panic!("{policy:?}"),
        Err(error) => error.to_string(),
    }
}

/// A rule, complete but for these lines.
fn rule(lines: &str) -> String {
    error(&format!("# a policy\n[[rule]]\nid = \"it\"\n{lines}\nthen = \"allow\"\n"))
}

#[test]
fn what_is_not_toml() {
    for text in ["[[rule]", "rule = ", "[default]\nthen = \"ask\"\nthen = \"allow\"", "a = 1\na = 2", "\u{0}"]
    {
        let error = error(text);
        assert!(error.contains("not TOML: ") && error.starts_with("line "), "{error}");
    }
    assert_eq!(error("[default]\nthen = ask"), error("[default]\nthen = ask"));
    assert!(error("[default]\nthen = ask").starts_with("line 2: "));
}

#[test]
fn keys_that_mean_nothing_there() {
    assert_eq!(
        error("[[rules]]\nid = \"a\""),
        "line 1: unknown key \"rules\" in a policy; did you mean rule?"
    );
    assert_eq!(
        rule("capabilty = \"a\""),
        "line 4: unknown key \"capabilty\" in a rule; did you mean capability?"
    );
    assert_eq!(
        rule("Artifact_Bytes_At_Most = 1"),
        "line 4: unknown key \"Artifact_Bytes_At_Most\" in a rule; did you mean artifact-bytes-at-most?"
    );
    assert_eq!(
        error("[default]\ntenant = \"acme\"\nthen = \"ask\""),
        "line 2: unknown key \"tenant\" in the default; it can be then, role, approvals, denials, expires, keys, message"
    );
    let long = rule(&format!("{} = 1", "x".repeat(100_000)));
    assert!(long.len() < 400, "{long}");
}

#[test]
fn values_that_cannot_be() {
    for (line, expected) in [
        ("environment = \"prod\"", "environment cannot be \"prod\"; did you mean production?"),
        (
            "environment = []",
            "environment is empty: write the value to match, or remove the key to match any value",
        ),
        ("tenant = \"\"", "tenant is empty: write the value to match, or remove the key to match any value"),
        ("tenant = 7", "tenant is integer, and a text in quotation marks is expected"),
        ("tenant = [[\"a\"]]", "tenant is array, and a text in quotation marks is expected"),
        (
            "tenant = \"acme corp\"",
            "\"acme corp\" is not a tenant id: 1 to 100 characters of A-Z a-z 0-9 _ -",
        ),
        (
            "actor = \"agent builder*\"",
            "\"agent builder\" is not an actor: 1 to 128 characters of A-Z a-z 0-9 . _ : / @ -",
        ),
        (
            "resource = \"cloud://*/app\"",
            "resource has a star inside \"cloud://*/app\"; a star is valid only at the end, for every name that begins with the text before it",
        ),
        ("artifact = \"old\"", "artifact cannot be \"old\"; it can be known, new, none"),
        ("component = \"none\"", "component cannot be \"none\"; it can be known, new"),
        (
            "artifact-bytes-at-most = \"1 MB\"",
            "artifact-bytes-at-most cannot be \"1 MB\": a size is expected: a whole number of bytes, or one with B, KiB, MiB or GiB, such as \"64 MiB\"",
        ),
        (
            "artifact-bytes-over = -1",
            "artifact-bytes-over cannot be -1: a size is expected: a whole number of bytes, or one with B, KiB, MiB or GiB, such as \"64 MiB\"",
        ),
        (
            "role = \"release team\"",
            "\"release team\" is not a role: 1 to 64 characters of a-z 0-9 . _ -, the first a letter or a digit, and not \"anyone\"",
        ),
        (
            "role = \"anyone\"",
            "\"anyone\" is not a role: 1 to 64 characters of a-z 0-9 . _ -, the first a letter or a digit, and not \"anyone\"",
        ),
        ("approvals = 0", "approvals cannot be 0: a whole number from 1 to 32 is expected"),
        ("approvals = \"2\"", "approvals cannot be \"2\": a whole number from 1 to 32 is expected"),
        ("denials = 33", "denials cannot be 33: a whole number from 1 to 32 is expected"),
        ("approvals = 33", "approvals cannot be 33: a whole number from 1 to 32 is expected"),
        ("approvals = 1.5", "approvals cannot be 1.5: a whole number from 1 to 32 is expected"),
        (
            "expires = \"1 day\"",
            "expires cannot be \"1 day\": a duration is expected: a whole number with s, m, h or d, such as \"15m\" or \"24h\"",
        ),
        ("expires = \"0s\"", "expires cannot be \"0s\": a duration is at least 1s and at most 365d"),
        ("expires = 15", "expires is integer, and a text in quotation marks is expected"),
    ] {
        assert_eq!(rule(line), format!("line 4: {expected}"), "{line}");
    }
    assert_eq!(error("[default]\nthen = \"alow\""), "line 2: then cannot be \"alow\"; did you mean allow?");
    assert_eq!(
        error("[rule]\nid = \"a\""),
        "line 1: rule is table, and a list of tables: [[rule]] on a line of its own is expected"
    );
    assert_eq!(
        error("default = \"ask\""),
        "line 1: default is string, and a table: [default] on a line of its own is expected"
    );
}

#[test]
fn rules_that_contradict_themselves() {
    for (line, expected) in [
        (
            "approvals = 2",
            "line 4: approvals is valid only with then = \"ask\", and this rule has then = \"allow\": change one or remove the other",
        ),
        (
            "role = \"release\"",
            "line 4: role is valid only with then = \"ask\", and this rule has then = \"allow\": change one or remove the other",
        ),
        (
            "expires = \"1h\"",
            "line 4: expires is valid only with then = \"ask\", and this rule has then = \"allow\": change one or remove the other",
        ),
        (
            "message = \"no\"",
            "line 4: message is valid only with then = \"deny\", and this rule has then = \"allow\": change one or remove the other",
        ),
        (
            "artifact = \"none\"\nartifact-bytes-at-most = 5",
            "line 2: no action can fit both artifact (none) and artifact-bytes-at-most (5 B at most): this rule never matches",
        ),
        (
            "artifact-bytes-at-most = \"1 KiB\"\nartifact-bytes-over = \"1 KiB\"",
            "line 2: no action can fit both artifact-bytes-at-most (1 KiB at most) and artifact-bytes-over (more than 1 KiB): this rule never matches",
        ),
    ] {
        assert_eq!(rule(line), expected, "{line}");
    }
    assert_eq!(
        error("[default]\nthen = \"deny\"\napprovals = 2"),
        "line 3: approvals is valid only with then = \"ask\", and this rule has then = \"deny\": change one or remove the other"
    );
}

#[test]
fn what_is_missing_or_there_twice() {
    assert_eq!(
        error("\n\n[[rule]]\nthen = \"allow\""),
        "line 3: a rule needs id, such as id = \"small-changes\""
    );
    assert_eq!(error("[[rule]]\nid = \"a\""), "line 1: a rule needs then, such as then = \"ask\"");
    assert_eq!(error("\n[default]\napprovals = 2"), "line 2: the default needs then, such as then = \"ask\"");
    let rule = "[[rule]]\nid = \"a\"\nthen = \"allow\"\n";
    assert_eq!(
        error(&rule.repeat(2)),
        "line 4: rule a already exists, on line 1: each rule needs its own id"
    );
    assert!(error("[[rule]]\nid = \"default\"\nthen = \"allow\"").contains("is not a rule id"));
}

#[test]
fn more_than_anybody_reads() {
    let rules: String =
        (0..2_001).map(|index| format!("[[rule]]\nid = \"r{index}\"\nthen = \"allow\"\n")).collect();
    assert_eq!(error(&rules), "line 1: there are 2001 rules; a policy has at most 2000");
    let text = "#".repeat(MOST_TEXT + 1);
    assert_eq!(error(&text), "the text has 1048577 bytes; a policy has at most 1048576");
    assert!(error(&format!("rule = {}", "[".repeat(100_000))).contains("not TOML"));
}

#[test]
fn a_message_is_no_longer_than_a_receipt_commits_to() {
    let denying = |len: usize| {
        let text = format!("[[rule]]\nid = \"a\"\nthen = \"deny\"\nmessage = \"{}\"", "x".repeat(len));
        Toml::parse(&text).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(denying(policy::MOST_MESSAGE), Ok(()));
    let expected = "line 4: the message has 4097 bytes; a receipt commits to at most 4096";
    assert_eq!(denying(policy::MOST_MESSAGE + 1), Err(expected.to_owned()));
}

/// An embedding program may have a policy of its own, and Cedar adds up the approvals of several conditions.
#[test]
fn an_answer_asks_for_no_more_people_than_a_receipt_commits_to() {
    let need =
        |role: Option<&str>, approvals| Need { role: role.map(|role| role.parse().unwrap()), approvals };
    let ask = |needs: Vec<Need>| Ask { quorums: vec![Quorum { needs }], ..Ask::one() };
    assert_eq!(ask(vec![need(None, 32)]).check(), Ok(()));
    assert_eq!(ask(vec![need(Some("a"), 16), need(Some("b"), 16), need(None, 32)]).check(), Ok(()));
    let many = ask(vec![need(Some("ops"), 20), need(Some("release"), 13)]).check().unwrap_err();
    assert_eq!(
        many.to_string(),
        "the policy asks for 33 people (20 of ops and 13 of release), and a receipt commits to the decisions of 32 at most: it has to ask for fewer"
    );
    assert!(Ask { denials: 33, ..Ask::one() }.check().is_err());
}
