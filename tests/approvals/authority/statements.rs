//! The authority's own copy of signed statements: nothing that was not signed, each once, and a bounded number.

use super::*;
use std::os::unix::net::UnixListener;

/// The envelopes that the authority has kept, in order.
fn kept(two: &Two) -> Vec<String> {
    let lines = fs::read_to_string(two.path("authority/statements.jsonl")).unwrap();
    let envelope =
        |line| serde_json::from_str::<Value>(line).unwrap()["envelope"].as_str().unwrap().to_owned();
    lines.lines().map(envelope).collect()
}

/// The envelope with another text in place of its key's id, which is not signed.
fn naming(envelope: &Envelope, words: &str) -> String {
    let mut json: Value = serde_json::from_str(&envelope.to_json().canonical()).unwrap();
    json["signatures"][0]["keyid"] = words.into();
    json.to_string()
}

#[test]
fn each_decision_is_kept_once_and_nothing_that_was_not_signed() {
    let two = Two::new(TWO);
    let (_, id) = two.asked();
    let request = two.host.request(&id).unwrap();
    let (alices, bobs) = (two.envelope(&id, ALICE), two.envelope(&id, BOB));
    let admit =
        |envelope: &str| two.ask(&json!({ "ask": "admit", "request": request, "envelope": envelope }));
    for words in ["NOT SIGNED: alice says hello", "another", ""] {
        assert_eq!(admit(&naming(&alices, words))["answer"], "done");
    }
    let key_id = decider_key(ALICE.1).public_key().key_id().to_string();
    let normalised = naming(&alices, &key_id);
    assert_eq!(admit(&normalised)["answer"], "done");
    let canonical = |text: &str| Envelope::parse(text).unwrap().to_json().canonical();
    assert_eq!(kept(&two), [canonical(&normalised)]);
    // The last signature brings the others along, with any text in place of the key's id.
    let all = [naming(&alices, "once more"), naming(&bobs, "bob"), naming(&bobs, "bob again")];
    let issued = two.ask(&json!({ "ask": "issue", "request": request, "envelopes": all }));
    assert_eq!(issued["receipt"]["artifact"]["status"], "APPROVED", "{issued}");
    assert_eq!(kept(&two).len(), 2, "one line for each decision");
    assert!(!fs::read_to_string(two.path("authority/statements.jsonl")).unwrap().contains("bob again"));
}

/// What a host may send again and again, and what one person may sign.
#[test]
fn one_person_s_statements_about_a_request_are_bounded_and_keep_no_other_person_from_deciding() {
    let two = Two::new(TWO);
    let (_, id) = two.asked();
    let request = two.host.request(&id).unwrap();
    let admit = |envelope: &Envelope| {
        two.ask(&json!({ "ask": "admit", "request": request, "envelope": envelope.to_json().canonical() }))
    };
    for _ in 0..receipt::MAX_APPROVALS {
        assert_eq!(admit(&two.envelope(&id, ALICE))["answer"], "done");
    }
    assert!(refusal(&admit(&two.envelope(&id, ALICE))).contains("has signed as many statements"));
    assert_eq!(kept(&two).len(), receipt::MAX_APPROVALS);
    let issued = two.issue(&request, &[&two.envelope(&id, BOB)]);
    assert_eq!(issued["receipt"]["artifact"]["status"], "APPROVED", "{issued}");
}

/// The folder of an earlier version may have an envelope as it was submitted.
#[test]
fn an_envelope_that_was_kept_as_it_was_submitted_counts() {
    let two = Two::new(TWO);
    let (_, id) = two.asked();
    let request = two.host.request(&id).unwrap();
    let line = json!({
        "request": id,
        "envelope": naming(&two.envelope(&id, ALICE), "alice"),
        "at": Timestamp::from_millis(BEGINNING),
    });
    let keys = two.path("older");
    people(&keys);
    drop(office(&keys, TWO, &two.clock));
    fs::write(keys.join("statements.jsonl"), format!("{line}\n")).unwrap();
    serve(&keys, &two.path("older.socket"), TWO, &two.clock);
    let envelopes = [two.envelope(&id, BOB).to_json().canonical()];
    let question = json!({ "ask": "issue", "request": request, "envelopes": envelopes });
    let answer = ask(&two.path("older.socket"), &question);
    assert_eq!(answer["receipt"]["artifact"]["status"], "APPROVED", "{answer}");
}

/// Listens in the authority's place, hands every question on, and notes it.
fn noted(two: &Two) -> (PathBuf, Arc<Mutex<Vec<Value>>>) {
    let (path, real) = (two.path("noted.socket"), two.path("socket"));
    let (listener, notes) = (UnixListener::bind(&path).unwrap(), Arc::new(Mutex::new(Vec::new())));
    let noting = Arc::clone(&notes);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut line) = (stream.unwrap(), String::new());
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let question: Value = serde_json::from_str(&line).unwrap();
            let answer = ask(&real, &question);
            noting.lock().unwrap().push(question);
            stream.write_all(format!("{answer}\n").as_bytes()).unwrap();
        }
    });
    (path, notes)
}

/// All that were ever signed might not fit into a message.
#[test]
fn a_host_sends_the_statements_that_support_the_decision() {
    let two =
        Two::new("[[rule]]\nid = \"r\"\nthen = \"ask\"\nrole = \"release\"\napprovals = 2\ndenials = 2\n");
    add(&two.path("authority"), "erin", "release", 5, None);
    let (path, notes) = noted(&two);
    let two = two.moved_to(path.file_name().unwrap().to_str().unwrap()).unwrap();
    let (_, id) = two.asked();
    let denied = DecisionStatement { decision: Decision::Denied, ..two.statement(&id, ALICE) };
    let denied = receipt::sign_decision(&denied, &decider_key(ALICE.1)).unwrap();
    for changed in [two.envelope(&id, ALICE), denied] {
        assert!(matches!(two.host.sign(&id, &changed).unwrap(), SignOutcome::Waiting(_)));
    }
    let supporting = [two.envelope(&id, BOB), two.envelope(&id, ("erin", 5))];
    assert!(matches!(two.host.sign(&id, &supporting[0]).unwrap(), SignOutcome::Waiting(_)));
    assert!(matches!(two.host.sign(&id, &supporting[1]).unwrap(), SignOutcome::Issued(_)));
    assert_eq!(kept(&two).len(), 4);
    let notes = notes.lock().unwrap();
    let [issue] = notes.iter().filter(|note| note["ask"] == "issue").collect::<Vec<_>>().try_into().unwrap();
    let sent = issue["envelopes"].as_array().unwrap().iter();
    let sent: Vec<_> = sent.map(|text| Envelope::parse(text.as_str().unwrap()).unwrap()).collect();
    let payloads = |envelopes: &[Envelope]| {
        let of = |envelope: &Envelope| envelope.to_json().get("payload").unwrap().canonical();
        envelopes.iter().map(of).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(payloads(&sent), payloads(&supporting));
}
