//! The host's copy of an authority's keys and acts, and passkeys that are registered there.

use super::*;

#[test]
fn another_account_on_the_socket_is_not_the_authority() {
    let two = Two::new(ONE);
    let (socket, host) = (two.path("socket"), two.path("new"));
    let stranger = crate::support::storage::builder(&host)
        .authority(socket.clone())
        .authority_account(own_account() + 1);
    let refused = opened(stranger.open());
    let (found, expected) = (own_account(), own_account() + 1);
    assert!(refused.contains(&format!("runs under account {found}")), "{refused}");
    assert!(
        refused.contains(&format!("run under account {expected}")) && refused.contains("--authority-account")
    );
    assert!(!host.join("keys").exists(), "nothing is taken over");
    crate::support::storage::builder(&host)
        .authority(socket)
        .authority_account(own_account())
        .open()
        .unwrap();
}

#[test]
fn an_authority_with_other_keys_or_another_past_is_refused_and_nothing_is_taken_over() {
    let two = Two::new(ONE);
    two.asked();
    let before = two.copy();
    // Another authority with the same people, and one of its own.
    let fake = two.path("fake");
    add(&fake, "mallory", "release", 66, None);
    people(&fake);
    serve(&fake, &two.path("fake.socket"), ONE, &two.clock);
    // The same acts, other keys.
    let other_keys = two.path("other-keys");
    copy(&two.path("authority"), &other_keys, &["journal.sqlite"]);
    Keyring::open(&other_keys.join("keys"), &[[7; 32], [8; 32]], Timestamp::from_millis(BEGINNING)).unwrap();
    serve(&other_keys, &two.path("other-keys.socket"), ONE, &two.clock);
    // The same keys, other acts.
    let other_acts = two.path("other-acts");
    add(&other_acts, "mallory", "release", 66, None);
    copy(&two.path("authority"), &other_acts, &["keys"]);
    serve(&other_acts, &two.path("other-acts.socket"), ONE, &two.clock);
    let (folder, clock, policy) = (two.folder, two.clock, two.policy);
    let changes = two.changes;
    drop(two.host);
    changes.lock().unwrap().clear();
    let open = |socket: &str| {
        builder(&folder.path().join("host"), policy, &clock, &changes)
            .authority(folder.path().join(socket))
            .open()
    };
    let refused = opened(open("fake.socket"));
    assert!(refused.contains("does not begin with this data folder's copy"), "{refused}");
    assert!(opened(open("other-acts.socket")).contains("does not begin with this data folder's copy"));
    let refused = opened(open("other-keys.socket"));
    assert!(refused.contains("does not have key pp_"), "{refused}");
    assert!(changes.lock().unwrap().is_empty());
    let host = open("socket").unwrap();
    let two = Two { folder, clock, policy, host, changes };
    assert_eq!(two.copy(), before);
    assert!(two.said().is_empty(), "nothing has changed");
}

#[test]
fn an_older_copy_of_the_authority_is_refused_and_a_later_one_is_taken_on_loudly() {
    let two = Two::new(ONE);
    let first = two.said();
    assert_eq!(
        first.iter().filter(|said| said.contains("is new, and pinned from now on")).count(),
        2,
        "{first:?}"
    );
    assert!(first.iter().any(|said| said.contains("alice may decide as release")), "{first:?}");
    let (keys, older) = (two.path("authority"), two.path("older"));
    copy(&keys, &older, &["journal.sqlite", "keys"]);
    serve(&older, &two.path("older.socket"), ONE, &two.clock);
    add(&keys, "carol", "release", 3, None);
    two.asked();
    let said = two.said();
    assert!(said.len() == 2 && said[0].contains("carol may decide as release"), "{said:?}");
    // A key is rotated, and the authority starts again.
    let rotated =
        Keyring::rotate(&keys.join("keys"), Scope::Production, &[9; 32], Timestamp::from_millis(BEGINNING));
    let rotated = rotated.unwrap();
    let later = two.path("later");
    copy(&keys, &later, &["journal.sqlite", "keys"]);
    serve(&later, &two.path("later.socket"), ONE, &two.clock);
    let two = two.moved_to("later.socket").unwrap();
    let said = two.said();
    assert!(said.iter().any(|said| said.contains("no longer signs")), "{said:?}");
    assert!(said.iter().any(|said| said.contains(&rotated) && said.contains("is new")), "{said:?}");
    let before = two.copy();
    let Two { folder, clock, policy, host, changes } = two;
    drop(host);
    let older = builder(&folder.path().join("host"), policy, &clock, &changes);
    let refused = opened(older.authority(folder.path().join("older.socket")).open());
    assert!(refused.contains("does not begin with this data folder's copy"), "{refused}");
    let pinned = fs::read_to_string(folder.path().join("host/keys/keys.json")).unwrap();
    assert_eq!(pinned, before.0);
}

