// Verifies a receipt, and its attestation where there is one, with nothing but Node's own crypto: no code of this project, and none of
// the protocol's. What it checks: the digest of the signed bytes, the key set, the signature; and, given the owner's fields, that the
// request is the one that was committed to.
//
//   node tests/verify.mjs artifact.json keys.json
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const [exported, keySet] = process.argv.slice(2, 4).map((path) => JSON.parse(readFileSync(path, "utf8")));

function payload(envelope) {
  const key = keySet.keys.find((key) => key.key_id === envelope.key_id && key.status !== "revoked");
  if (!key) throw new Error(`no key ${envelope.key_id}`);
  const bytes = Buffer.from(envelope.payload_bytes_b64, "base64");
  const digest = createHash("sha256").update(bytes).digest();
  if (digest.toString("hex") !== envelope.signed_payload_hash) throw new Error("hash mismatch");
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(key.public_key_b64, "base64")]);
  const publicKey = createPublicKey({ key: der, format: "der", type: "spki" });
  if (!verify(null, digest, publicKey, Buffer.from(envelope.signature_b64, "base64"))) throw new Error("signature invalid");
  return JSON.parse(bytes);
}

const receipt = payload(exported.artifact);
console.log(`VERIFIED ${receipt.id} ${receipt.status} by ${receipt.deciderId}, scope ${receipt.scope}`);

// Inside `artifact`, as the published schema has them; exports made before that have them next to it.
const { request_json, request_commitment_salt_b64 } = exported.artifact.request_json ? exported.artifact : exported;
if (request_json) {
  const commitment = createHash("sha256").update(Buffer.from(request_commitment_salt_b64, "base64")).update(request_json);
  if (receipt.requestCommitment !== `sha256:${commitment.digest("hex")}`) throw new Error("commitment not opened");
  const { action, receiptBinding } = JSON.parse(request_json);
  console.log(`OPENED ${action.tool}.${action.operation} on ${action.parameters.resource} for ${receiptBinding.companyId}`);
}
if (exported.revocation_artifact) {
  const revocation = payload(exported.revocation_artifact);
  const { metadata } = JSON.parse(revocation.publicProjectionJson);
  if (metadata.revokedReceiptId !== receipt.id) throw new Error("revocation of another receipt");
  console.log(`REVOKED by ${revocation.id}`);
}
if (exported.attestation_artifact?.payload_bytes_b64) {
  const attestation = payload(exported.attestation_artifact);
  if (attestation.approvalReceiptId !== receipt.id) throw new Error("attestation of another receipt");
  console.log(`ATTESTED ${attestation.outcome}`);
}
