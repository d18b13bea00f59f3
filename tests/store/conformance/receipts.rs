//! Receipts and operators' acts.

use super::journals::delete;
use super::requests::ask;
use super::*;
use store::{InstanceState, Precondition, ReceiptPage, ReceiptState, SignedBy, StoreError, StoredReceipt};
use workflow::{ArtifactFacts, ReceiptId, RecordedCommand};

fn id(name: &str) -> ReceiptId {
    format!("rcpt_{name}").parse().unwrap()
}

/// Keeps a receipt, as the fourth entry of an instance that asks.
fn issue(store: &dyn Store, name: &str) {
    issue_for(store, "acme", name);
}

/// The same with another tenant in what the receipt commits.
fn issue_for(store: &dyn Store, company: &str, name: &str) {
    issue_with(store, company, name, None);
}

/// The same with a summary.
fn issue_with(store: &dyn Store, company: &str, name: &str, summary: Option<&str>) {
    ask(store, name, &format!("apr_{name}"), "r");
    let artifact = serde_json::from_value(serde_json::json!({
        "receipt_id": id(name), "key_id": "key", "alg": "ed25519", "signed_payload_hash": "", "signature_b64": "", "payload_bytes_b64": ""
    }));
    let receipt = StoredReceipt {
        id: id(name),
        request: format!("apr_{name}").parse().unwrap(),
        artifact: artifact.unwrap(),
        request_json: "{}".to_owned(),
        request_commitment_salt_b64: String::new(),
        summary: summary.map(str::to_owned),
        company_id: company.to_owned(),
        idem_key: format!("apr_{name}"),
        input_hash: String::new(),
    };
    let kept = Batch { receipt: Some(Box::new(receipt)), ..batch(vec![step(1)]) };
    store.append(place(&key(name), 3), &kept).wait().unwrap();
}

fn redemption(name: &str, seen: Precondition, signed: Option<SignedBy>) -> Batch {
    let facts = ArtifactFacts { name: "app.js".to_owned(), sha256: Digest::of(b"artifact"), bytes: 8 };
    let (capability, resource) = ("a.b".to_owned(), "r".to_owned());
    let asked = RecordedCommand::Perform { capability, resource, artifact: facts, receipt: id(name) };
    let redeemed = Entry::Redeemed { call: 2, asked, receipt: id(name), idempotency_key: Digest::of(b"key") };
    Batch { seen: Some(Box::new(seen)), signed: signed.map(Box::new), ..batch(vec![redeemed]) }
}

fn unredeemed(name: &str, acts: u64) -> Precondition {
    Precondition { receipt: id(name), receipt_state: ReceiptState::default(), acts }
}

fn redeem(store: &dyn Store, name: &str) -> store::Written {
    store.append(place(&key(name), 4), &redemption(name, unredeemed(name, 0), None)).wait()
}

fn state(store: &dyn Store, name: &str) -> ReceiptState {
    store.receipt(&id(name)).wait().unwrap().unwrap().state
}

