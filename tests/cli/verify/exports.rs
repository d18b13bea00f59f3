//! Exported receipts: what they have, what opens them, and who can read them.

use super::*;

#[test]
fn an_exported_receipt_verifies_here() {
    let data = folder();
    let keys = write(data.path(), "keys.json", &run(data.path(), &["keys", "export"]).stdout);
    for (status, decision) in [("APPROVED", "decision     APPROVED"), ("DENIED", "decision     DENIED")] {
        let id = receipt_id(data.path(), status);
        let exported = run(data.path(), &["receipts", "export", &id]).stdout;
        let file = write(data.path(), "artifact.json", &exported);
        let verified = run(data.path(), &["verify", &file, "--keys", &keys]);
        assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
        assert!(
            verified.stdout.contains(decision) && verified.stdout.contains("commitment   opened"),
            "{}",
            verified.stdout
        );
        assert_eq!(verified.stdout.contains("outcome      succeeded"), status == "APPROVED");
        let shown = run(data.path(), &["receipts", "show", &id]);
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert!(shown.stdout.contains(decision), "{}", shown.stdout);
    }
}

#[test]
fn an_export_has_the_owner_s_fields_or_leaves_them_out() {
    let data = folder();
    let id = receipt_id(data.path(), "APPROVED");
    let export = |arguments: &[&str]| -> Value {
        serde_json::from_str(&run(data.path(), &[&["receipts", "export", &id], arguments].concat()).stdout)
            .unwrap()
    };
    let (owner, public) = (export(&[]), export(&["--public"]));
    for field in
        ["request_json", "request_commitment_salt_b64", "summary", "company_id", "idem_key", "input_hash"]
    {
        assert!(owner["artifact"][field].is_string(), "{field}");
        assert!(public["artifact"].get(field).is_none() && owner.get(field).is_none(), "{field}");
    }
    let signed = |export: &Value| export["artifact"]["payload_bytes_b64"].clone();
    assert_eq!(signed(&owner), signed(&public));
    assert!(owner["artifact"]["redeemed_at"].is_string());
    assert_eq!(owner["attestation_artifact"]["outcome"], "succeeded");
    assert_eq!(public["attestation_artifact"]["payload_withheld"], true);
    assert!(public["attestation_artifact"].get("payload_bytes_b64").is_none());
    let keys = write(data.path(), "keys.json", &run(data.path(), &["keys", "export"]).stdout);
    let file = write(data.path(), "public.json", &public.to_string());
    let verified = run(data.path(), &["verify", &file, "--keys", &keys]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
    assert!(verified.stdout.contains("commitment   not opened"));
}

#[test]
fn a_stranger_s_verifier_accepts_what_this_host_issues() {
    if !support::installed(&["node"]) {
        return;
    }
    let data = folder();
    let keys = write(data.path(), "keys.json", &run(data.path(), &["keys", "export"]).stdout);
    for status in ["APPROVED", "DENIED"] {
        let id = receipt_id(data.path(), status);
        let file =
            write(data.path(), "artifact.json", &run(data.path(), &["receipts", "export", &id]).stdout);
        let verified = Command::new("node")
            .arg(support::root().join("tests/verify.mjs"))
            .args([&file, &keys])
            .output()
            .unwrap();
        let verified = Ran::from(verified);
        assert_eq!(verified.code, Some(0), "{}", verified.stderr);
        assert!(
            verified.stdout.contains(&format!("VERIFIED {id} {status} by demo:automatic, scope demo")),
            "{}",
            verified.stdout
        );
        assert!(
            verified.stdout.contains("OPENED cloudflare.dynamic-worker.deploy on"),
            "{}",
            verified.stdout
        );
        assert_eq!(verified.stdout.contains("ATTESTED succeeded"), status == "APPROVED");
    }
}

/// Any holder can edit the envelope around the signed bytes. The output shows the signed values and reports the edit.
#[test]
fn an_edited_envelope_is_shown_as_it_was_signed() {
    let data = folder();
    let here = data.path();
    let id = receipt_id(here, "DENIED");
    let mut export: Value =
        serde_json::from_str(&run(here, &["receipts", "export", &id, "--public"]).stdout).unwrap();
    export["artifact"]["status"] = "APPROVED".into();
    let file = write(here, "edited.json", &export.to_string());
    let keys = write(here, "keys.json", &run(here, &["keys", "export"]).stdout);
    let verified = run(here, &["verify", &file, "--keys", &keys]);
    assert_eq!(verified.code, Some(0));
    assert!(verified.stdout.contains("decision     DENIED"), "{}", verified.stdout);
    assert!(verified.stdout.contains("the envelope's status is not what was signed"), "{}", verified.stdout);
}

/// The schema of that name, where the published ones are to be had.
fn schema(name: &str) -> Option<(Value, jsonschema::Validator)> {
    let path = support::root().join("../shared/receipt-spec/schema").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("NOT RUN: the published schema is not at {}", path.display());
        return None;
    };
    let schema = serde_json::from_str(&text).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    Some((schema, validator))
}

