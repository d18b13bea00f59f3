//! An outside verifier: what `verify.mjs` does, in Rust, with nothing of this project's code. It knows SHA-256, Ed25519, base64 and JSON.

use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The signed payload of an envelope, if a key of the set has signed it.
pub fn payload(envelope: &Value, keys: &Value) -> Result<Value, String> {
    let key = keys["keys"].as_array().ok_or("no keys")?.iter();
    let key = key.filter(|key| key["status"] != "revoked").find(|key| key["key_id"] == envelope["key_id"]);
    let key = key.ok_or_else(|| format!("no key {}", envelope["key_id"]))?;
    let bytes = base64(text(envelope, "payload_bytes_b64")?)?;
    let digest = Sha256::digest(&bytes);
    if hex(&digest) != text(envelope, "signed_payload_hash")? {
        return Err("hash mismatch".to_owned());
    }
    let public = base64(text(key, "public_key_b64")?)?.try_into().map_err(|_| "not a key")?;
    let public = VerifyingKey::from_bytes(&public).map_err(|error| error.to_string())?;
    let signature = Signature::from_slice(&base64(text(envelope, "signature_b64")?)?);
    let signature = signature.map_err(|error| error.to_string())?;
    public.verify_strict(&digest, &signature).map_err(|_| "signature invalid")?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

/// What an exported receipt proves, in the words of `verify.mjs`.
pub fn verify(exported: &Value, keys: &Value) -> Result<Vec<String>, String> {
    let receipt = payload(&exported["artifact"], keys)?;
    let of = |name: &str| text(&receipt, name);
    let decided = (of("id")?, of("status")?, of("deciderId")?, of("scope")?);
    let mut said =
        vec![format!("VERIFIED {} {} by {}, scope {}", decided.0, decided.1, decided.2, decided.3)];
    let request = text(&exported["artifact"], "request_json")?;
    let salted =
        [base64(text(&exported["artifact"], "request_commitment_salt_b64")?)?, request.as_bytes().to_vec()];
    if of("requestCommitment")? != format!("sha256:{}", hex(&Sha256::digest(salted.concat()))) {
        return Err("commitment not opened".to_owned());
    }
    let request: Value = serde_json::from_str(request).map_err(|error| error.to_string())?;
    let (action, tenant) = (&request["action"], text(&request["receiptBinding"], "companyId")?);
    let (tool, operation) = (text(action, "tool")?, text(action, "operation")?);
    let resource = text(&action["parameters"], "resource")?;
    said.push(format!("OPENED {tool}.{operation} on {resource} for {tenant}"));
    let envelope = &exported["attestation_artifact"];
    if !envelope["payload_bytes_b64"].is_null() {
        let attestation = payload(envelope, keys)?;
        if attestation["approvalReceiptId"] != receipt["id"] {
            return Err("attestation of another receipt".to_owned());
        }
        said.push(format!("ATTESTED {}", text(&attestation, "outcome")?));
    }
    Ok(said)
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    value[name].as_str().ok_or_else(|| format!("no {name}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn base64(text: &str) -> Result<Vec<u8>, String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut buffer, mut bits) = (Vec::new(), 0_u32, 0);
    for character in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|known| *known == character).ok_or("not base64")?;
        buffer = (buffer << 6 | u32::try_from(value).unwrap()) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
        }
    }
    Ok(bytes)
}
