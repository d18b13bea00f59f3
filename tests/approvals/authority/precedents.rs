//! Receipts that make code known to an authority.

use super::*;

const KNOWN: &str = r#"
[[rule]]
id = "known-code"
component = "known"
then = "allow"

[[rule]]
id = "people"
then = "ask"
role = "release"
"#;

fn completed(two: &Two, key: &InstanceKey) {
    let end = support::block_on(two.host.drive(key)).unwrap();
    assert_eq!(support::result(&end)["status"], "deployed");
}

#[test]
fn a_clock_that_is_set_back_makes_no_revoked_approval_a_precedent() {
    let two = Two::new(KNOWN);
    let (key, id) = two.asked();
    two.host.sign(&id, &two.envelope(&id, ALICE)).unwrap();
    completed(&two, &key);
    // The same code goes ahead by itself: the host shows the receipt of the first time.
    let again = support::start(&two.host, "tenant-workflow", "{}");
    completed(&two, &again);
    let requested = support::entries(&two.host, &again).into_iter().find_map(|entry| match entry {
        Entry::Requested { request, .. } => Some(request),
        _ => None,
    });
    let request = two.host.request(&requested.unwrap()).unwrap();
    let precedents = request.known.precedents();
    let asked = |id: &str| {
        let request = Request { id: id.parse().unwrap(), ..request.clone() };
        two.ask(&json!({ "ask": "issue", "request": request, "envelopes": null, "precedents": precedents }))
    };
    assert_eq!(asked("apr_before")["answer"], "issued");
    two.clock.move_by_minutes(10);
    let key_id = decider_key(ALICE.1).public_key().key_id().to_string();
    let revoked = Act::KeyRevoked { key_id, compromised_at: None, reason: "lost".to_owned() };
    record_act_at(&two.path("authority"), revoked, two.clock.now());
    assert!(refusal(&asked("apr_after")).contains("the policy asks"));
    two.clock.move_by_minutes(-10);
    assert!(refusal(&asked("apr_set_back")).contains("the policy asks"));
}