/// Operators rotate and revoke keys in the authority's folder while it serves, and while a host of it works.
#[test]
fn a_key_that_is_rotated_or_revoked_there_counts_here_at_once() {
    let two = Two::new(ONE);
    let keys = two.path("authority/keys");
    let production =
        |seed| Keyring::rotate(&keys, Scope::Production, &[seed; 32], Timestamp::from_millis(BEGINNING));
    let (key, request) = two.asked();
    two.said();
    let rotated = production(9).unwrap();
    let SignOutcome::Issued(receipt) = two.host.sign(&request, &two.envelope(&request, ALICE)).unwrap()
    else {
        panic!("it is decided");
    };
    assert_eq!(receipt.artifact.key_id, rotated);
    let done = support::block_on(two.host.drive(&key)).unwrap();
    assert!(matches!(done, engine::Status::Completed(_)), "{done:?}");
    assert!(two.said().iter().any(|said| said.contains(&rotated) && said.contains("is new")));
    let (key, request) = two.asked();
    two.host.sign(&request, &two.envelope(&request, ALICE)).unwrap();
    Keyring::revoke(&keys, &rotated, Timestamp::from_millis(BEGINNING)).unwrap();
    support::block_on(two.host.drive(&key)).unwrap();
    assert_eq!(support::deployments(&two.path("host")).len(), 1, "the revoked key's receipt opens nothing");
    assert!(two.said().iter().any(|said| said.contains("is revoked")));
    // The authority signs again only after it has a new key.
    let (_, request) = two.asked();
    let refused = two.host.sign(&request, &two.envelope(&request, ALICE)).unwrap_err().to_string();
    assert!(refused.contains("no active key"), "{refused}");
    let next = production(10).unwrap();
    let SignOutcome::Issued(receipt) = two.host.sign(&request, &two.envelope(&request, ALICE)).unwrap()
    else {
        panic!("it is decided");
    };
    assert_eq!(receipt.artifact.key_id, next);
}

/// Copies the named files from a folder without writers.
fn copy(from: &Path, to: &Path, names: &[&str]) {
    if names.contains(&"journal.sqlite") {
        let all = to.with_extension("all");
        store_sqlite::back_up(&DataFolder::read(from).unwrap(), &all).unwrap();
        fs::create_dir(to).unwrap();
        fs::rename(all.join("journal.sqlite"), to.join("journal.sqlite")).unwrap();
    }
    if names.contains(&"keys") {
        fs::create_dir(to.join("keys")).unwrap();
        for file in fs::read_dir(from.join("keys")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join("keys").join(file.file_name())).unwrap();
        }
    }
}

/// Invites Dora in the authority's folder, and returns her code.
fn invited(keys: &Path, clock: &ManualClock) -> InvitationCode {
    let invite = Invite {
        decider: "dora".parse().unwrap(),
        roles: ["release".parse().unwrap()].into(),
        tenants: [].into(),
        relying_party: RelyingParty::of_origin(ORIGIN).unwrap(),
        lifetime: Duration::from_secs(900),
    };
    let (act, code) = invite.act(clock.now()).unwrap();
    record_act(keys, act);
    code
}

#[test]
fn a_passkey_is_registered_at_the_authority_and_confirmed_there() {
    let two = Two::new(ONE);
    let keys = two.path("authority");
    let dora = SoftwareAuthenticator::new(&[9; 32], ORIGIN).unwrap();
    let code = invited(&keys, &two.clock);
    let key = two.host.register_passkey(&code, &dora.create(&code.challenge())).unwrap();
    let by_invitation =
        |act: &RecordedTrustAct| act.by == "invitation" && matches!(act.act, Act::PasskeyRegistered { .. });
    let acts = Sqlite::open(&DataFolder::read(&keys).unwrap()).unwrap().acts(0).wait().unwrap();
    let acts: Vec<RecordedTrustAct> =
        acts.iter().map(|act| serde_json::from_str(&act.body).unwrap()).collect();
    assert!(by_invitation(acts.last().unwrap()), "{:?}", acts.last());
    let refused = two.host.register_passkey(&code, &dora.create(&code.challenge())).unwrap_err().to_string();
    assert!(refused.contains("the invitation is not open"), "{refused}");

    // It decides nothing before an operator of the authority confirms it.
    let (_, id) = two.asked();
    let by = "dora".parse().unwrap();
    let ask = || two.host.assertion_request(&id, &by, None, (Decision::Approved, None), ORIGIN);
    assert!(ask().is_err());
    let trust = two.host.trust().unwrap();
    let invitation = trust.invitations().find(|invitation| invitation.decider == by).unwrap().clone();
    assert_eq!(invitation.registered.as_ref().map(PublicKey::key_id), Some(key.key_id()));
    invitation.confirmation().unwrap().into_iter().for_each(|act| record_act(&keys, act));
    let request = ask().unwrap();
    let response = dora.get(&request.challenge);
    let recorded = two.host.sign_with_passkey(&id, &request.statement, key.key_id(), response).unwrap();
    assert!(matches!(recorded, SignOutcome::Issued(_)), "{recorded:?}");
}

#[test]
fn the_authority_looks_at_a_registration_itself() {
    let two = Two::new(ONE);
    let keys = two.path("authority");
    let code = invited(&keys, &two.clock);
    let ask = |code: &InvitationCode, origin: &str, verifies_user: bool| {
        let mut authenticator = SoftwareAuthenticator::new(&[9; 32], origin).unwrap();
        authenticator.verifies_user = verifies_user;
        let answer = authenticator.create(&code.challenge());
        two.ask(&json!({
            "ask": "register",
            "code": code.to_string(),
            "public_key": answer.public_key,
            "authenticator_data": answer.authenticator_data,
            "client_data_json": answer.client_data_json,
        }))
    };
    for (code, origin, verifies_user, expected) in [
        (&InvitationCode::draw().unwrap(), ORIGIN, true, "the invitation is not open"),
        (&code, "https://evil.example", true, "which is no origin of this key"),
        (&code, ORIGIN, false, "no user verification"),
    ] {
        let answer = ask(code, origin, verifies_user);
        assert!(refusal(&answer).contains(expected), "{answer}");
    }
    assert_eq!(ask(&code, ORIGIN, true)["answer"], "done");
}
