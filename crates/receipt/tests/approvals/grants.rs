//! Roles and tenants over time: an auditor asks about those at the time of issue, a gate about the present ones.

use super::*;
use receipt::Grants;

/// Alice has these roles and tenants now, and had others until that moment.
fn changed(before: (&str, &[&str]), now: (&str, &[&str]), until: &str) -> DeciderSet {
    let tenants = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut alices = person("alice", &alice());
    (alices.roles, alices.tenants) = (vec![before.0.parse().unwrap()], tenants(before.1));
    let mut set = DeciderSet::new();
    set.insert(alices).unwrap();
    let id = "alice".parse().unwrap();
    set.grant(&id, vec![now.0.parse().unwrap()], tenants(now.1), at(until)).unwrap();
    // As it is pinned: a file.
    DeciderSet::parse(&set.to_json()).unwrap()
}

fn verdicts(set: &DeciderSet) -> [bool; 3] {
    let (opened, now) = (open(&draft()), at("2026-11-23T09:10:00.000Z"));
    [Judged::AsIssued, Judged::Now(now), Judged::InRetrospect(now)]
        .map(|judged| verify_approvals(&opened, set, judged).is_ok())
}

#[test]
fn a_role_or_a_tenant_that_is_lost_later_counted_when_the_receipt_was_issued() {
    const LATER: &str = "2026-11-23T09:05:00.000Z";
    for lost in [("security", &[][..]), ("release", &["umbrella"])] {
        let set = changed(("release", &["acme"]), lost, LATER);
        assert_eq!(verdicts(&set), [true, false, false], "{lost:?}");
        // At the moment of issue it was lost already.
        let set = changed(("release", &["acme"]), lost, "2026-11-23T09:00:00.000Z");
        assert_eq!(verdicts(&set), [false; 3], "{lost:?}");
        let set = changed(("release", &["acme"]), lost, "2026-11-23T09:00:00.001Z");
        assert_eq!(verdicts(&set), [true, false, false], "{lost:?}");
    }
}

#[test]
fn a_role_or_a_tenant_that_is_given_later_supports_no_earlier_receipt() {
    for before in [("security", &[][..]), ("release", &["umbrella"])] {
        let set = changed(before, ("release", &["acme"]), "2026-11-23T09:05:00.000Z");
        assert_eq!(verdicts(&set), [false, true, true], "{before:?}");
        let error = verify_approvals(&open(&draft()), &set, Judged::AsIssued).unwrap_err();
        assert!(matches!(error, ApprovalError::Role { .. } | ApprovalError::Tenant { .. }), "{error}");
    }
}

/// Present ones are those without an end: a clock that is set back gives no role back.
#[test]
fn a_clock_that_is_set_back_gives_no_role_back() {
    let set = changed(("release", &[]), ("security", &[]), "2026-11-23T09:05:00.000Z");
    let before = at("2026-11-23T09:01:00.000Z");
    let envelope = sign_decision(&good(), &alice()).unwrap();
    let error = set.admit(&envelope, &Expected::about(&good().matter, before)).unwrap_err();
    assert!(matches!(error, ApprovalError::Role { .. }), "{error}");
    assert!(verify_approvals(&open(&draft()), &set, Judged::Now(before)).is_err());
}

#[test]
fn what_was_given_is_kept_with_its_end_and_what_was_never_in_force_is_not() {
    let (id, role) = ("alice".parse().unwrap(), |name: &str| vec![name.parse().unwrap()]);
    let mut set = deciders();
    let earlier = |set: &DeciderSet| set.people()[0].earlier.clone();
    let (first, second) = (at("2026-11-01T00:00:00.000Z"), at("2026-11-02T00:00:00.000Z"));
    set.grant(&id, role("release"), vec![], first).unwrap();
    assert_eq!(earlier(&set), [], "nothing changed");
    assert!(set.to_json().ends_with(r#""version":1}"#), "as before there were changes");
    set.grant(&id, role("audit"), vec![], first).unwrap();
    set.grant(&id, role("security"), vec!["acme".to_owned()], first).unwrap();
    let released = Grants { roles: role("release"), tenants: vec![], until: first };
    assert_eq!(earlier(&set), std::slice::from_ref(&released));
    set.grant(&id, role("release"), vec![], second).unwrap();
    let secured = Grants { roles: role("security"), tenants: vec!["acme".to_owned()], until: second };
    assert_eq!(earlier(&set), [released, secured]);
    assert_eq!(set.people()[0].roles, role("release"));
    assert!(set.to_json().ends_with(r#""version":2}"#));
    assert_eq!(DeciderSet::parse(&set.to_json()), Ok(set.clone()));
    let twice = [role("audit"), role("audit")].concat();
    assert!(set.clone().grant(&id, twice, vec![], second).is_err());
    assert!(set.grant(&"bob".parse().unwrap(), role("audit"), vec![], second).is_err());
}

#[test]
fn odd_earlier_roles_are_refused() {
    let text = changed(("release", &["acme"]), ("audit", &[]), "2026-11-23T09:05:00.000Z").to_json();
    let entry = r#"{"roles":["release"],"tenants":["acme"],"until":"2026-11-23T09:05:00.000Z"}"#;
    for (from, to) in [
        (r#""version":2"#, r#""version":1"#.to_owned()),
        (entry, "1".to_owned()),
        (entry, format!("{entry},{entry}")),
        (r#""earlier":["#, r#""earlier":{"x":["#.to_owned()),
        (r#""tenants":["acme"]"#, r#""tenants":["acme","acme"]"#.to_owned()),
        (r#""tenants":["acme"]"#, r#""tenants":[""]"#.to_owned()),
        (r#"{"roles":["release"],"#, r#"{"roles":["Release"],"#.to_owned()),
        (r#""until":"2026-11-23T09:05:00.000Z""#, r#""until":"yesterday""#.to_owned()),
        (r#","until":"2026-11-23T09:05:00.000Z""#, String::new()),
        (r#""until":"#, r#""from":1,"until":"#.to_owned()),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(DeciderSet::parse(&text.replace(from, &to)).is_err(), "{from} {to}");
    }
    let later = entry.replace("09:05", "09:06");
    assert!(DeciderSet::parse(&text.replace(entry, &format!("{entry},{later}"))).is_ok());
    let many: Vec<_> = (0..=receipt::MAX_CHANGES as i64)
        .map(|moment| Grants {
            roles: vec![],
            tenants: vec![],
            until: receipt::Timestamp::from_millis(moment),
        })
        .collect();
    let full = receipt::Person { earlier: many, ..person("alice", &alice()) };
    let error = DeciderSet::new().insert(full).unwrap_err();
    assert!(matches!(error, receipt::DeciderSetError::TooMany { .. }), "{error}");
}
