//! What `--require` and a revocation in the same call mean, whatever else is wrong with the files.

use super::*;

/// The signed scope is the signer's claim, and a demonstration's key makes none for production.
#[test]
fn a_demo_key_s_receipt_is_of_no_production_whatever_it_claims() {
    let data = folder();
    let here = data.path();
    let keys = keys(here);
    let genuine = export(here, &receipt_id(here, "APPROVED"), &["--public"]);
    let forged = claiming_production(here, &genuine);
    let file = write(here, "forged.json", &forged.to_string());
    let ran = run(here, &["verify", &file, "--keys", &keys, "--require", "approved,production"]);
    assert_eq!(ran.code, Some(12), "{}", ran.stdout);
    assert!(ran.stdout.contains("APPROVED in scope production"), "{}", ran.stdout);
    assert!(ran.stdout.contains("a demonstration's key signed it"), "{}", ran.stdout);
    assert!(ran.stdout.contains("not met      production: it is signed under a demo"), "{}", ran.stdout);
}

/// The verdicts of one call, as JSON: for each file its code, and by what it is revoked.
fn verdicts(here: &Path, files: &[&str], more: &[&str]) -> (Option<i32>, Vec<(String, Value)>) {
    let keys = keys(here);
    let ran = run(here, &[&["verify"], files, &["--keys", &keys, "--json"], more].concat());
    let verdict = |line: Value| (line["code"].as_str().unwrap().to_owned(), line["revoked_by"].clone());
    (ran.code, lines(&ran.stdout).into_iter().map(verdict).collect())
}

#[test]
fn a_revocation_takes_its_receipt_back_whatever_else_its_file_lacks() {
    let Revoked { folder, receipt, revocation } = revoked();
    let here = folder.path();
    let people = write(here, "deciders.json", &run(here, &["deciders", "export"]).stdout);
    let owner: Value =
        serde_json::from_str(&std::fs::read_to_string(here.join("before.json")).unwrap()).unwrap();
    let request = write(here, "request.json", owner["artifact"]["request_json"].as_str().unwrap());
    let salt = owner["artifact"]["request_commitment_salt_b64"].as_str().unwrap();
    let before = here.join("before.json").display().to_string();
    let public = export(here, &revocation, &["--public"]);
    let mut unfit = export(here, &revocation, &[]);
    unfit["artifact"]["summary"] = "another".into();
    let beside = export(here, &receipt, &["--public"])["revocation_artifact"].clone();
    let mut stray = serde_json::json!({ "artifact": owner["artifact"], "revocation_artifact": beside });
    stray["artifact"]["summary"] = "another".into();
    let file = |name: &str, document: &Value| write(here, name, &document.to_string());
    let (public, unfit, stray) =
        (file("public.json", &public), file("unfit.json", &unfit), file("stray.json", &stray));

    let (not_met, revoked) = ("REQUIREMENT_NOT_MET".to_owned(), Value::from(revocation.as_str()));
    let opening = ["--request", &request, "--salt", salt, "--require", "approved"];
    let signed = ["--deciders", &people, "--require", "approved"];
    for (other, more, code) in [
        (&public, &signed[..], "REQUIREMENT_NOT_MET"),
        (&public, &opening, "REQUIREMENT_NOT_MET"),
        (&unfit, &signed, "COMMITTED_SUMMARY_MISMATCH"),
        (&stray, &signed, "COMMITTED_SUMMARY_MISMATCH"),
    ] {
        for files in [[before.as_str(), other], [other, &before]] {
            let (_, verdicts) = verdicts(here, &files, more);
            let [of_receipt, of_other] = match files[0] == before {
                true => [&verdicts[0], &verdicts[1]],
                false => [&verdicts[1], &verdicts[0]],
            };
            assert_eq!(of_receipt, &(not_met.clone(), revoked.clone()), "{files:?} {more:?}");
            assert_eq!(of_other.0, code, "{files:?} {more:?}");
        }
    }
    // Its own opening is asked for where it is alone.
    let alone = verdicts(here, &[&public], &opening[..4]);
    assert_eq!((alone.0, alone.1[0].0.as_str()), (Some(10), "REQUEST_COMMITMENT_MISMATCH"));
    let alone = verdicts(here, &[&public], &["--deciders", &people]);
    assert_eq!((alone.0, alone.1[0].0.as_str()), (Some(0), "VERIFIED"));
}

#[test]
fn a_revocation_whose_own_signature_fails_takes_nothing_back() {
    let Revoked { folder, revocation, .. } = revoked();
    let here = folder.path();
    let before = here.join("before.json").display().to_string();
    let mut forged = export(here, &revocation, &[]);
    forged["artifact"]["signature_b64"] =
        export(here, &receipt_id(here, "APPROVED"), &[])["artifact"]["signature_b64"].clone();
    let forged = write(here, "forged.json", &forged.to_string());
    let (code, verdicts) = verdicts(here, &[&before, &forged], &["--require", "approved"]);
    assert_eq!(code, Some(1));
    let said: Vec<_> = verdicts.iter().map(|(code, by)| (code.as_str(), by.is_null())).collect();
    assert_eq!(said, [("VERIFIED", true), ("SIGNATURE_INVALID", true)]);
}

/// An operator's later act about a decider makes no genuine receipt bad.
#[test]
fn a_receipt_stands_when_its_deciders_get_other_roles_and_tenants() {
    let Revoked { folder, receipt, .. } = revoked();
    let here = folder.path();
    let (keys, before) = (keys(here), here.join("before.json").display().to_string());
    let pinned = |name: &str| write(here, name, &run(here, &["deciders", "export"]).stdout);
    let verify = |people: &str| {
        run(here, &["verify", &before, "--keys", &keys, "--deciders", people, "--require", "deciders"])
    };
    let first = pinned("first.json");
    for change in [&["alice", "--role", "security"][..], &["bob", "--role", "release", "--tenant", "other"]] {
        let ran = run(here, &[&["deciders", "add"], change].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    let present = pinned("present.json");
    for people in [&first, &present] {
        let ran = verify(people);
        assert_eq!(ran.code, Some(0), "{}", ran.stdout);
        assert!(ran.stdout.contains("signed by    alice as release"), "{}", ran.stdout);
    }
    assert_eq!(run(here, &["receipts", "show", &receipt]).code, Some(0));
    // Without the record of what was before, only the present roles are known.
    let mut forgetful: Value = serde_json::from_str(&std::fs::read_to_string(&present).unwrap()).unwrap();
    for person in forgetful["deciders"].as_array_mut().unwrap() {
        person.as_object_mut().unwrap().remove("earlier").unwrap();
    }
    let ran = verify(&write(here, "forgetful.json", &forgetful.to_string()));
    assert_eq!(ran.code, Some(9), "{}", ran.stdout);
}
