//! Opening commitments: the values that must match, and the refusals.

use crate::common;
use crate::common::{draft, json, keys, minted, signer, with};
use receipt::{
    Binding, Digest, Draft, Json, Minted, Opening, Rule, Salt, Stated, VerifyError, check_stored, mint,
    verify,
};

#[test]
fn an_opening_compares_everything_that_is_stated() {
    let minted = minted();
    let receipt = verify(&minted.artifact, &keys()).unwrap();
    let code = |change: fn(&mut Opening)| {
        let mut opening = minted.opening.clone();
        change(&mut opening);
        receipt.open(&opening).err().map_or("opened", |error| error.code())
    };
    assert_eq!(code(|_| {}), "opened");
    assert_eq!(
        code(|opening| *opening = Opening::new(opening.request_json.clone(), opening.salt.clone())),
        "opened"
    );
    assert_eq!(code(|opening| opening.request_json.push(' ')), "REQUEST_COMMITMENT_MISMATCH");
    assert_eq!(code(|opening| opening.salt = Salt::from_bytes([0; 32])), "REQUEST_COMMITMENT_MISMATCH");
    assert_eq!(code(|opening| opening.summary = Stated::Absent), "COMMITTED_SUMMARY_MISMATCH");
    assert_eq!(
        code(|opening| opening.summary = Stated::Value("other".to_owned())),
        "COMMITTED_SUMMARY_MISMATCH"
    );
    assert_eq!(code(|opening| opening.binding.company_id = Stated::Absent), "RECEIPT_BINDING_MISMATCH");
    assert_eq!(
        code(|opening| opening.binding.company_id = Stated::Value("b".to_owned())),
        "RECEIPT_BINDING_MISMATCH"
    );
    assert_eq!(
        code(|opening| opening.binding.idem_key = Stated::Value("b".to_owned())),
        "RECEIPT_BINDING_MISMATCH"
    );
    assert_eq!(
        code(|opening| opening.binding.input_hash = Stated::Value("b".to_owned())),
        "RECEIPT_BINDING_MISMATCH"
    );
}

#[test]
fn stating_that_there_is_none_is_a_claim() {
    let draft = Draft { summary: None, binding: Binding::default(), ..draft() };
    let minted = mint(&draft, &signer()).unwrap();
    let receipt = verify(&minted.artifact, &keys()).unwrap();
    let opened = receipt.open(&minted.opening).unwrap();
    assert_eq!((opened.summary(), opened.binding()), (None, &Binding::default()));
    let empty = Opening { summary: Stated::Value(String::new()), ..minted.opening };
    assert_eq!(receipt.open(&empty).unwrap_err().code(), "COMMITTED_SUMMARY_MISMATCH");
}

