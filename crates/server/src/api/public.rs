//! Routes for any caller: health, metrics, the key set, and the verification of a receipt.

use crate::problem::Problem;
use crate::request::RequestContext;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use engine::api::{AccessError, Query, ReceiptKind, ReceiptRow, View};
use engine::trust::scope_of;
use receipt::{Artifact, Json, KeySet, VerifiedReceipt, VerifyError};
use serde_json::{Value, json};
use store::RequestFilter;
use workflow::ReceiptId;

/// The process answers.
pub(crate) fn health(_: &RequestContext) -> Result<Response, Problem> {
    Ok(text("ok\n".to_owned()))
}

/// The data folder can be read, and its operators' acts are valid.
pub(crate) fn ready(context: &RequestContext) -> Result<Response, Problem> {
    context.state.host.trust()?;
    Ok(text("ready\n".to_owned()))
}

/// Counters for Prometheus.
pub(crate) fn metrics(context: &RequestContext) -> Result<Response, Problem> {
    let state = &context.state;
    let waiting =
        state.host.store().requests(RequestFilter::Waiting).wait().map_err(engine::Error::from)?.len();
    let mut response = text(state.metrics.text(state.feed.facts(), state.feed.notices(), waiting as u64));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// The public key set, in the specification's form.
pub(crate) fn keys(context: &RequestContext) -> Result<Response, Problem> {
    let keys = context.state.host.keys().to_json();
    Ok(as_json(StatusCode::OK, keys.to_string()))
}

/// The protocol's verification: verifies the receipt in the body with this host's keys. It changes nothing.
pub(crate) fn verify(context: &RequestContext) -> Result<Response, Problem> {
    let text = std::str::from_utf8(&context.body).map_err(|_| Problem::invalid("the body is not UTF-8"))?;
    let document =
        Json::parse(text).map_err(|error| Problem::invalid(format!("the body is not JSON: {error}")))?;
    if let Some(id) = document.get("receiptId") {
        return verify_kept(context, id);
    }
    if document.get("scope").is_some() {
        let message = "receipts here are issued to workflows, one for each action: name one with receiptId";
        return Ok(as_json(StatusCode::OK, refusal("RECEIPT_NOT_FOUND", message).to_string()));
    }
    if document.get("artifact").is_none() {
        return Err(Problem::invalid(
            "a receipt is expected: receiptId, or artifact as pp-host receipts export prints it",
        ));
    }
    let keys = context.state.host.keys();
    let verified = Artifact::parse(text).and_then(|artifact| receipt::verify(&artifact, &keys));
    let verdict = match verified.and_then(|receipt| Ok((revocation_in(&document, &receipt, &keys)?, receipt)))
    {
        Ok((true, receipt)) => revoked(of_receipt(context, &receipt)?),
        Ok((false, receipt)) => of_posted(context, &receipt)?,
        Err(error) => refused(&error),
    };
    Ok(as_json(StatusCode::OK, verdict.to_string()))
}

/// A stored receipt, by the route that the protocol's clients use.
pub(crate) fn receipt(context: &RequestContext) -> Result<Response, Problem> {
    let View::Receipt(row) =
        context.view(&context.principal()?, Query::Receipt { receipt: context.part("receipt")? })?
    else {
        return Err(crate::api::unexpected(&"no receipt"));
    };
    let mut verdict = of_stored(context, &row)?;
    // A receipt that does not verify has no facts to show.
    let mut shown = match verdict["receipt"].take() {
        Value::Null => json!({ "id": row.receipt_id }),
        shown => shown,
    };
    for member in ["valid", "errorCode", "errorMessage"] {
        shown[member] = verdict[member].take();
    }
    Ok(as_json(StatusCode::OK, shown.to_string()))
}

/// A stored receipt, if the caller may see it.
fn verify_kept(context: &RequestContext, id: &Json) -> Result<Response, Problem> {
    let missing = || {
        let refusal = refusal("RECEIPT_NOT_FOUND", "there is no such receipt in a tenant of yours");
        Ok(as_json(StatusCode::OK, refusal.to_string()))
    };
    let id = id.as_str().ok_or_else(|| Problem::invalid("receiptId is not a string"))?;
    let principal = context.principal()?;
    let Ok(receipt) = id.parse() else { return missing() };
    let row = match context.state.host.view(&principal, Query::Receipt { receipt }) {
        Ok(View::Receipt(row)) => row,
        Ok(other) => return Err(crate::api::unexpected(&other)),
        Err(engine::Error::NoReceipt(_) | engine::Error::Access(AccessError::NotFound)) => return missing(),
        Err(error) => return Err(error.into()),
    };
    let mut verdict = of_stored(context, &row)?;
    if let ReceiptKind::Decision { redeemed_at, .. } = &row.kind {
        verdict["redeemedAt"] = json!(redeemed_at);
    }
    Ok(as_json(StatusCode::OK, verdict.to_string()))
}

/// The verdict on a stored receipt.
fn of_stored(context: &RequestContext, row: &ReceiptRow) -> Result<Value, Problem> {
    let verdict = match receipt::verify(&row.kept.receipt.artifact, &context.state.host.keys()) {
        Ok(receipt) => of_receipt(context, &receipt)?,
        Err(error) => refused(&error),
    };
    Ok(match &row.kind {
        ReceiptKind::Decision { revoked_at: Some(_), .. } => revoked(verdict),
        _ => verdict,
    })
}

/// The verdict on a receipt in the body. Its revocation may be stored here, even if the document does not contain it.
fn of_posted(context: &RequestContext, receipt: &VerifiedReceipt) -> Result<Value, Problem> {
    let verdict = of_receipt(context, receipt)?;
    let Ok(id) = receipt.id().parse::<ReceiptId>() else { return Ok(verdict) };
    let stored = context.state.host.store().receipt(&id).wait().map_err(engine::Error::from)?;
    Ok(match stored.is_some_and(|stored| stored.state.revoked.is_some()) {
        true => revoked(verdict),
        false => verdict,
    })
}

/// Whether the document has the receipt's revocation, as an export does. A revocation of another receipt is an error.
fn revocation_in(document: &Json, receipt: &VerifiedReceipt, keys: &KeySet) -> Result<bool, VerifyError> {
    let Some(artifact) = document.get("revocation_artifact").filter(|json| **json != Json::Null) else {
        return Ok(false);
    };
    let envelope = Json::object([("artifact", artifact.clone())]).canonical();
    let revocation = receipt::verify(&Artifact::parse(&envelope)?, keys)?;
    match receipt.is_revoked_by(&revocation) {
        true => Ok(true),
        false => {
            let words = format!("{} is genuine, and does not revoke this receipt", revocation.id());
            Err(VerifyError::Malformed(words.into()))
        }
    }
}

fn refusal(code: &str, message: &str) -> Value {
    json!({ "valid": false, "errorCode": code, "errorMessage": message })
}

/// The verdict on a revoked receipt.
fn revoked(mut verdict: Value) -> Value {
    verdict["valid"] = json!(false);
    verdict["errorCode"] = json!("RECEIPT_REVOKED");
    verdict["errorMessage"] = json!("the receipt was revoked");
    verdict
}

/// A receipt that verifies, in the form that the protocol's clients read. Valid means an approval that has not expired and is of the scope that
/// counts here now.
fn of_receipt(context: &RequestContext, receipt: &VerifiedReceipt) -> Result<Value, Problem> {
    let expired = receipt.is_expired(context.state.host.now()?);
    let approved = receipt.decision() == receipt::Decision::Approved;
    let scope = context.state.host.scope()?;
    let counts = receipt.scope() == Some(scope) && scope_of(receipt.key_id()) == scope;
    let (code, message) = match (approved, expired, counts) {
        (true, false, true) => (None, None),
        (false, ..) => (Some("RECEIPT_DENIED"), Some("the receipt is a denial")),
        (true, true, _) => (Some("RECEIPT_EXPIRED"), Some("the receipt has expired")),
        (true, false, false) => {
            (Some("SCOPE_MISMATCH"), Some("the receipt or its key is of another scope than counts here now"))
        }
    };
    Ok(json!({
        "valid": code.is_none(),
        "receiptId": receipt.id(),
        "decision": receipt.decision().as_str(),
        "scope": receipt.scope().map(|scope| scope.to_string()),
        "receipt": {
            "id": receipt.id(),
            "status": receipt.decision().as_str(),
            "actor": receipt.agent_id(),
            "approvedBy": receipt.decider().map(|decider| &decider.id),
            "policy": receipt.policy_version(),
            "issuer": "permission-protocol",
            "createdAt": receipt.created_at(),
            "expiresAt": receipt.expires_at(),
        },
        "diagnostics": { "signerKeyId": receipt.key_id() },
        "errorCode": code,
        "errorMessage": message,
    }))
}

fn refused(error: &VerifyError) -> Value {
    json!({
        "valid": false,
        "errorCode": "SIGNATURE_INVALID",
        "errorMessage": error.to_string(),
        "error": { "code": error.code(), "message": error.to_string() },
    })
}

/// Text for programs and people.
pub(crate) fn text(body: String) -> Response {
    body.into_response()
}

/// An answer whose JSON text exists already.
pub(crate) fn as_json(status: StatusCode, body: String) -> Response {
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (status, kind, body).into_response()
}