/// The schema leaves room for members that it does not name, so each one that it names is looked for in its place.
#[test]
fn an_export_is_what_the_published_schema_describes() {
    let Some((schema, validator)) = schema("artifact.json") else { return };
    let revoked = revoked();
    let (decided, revoked_here) = (folder(), revoked.folder.path());
    let ids = [
        (decided.path(), receipt_id(decided.path(), "APPROVED")),
        (decided.path(), receipt_id(decided.path(), "DENIED")),
        (revoked_here, revoked.receipt.clone()),
        (revoked_here, revoked.revocation.clone()),
    ];
    for (here, id) in &ids {
        for more in [&[][..], &["--public"]] {
            let export = export(here, id, more);
            let errors: Vec<_> = validator.iter_errors(&export).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?}: {export}");
            let listed = &schema["properties"]["artifact"]["properties"];
            let unlisted: Vec<_> = export["artifact"]
                .as_object()
                .unwrap()
                .keys()
                .filter(|key| listed.get(key).is_none())
                .collect();
            assert!(unlisted.is_empty(), "{unlisted:?}");
            let beside =
                export.as_object().unwrap().keys().filter(|key| schema["properties"].get(key).is_none());
            assert!(
                beside.eq(export.get("revocation_artifact").map(|_| "revocation_artifact").iter()),
                "{export}"
            );
        }
    }
    assert_eq!(export(decided.path(), &ids[1].1, &[]).get("attestation_artifact"), Some(&Value::Null));
}

/// Exports of earlier versions have the owner's fields next to `artifact`. In either place, they must match the signed
/// values.
#[test]
fn owner_fields_open_a_receipt_inside_the_artifact_and_next_to_it() {
    let data = folder();
    let here = data.path();
    let id = receipt_id(here, "APPROVED");
    let keys = keys(here);
    let inside = export(here, &id, &[]);
    let mut earlier = export(here, &id, &["--public"]);
    for field in
        ["request_json", "request_commitment_salt_b64", "summary", "company_id", "idem_key", "input_hash"]
    {
        earlier[field] = inside["artifact"][field].clone();
    }
    let verify = |document: &Value| {
        let file = write(here, "owner.json", &document.to_string());
        run(here, &["verify", &file, "--keys", &keys])
    };
    for document in [&inside, &earlier] {
        let ran = verify(document);
        assert_eq!(ran.code, Some(0), "{}", ran.stdout);
        assert!(ran.stdout.contains("commitment   opened"), "{}", ran.stdout);
    }
    let edited = |pointer: &str, document: &Value| {
        let mut edited = document.clone();
        let field = edited.pointer_mut(pointer).unwrap();
        *field = field.as_str().unwrap().replace("deploy", "depl0y").into();
        verify(&edited).code
    };
    assert_eq!(edited("/artifact/request_json", &inside), Some(10));
    assert_eq!(edited("/request_json", &earlier), Some(10));
    let mut two = earlier.clone();
    two["artifact"] = inside["artifact"].clone();
    assert_eq!(verify(&two).code, Some(0), "the same in both places");
    two["summary"] = "another".into();
    assert_eq!(verify(&two).code, Some(3), "no two readers see two documents");
    let mut lost = inside.clone();
    lost["artifact"]["request_commitment_salt_b64"] = Value::Null;
    let lost = verify(&lost);
    assert_eq!(lost.code, Some(0), "null counts as absent, and the command has no --open: {}", lost.stdout);
    assert!(
        lost.stdout.contains("commitment   not opened") && lost.stdout.contains("not checked  the request")
    );
}