#[test]
fn an_opened_request_names_the_rule_it_records() {
    let request = json(r#"{"policy":{"decision":{"ruleId":"hold.production","ruleVersion":"7"}}}"#);
    let minted = mint(&common::by_policy(Draft { request, ..draft() }), &signer()).unwrap();
    let receipt = verify(&minted.artifact, &keys()).unwrap();
    assert_eq!(receipt.rule(), Rule::NotRecorded);
    assert_eq!(receipt.open(&minted.opening).unwrap().rule().as_deref(), Some("hold.production@7"));
}

#[test]
fn the_opening_step_alone_reads_a_payload_by_itself() {
    let minted = minted();
    let payload = common::payload();
    let code = |payload: &Json| {
        check_stored(&payload.canonical(), &minted.opening).err().map_or("opened", |error| error.code())
    };
    assert_eq!(code(&payload), "opened");
    assert_eq!(code(&with(&payload, "requestCommitment", None)), "REQUEST_COMMITMENT_MALFORMED");
    assert_eq!(code(&with(&payload, "publicProjectionJson", None)), "MALFORMED");
    assert_eq!(
        code(&with(&payload, "publicProjectionJson", Some(r#"{"projection":"x/v1"}"#.into()))),
        "PROJECTION_UNSUPPORTED"
    );
    let bare = with(&payload, "publicProjectionJson", Some(r#"{"projection":"execute/v1"}"#.into()));
    assert_eq!(code(&bare), "PUBLIC_PROJECTION_MISMATCH");
    assert_eq!(check_stored("{", &minted.opening).unwrap_err().code(), "MALFORMED");
}

/// The code of opening a receipt that commits to exactly `request`.
fn committed(request: &str) -> &'static str {
    let salt = Salt::from_bytes([3; 32]);
    let mut bytes = salt.as_bytes().to_vec();
    bytes.extend(request.as_bytes());
    let projection = r#"{"projection":"execute/v1"}"#;
    let payload = with(&common::payload(), "requestCommitment", Some(Digest::of(&bytes).tagged().into()));
    let payload = with(&payload, "publicProjectionJson", Some(projection.into()));
    let receipt = verify(&common::seal(&payload.canonical(), &signer()), &keys()).unwrap();
    let opening = Opening::new(request, salt);
    let code = receipt.open(&opening).err().map_or("opened", |error| error.code());
    let alone = check_stored(&payload.canonical(), &opening).err().map_or("opened", |error| error.code());
    assert_eq!(alone, code, "the opening step alone says the same");
    code
}

#[test]
fn a_committed_request_has_the_shape_that_minting_writes() {
    let binding = r#""receiptBinding":{"companyId":null,"idemKey":"k","inputHash":null}"#;
    assert_eq!(committed(&format!("{{{binding}}}")), "opened");
    assert_eq!(committed(&format!(r#"{{{binding},"receiptSummary":"s"}}"#)), "opened");
    for summary in ["null", "1", "{}"] {
        let request = format!(r#"{{{binding},"receiptSummary":{summary}}}"#);
        assert_eq!(committed(&request), "COMMITTED_SUMMARY_MISMATCH", "{summary}");
    }
    for request in
        ["", "null", "[]", "{}", "not json", r#"{"receiptBinding":null}"#, r#"{"receiptBinding":[]}"#]
    {
        assert_eq!(committed(request), "RECEIPT_BINDING_MISMATCH", "{request}");
    }
    for broken in [
        r#"{"companyId":null,"idemKey":"k"}"#,
        r#"{"companyId":null,"idemKey":"k","inputHash":1}"#,
        r#"{"companyId":null,"idemKey":"k","inputHash":null,"more":null}"#,
    ] {
        assert_eq!(
            committed(&format!(r#"{{"receiptBinding":{broken}}}"#)),
            "RECEIPT_BINDING_MISMATCH",
            "{broken}"
        );
    }
    let projects = format!(r#"{{"intent":{{"name":"x"}},{binding}}}"#);
    assert_eq!(committed(&projects), "PUBLIC_PROJECTION_MISMATCH");
}

/// The commitment reproduces, so the private record is the right one. This crate only does not read it.
#[test]
fn a_committed_request_that_is_not_read_here_is_no_mismatch() {
    let binding = r#""receiptBinding":{"companyId":null,"idemKey":"k","inputHash":null}"#;
    let deep = "[".repeat(128) + &"]".repeat(128);
    for request in [
        format!(r#"{{"a":1,"a":2,{binding}}}"#),
        format!(r#"{{"a":{deep},{binding}}}"#),
        format!(r#"{{"a":"{}",{binding}}}"#, "x".repeat(receipt::json::MAX_LEN)),
        format!(r#"{{{binding},"receiptSummary":"\ud800"}}"#),
        r#"{"receiptBinding":{"companyId":null,"idemKey":"\ud800","inputHash":null}}"#.to_owned(),
    ] {
        assert_eq!(committed(&request), "REQUEST_UNREADABLE", "{}", &request[..request.len().min(120)]);
    }
    assert_eq!(VerifyError::RequestUnreadable("x".into()).exit_code(), 8);
}

/// A claim is never a text with a lone surrogate, so no claim about such a text holds.
#[test]
fn nothing_that_is_stated_equals_a_text_that_is_not_unicode() {
    let request =
        r#"{"receiptBinding":{"companyId":null,"idemKey":"k","inputHash":null},"receiptSummary":"\ud800"}"#;
    let salt = Salt::from_bytes([3; 32]);
    let bytes = [salt.as_bytes().as_slice(), request.as_bytes()].concat();
    let payload = with(&common::payload(), "requestCommitment", Some(Digest::of(&bytes).tagged().into()));
    for summary in [Stated::Absent, Stated::Value("\u{fffd}".to_owned())] {
        let opening = Opening { summary, ..Opening::new(request, salt.clone()) };
        let error = check_stored(&payload.canonical(), &opening).unwrap_err();
        assert_eq!(error.code(), "COMMITTED_SUMMARY_MISMATCH");
    }
}

/// The published schema has the owner fields inside `artifact`; older exports of this project have them next to it.
#[test]
fn a_document_carries_its_opening_inside_the_artifact_or_next_to_it() {
    let Minted { artifact, opening } = minted();
    let plain = json(&artifact.to_json());
    let fields = opening.to_owner_fields();
    let put = |object: &Json, fields: &Json| {
        let members = fields.as_object().unwrap().iter();
        members.fold(object.clone(), |object, (name, value)| {
            with(&object, name.as_str().unwrap(), Some(value.clone()))
        })
    };
    let inside = |fields: &Json| with(&plain, "artifact", Some(put(plain.get("artifact").unwrap(), fields)));
    let read = |document: &Json| Opening::from_document(document);
    assert_eq!(read(&plain), Ok(None));
    assert_eq!(read(&inside(&fields)), Ok(Some(opening.clone())));
    assert_eq!(read(&put(&plain, &fields)), Ok(Some(opening.clone())));
    assert_eq!(read(&put(&inside(&fields), &fields)), Ok(Some(opening.clone())), "the same twice");

    let edited = with(&fields, "summary", Some("another".into()));
    assert_eq!(read(&put(&inside(&fields), &edited)).unwrap_err().code(), "MALFORMED", "two documents");
    for absent in ["request_json", "request_commitment_salt_b64"] {
        let null = with(&fields, absent, Some(Json::Null));
        assert_eq!(
            read(&inside(&null)),
            Ok(None),
            "{absent}: null counts as absent, and the caller did not ask to open"
        );
        assert_eq!(read(&put(&plain, &null)), Ok(None), "{absent}");
        let odd = with(&fields, absent, Some(1_u32.into()));
        assert_eq!(read(&inside(&odd)).unwrap_err().code(), "MALFORMED", "{absent}");
    }
}

#[test]
fn owner_fields_carry_an_opening() {
    let opening = minted().opening;
    let fields = opening.to_owner_fields();
    assert_eq!(Opening::from_owner_fields(&fields).unwrap(), opening);
    assert_eq!(fields.get("input_hash"), Some(&Json::Null));
    let code = |fields: Json| Opening::from_owner_fields(&fields).unwrap_err().code();
    for key in ["request_json", "request_commitment_salt_b64"] {
        assert_eq!(code(with(&fields, key, None)), "REQUEST_COMMITMENT_UNAVAILABLE");
        assert_eq!(code(with(&fields, key, Some(Json::Null))), "REQUEST_COMMITMENT_UNAVAILABLE");
    }
    let short = with(&fields, "request_commitment_salt_b64", Some(common::base64(&[0; 31]).into()));
    assert_eq!(code(short), "REQUEST_COMMITMENT_MISMATCH");
    assert_eq!(code(with(&fields, "summary", Some(1_u32.into()))), "MALFORMED");
    let unstated = with(&with(&fields, "summary", None), "company_id", None);
    let unstated = Opening::from_owner_fields(&unstated).unwrap();
    assert_eq!((unstated.summary, unstated.binding.company_id), (Stated::Nothing, Stated::Nothing));
}