/// Redeemed and revoked at once from two threads, many times over: one of the two succeeds, and the other gets the
/// refusal.
pub(super) fn are_spent_or_taken_back_and_never_both(engine: &impl Engine) {
    let store = engine.open();
    for round in 0..40 {
        let name = format!("i{round}");
        issue(&*store, &name);
        let (spent, revoked) = std::thread::scope(|scope| {
            let spending = scope.spawn(|| redeem(&*store, &name));
            let revoking = scope.spawn(|| store.revoke(id(&name), AT, r#"{"id":"rev"}"#.to_owned()));
            (spending.join().unwrap(), revoking.join().unwrap())
        });
        let ReceiptState { redeemed, revoked: taken_back, .. } = state(&*store, &name);
        match (spent, revoked) {
            (Ok(_), Err(StoreError::AlreadyRedeemed(_))) => {
                assert!(redeemed.is_some() && taken_back.is_none())
            }
            (Err(StoreError::ReceiptMoved(_)), Ok(())) => assert!(redeemed.is_none() && taken_back.is_some()),
            both => panic!("{both:?}"),
        }
    }
    assert_eq!(store.receipts(store::ReceiptPage::ALL).wait().unwrap().len(), 40);
}

pub(super) fn are_read_in_pages(engine: &impl Engine) {
    let store = engine.open();
    for (number, company) in ["acme", "globex", "acme", "acme", "globex"].into_iter().enumerate() {
        issue_for(&*store, company, &format!("p{number}"));
    }
    let read = |tenant: Option<&str>, newest_first: bool| {
        let tenant: Option<TenantId> = tenant.map(|name| name.parse().unwrap());
        let (mut after, mut read) = (None, Vec::new());
        loop {
            let page = ReceiptPage { tenant: tenant.clone(), after, newest_first, limit: 2 };
            let ids = store.receipts(page).wait().unwrap();
            assert!(ids.len() <= 2, "{ids:?}");
            let Some(last) = ids.last() else { break read };
            after = Some(last.clone());
            read.extend(
                ids.iter().map(|id| id.as_str().trim_start_matches("rcpt_p").parse::<u32>().unwrap()),
            );
        }
    };
    assert_eq!((read(None, false), read(None, true)), (vec![0, 1, 2, 3, 4], vec![4, 3, 2, 1, 0]));
    assert_eq!((read(Some("acme"), false), read(Some("globex"), true)), (vec![0, 2, 3], vec![4, 1]));
    assert_eq!(read(Some("initech"), false), Vec::<u32>::new());
    assert_eq!(store.receipts(ReceiptPage::ALL).wait().unwrap().len(), 5);
}

/// A decider's reason may have any character, and look like a part of the receipt.
pub(super) fn are_their_tenants_whatever_their_reasons_say(engine: &impl Engine) {
    let store = engine.open();
    issue_with(&*store, "globex", "p0", Some("a\0b"));
    issue_with(&*store, "globex", "p1", Some(r#"","company_id":"acme"#));
    issue_for(&*store, "acme", "p2");
    let of = |tenant: &str| {
        let tenant = Some(tenant.parse().unwrap());
        store.receipts(ReceiptPage { tenant, ..ReceiptPage::ALL }).wait().unwrap()
    };
    assert_eq!((of("acme"), of("globex")), (vec![id("p2")], vec![id("p0"), id("p1")]));
}

pub(super) fn are_spent_as_the_writer_saw_them(engine: &impl Engine) {
    let store = engine.open();
    for name in ["a", "b"] {
        issue(&*store, name);
    }
    store.act(0, AT, r#"{"frozen":true}"#.to_owned()).unwrap();
    assert!(
        matches!(redeem(&*store, "a"), Err(StoreError::ActsMoved)),
        "an operator said something meanwhile"
    );
    let seen = redemption("a", unredeemed("a", 1), None);
    store.append(place(&key("a"), 4), &seen).wait().unwrap();
    assert!(state(&*store, "a").redeemed.is_some());
    let again = store.append(place(&key("a"), 5), &redemption("a", unredeemed("a", 1), None)).wait();
    assert!(matches!(again, Err(StoreError::ReceiptMoved(_))));
    store.revoke(id("b"), AT, r#"{"id":"rev"}"#.to_owned()).unwrap();
    assert!(matches!(store.revoke(id("b"), AT, "{}".to_owned()), Err(StoreError::Revoked(_))));
    assert_eq!((length(&*store, &key("a")), length(&*store, &key("b"))), (5, 4));
}

pub(super) fn are_precedents_once_spent(engine: &impl Engine) {
    let store = engine.open();
    let (code, bytes) = (Digest::of(b"code"), Digest::of(b"bytes"));
    let of = |tenant: &str, digests: &[Digest]| {
        store.precedents(&tenant.parse().unwrap(), digests).wait().unwrap()
    };
    let known = |tenant: &str, digest: &Digest| {
        let found = of(tenant, &[*digest]);
        assert!(found.iter().all(|(of, _)| of == digest));
        found.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    for (name, keys) in [("a", "k1"), ("b", "k1"), ("c", "k2")] {
        issue(&*store, name);
        assert!(!known("acme", &code).contains(&id(name)), "not before it is spent");
        let signed = SignedBy { keys: keys.to_owned(), digests: vec![code, bytes] };
        let spent = redemption(name, unredeemed(name, 0), Some(signed));
        store.append(place(&key(name), 4), &spent).wait().unwrap();
    }
    assert_eq!(
        known("acme", &code),
        [id("c"), id("b")],
        "the latest of each set of people, the latest first"
    );
    assert_eq!(known("acme", &bytes), [id("c"), id("b")]);
    assert!(known("globex", &code).is_empty() && known("acme", &Digest::of(b"other")).is_empty());
    let both = of("acme", &[bytes, Digest::of(b"other"), code]);
    for digest in [code, bytes] {
        let found: Vec<_> = both.iter().filter(|(of, _)| *of == digest).map(|(_, id)| id.clone()).collect();
        assert_eq!(found, [id("c"), id("b")], "each has its own, the latest first");
    }
    assert!(both.len() == 4 && of("acme", &[]).is_empty());
}

pub(super) fn acts_have_one_order(engine: &impl Engine) {
    let store = engine.open();
    let acts = |after| store.acts(after).wait().unwrap();
    assert!(acts(0).is_empty());
    let won: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|number| {
                let store = &store;
                scope.spawn(move || {
                    let act = store.act(0, AT, format!("{number}"));
                    assert!(matches!(act, Ok(()) | Err(StoreError::ActsMoved)));
                    usize::from(act.is_ok())
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!((won, acts(0).len()), (1, 1));
    let first = acts(0)[0].seq;
    store.act(first, later(1), "second".to_owned()).unwrap();
    assert_eq!(acts(first).iter().map(|act| act.body.as_str()).collect::<Vec<_>>(), ["second"]);
    drop(store);
    assert_eq!(engine.open().acts(0).wait().unwrap().len(), 2);
}

/// Also when the request was deleted with its instance.
pub(super) fn are_found_by_their_requests(engine: &impl Engine) {
    let store = engine.open();
    for name in ["a", "b"] {
        issue(&*store, name);
    }
    let found = |name: &str| {
        let request = format!("apr_{name}").parse().unwrap();
        let receipt = store.receipt_of(&request).wait().unwrap().map(|receipt| receipt.id);
        (store.request(&request).wait().unwrap().is_some(), receipt)
    };
    assert_eq!((found("a"), found("c")), ((true, Some(id("a"))), (false, None)));
    let ended = batch(vec![Entry::Completed { output: "1".to_owned() }]);
    let schedule = Some(row(InstanceState::Complete, None));
    store.append(place(&key("a"), 4), &Batch { schedule, ..ended }).wait().unwrap();
    delete(&*store, &key("a"), 5).unwrap();
    assert_eq!((found("a"), found("b")), ((false, Some(id("a"))), (true, Some(id("b")))));
}