#[test]
fn a_revocation_is_a_receipt_and_the_revoked_one_s_export_says_so() {
    let Revoked { folder, receipt, revocation } = revoked();
    let here = folder.path();
    let keys = keys(here);
    let listed = lines(&run(here, &["receipts", "list", "--json"]).stdout);
    let ids: Vec<_> = listed.iter().map(|line| line["receipt_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&receipt, &revocation], "by the time of issue");
    assert_eq!(listed[1]["revokes"], receipt.as_str());
    let shown = run(here, &["receipts", "show", &revocation]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(shown.stdout.contains(&format!("revokes      \"{receipt}\"")), "{}", shown.stdout);
    assert!(shown.stdout.contains("summary      \"wrong branch\""), "{}", shown.stdout);

    let alone = export(here, &revocation, &[]);
    assert_eq!(alone["artifact"]["input_hash"], Value::Null, "a revocation commits to none");
    let alone = write(here, "revocation.json", &alone.to_string());
    let verified = run(here, &["verify", &alone, "--keys", &keys, "--require", "production,opened"]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);

    let with_it = export(here, &receipt, &["--public"]);
    assert!(!with_it["revocation_artifact"].as_object().unwrap().contains_key("request_json"));
    let file = write(here, "after.json", &with_it.to_string());
    let said = format!("by \"{revocation}\", verified");
    let before = here.join("before.json").display().to_string();
    for files in [&[file.as_str()][..], &[&before, &alone]] {
        let ran = run(here, &[&["verify"], files, &["--keys", &keys]].concat());
        assert_eq!(ran.code, Some(0), "the receipt is genuine: {}", ran.stdout);
        assert!(ran.stdout.contains("APPROVED in scope production, REVOKED") && ran.stdout.contains(&said));
    }
    let required = run(here, &["verify", &file, "--keys", &keys, "--require", "approved"]);
    assert_eq!(required.code, Some(12), "{}", required.stdout);
    assert!(required.stdout.contains("not met      approved: it is revoked by"), "{}", required.stdout);

    let mut other = with_it.clone();
    other["revocation_artifact"] = with_it["artifact"].clone();
    let other = write(here, "other.json", &other.to_string());
    let ran = run(here, &["verify", &other, "--keys", &keys]);
    assert_eq!(ran.code, Some(11), "{}", ran.stdout);
    assert!(ran.stdout.contains("REVOCATION_NOT_VERIFIED"), "{}", ran.stdout);
}

#[test]
fn what_is_listed_and_shown_is_what_was_signed_and_not_the_envelope_s_copy() {
    let data = folder();
    let here = data.path();
    let id = receipt_id(here, "DENIED");
    let alter = |from: &str, to: &str| {
        let journal = rusqlite::Connection::open(here.join("journal.sqlite")).unwrap();
        let update = "UPDATE receipts SET body = replace(body, ?1, ?2) WHERE id = ?3";
        assert_eq!(journal.execute(update, [from, to, &id]).unwrap(), 1);
    };
    let list = |json: &[&str]| run(here, &[&["receipts", "list"], json].concat());
    let show = |json: &[&str]| run(here, &[&["receipts", "show", &id], json].concat());
    let of_list =
        || lines(&list(&["--json"]).stdout).into_iter().find(|line| line["receipt_id"] == *id).unwrap();
    assert_eq!((&of_list()["verified"], &of_list()["edited"]), (&true.into(), &serde_json::json!([])));
    assert_eq!((list(&[]).code, list(&[]).stderr), (Some(0), String::new()));

    alter("\"status\":\"DENIED\"", "\"status\":\"APPROVED\"");
    let listed = list(&[]);
    assert!(listed.stdout.contains(&format!("{id}  DENIED")), "{}", listed.stdout);
    assert!(
        listed.stderr.contains(&format!("the status in the envelope of {id} is not what")),
        "{}",
        listed.stderr
    );
    assert!(show(&[]).stdout.contains("warning      the envelope's status is not"), "{}", show(&[]).stdout);
    for line in [of_list(), lines(&show(&["--json"]).stdout).remove(0)] {
        assert_eq!((&line["status"], &line["edited"][0]), (&"DENIED".into(), &"status".into()), "{line}");
    }

    alter("\"signature_b64\":\"", "\"signature_b64\":\"AAAA");
    let listed = list(&[]);
    assert!(
        listed.code == Some(1) && listed.stdout.contains(&format!("{id}  UNVERIFIED")),
        "{}",
        listed.stdout
    );
    assert!(listed.stderr.contains(&format!("{id} does not verify")), "{}", listed.stderr);
    let shown = show(&["--json"]);
    let line = lines(&shown.stdout).remove(0);
    assert_eq!(
        (shown.code, &line["verified"], &line["status"]),
        (Some(1), &false.into(), &"UNVERIFIED".into())
    );
    assert_eq!(show(&[]).code, Some(1));
}

/// The columns beside a receipt are not signed: a list compares them with what is.
#[test]
fn a_list_reports_columns_that_contradict_what_was_signed() {
    let Revoked { folder, receipt, revocation } = revoked();
    let here = folder.path();
    assert_eq!(run(here, &["run", GUEST, "--wait"]).code, Some(3));
    let request =
        lines(&run(here, &["approvals", "--json"]).stdout)[0]["request"].as_str().unwrap().to_owned();
    for name in ["alice", "bob"] {
        let key = here.join(name).display().to_string();
        assert_eq!(run(here, &["approve", &request, "--as", name, "--key", &key]).code, Some(0));
    }
    let list = |json: &[&str]| run(here, &[&["receipts", "list"], json].concat());
    assert_eq!((list(&[]).code, list(&[]).stderr), (Some(0), String::new()));
    let other = lines(&list(&["--json"]).stdout).pop().unwrap()["receipt_id"].as_str().unwrap().to_owned();
    let journal = rusqlite::Connection::open(here.join("journal.sqlite")).unwrap();

    // The revocation is of another receipt.
    journal.execute("UPDATE revocations SET receipt = ?1", [&other]).unwrap();
    let listed = list(&[]);
    assert_eq!(listed.code, Some(1), "{}", listed.stdout);
    for words in [
        format!("{other} does not verify: REVOCATION_NOT_VERIFIED; it claims to be \"APPROVED\""),
        format!("{revocation} does not verify: the database does not have {receipt} as revoked"),
    ] {
        assert!(listed.stderr.contains(&words), "{words}: {}", listed.stderr);
    }
    let claims = lines(&list(&["--json"]).stdout);
    let of_other = claims.iter().find(|line| line["receipt_id"] == *other).unwrap();
    assert_eq!((&of_other["status"], &of_other["claimed"]), (&"UNVERIFIED".into(), &"APPROVED".into()));
    journal.execute("UPDATE revocations SET receipt = ?1", [&receipt]).unwrap();
    assert_eq!(list(&[]).code, Some(0));

    // The request is another.
    let elsewhere = "apr_688c49a1e5d7f9ab7bfb0e36";
    let update = "UPDATE receipts SET body = replace(body, ?1, ?2) WHERE id = ?3";
    let member = |request: &str| format!("\"request\":\"{request}\"");
    journal.execute(update, [&member(&request), &member(elsewhere), &other]).unwrap();
    let listed = list(&[]);
    let words = format!("{other} does not verify: it decides \"{request}\"");
    assert!(listed.code == Some(1) && listed.stderr.contains(&words), "{}", listed.stderr);
}
