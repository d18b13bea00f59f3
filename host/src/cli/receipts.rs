//! `pp-host receipts`.

use crate::cli::data_dir::Data;
use crate::cli::{Exit, json_line, visible_json};
use anyhow::Context as _;
use clap::Subcommand;
use engine::issuer::Keyring;
use receipt::KeySet;
use serde_json::{Value, json};
use std::io::Write as _;
use store::{ReceiptState, Store as _, StoredReceipt};
use store_sqlite::Sqlite;
use workflow::ReceiptId;

/// List, show and export receipts.
#[derive(Debug, Subcommand)]
pub(crate) enum Receipts {
    /// List all receipts, oldest first.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Verify one receipt with this host's keys and show what it says.
    Show {
        /// The receipt.
        id: ReceiptId,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print one receipt for others to verify: the signed artifact, its attestation, and what opens its commitment.
    Export {
        /// The receipt.
        id: ReceiptId,
        /// Leave out what only the owner should have: the request, its salt, summary and binding.
        #[arg(long)]
        public: bool,
    },
}

impl Receipts {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (folder, store) = data.read()?;
        let mut out = anstream::stdout().lock();
        match self {
            Self::List { json } => {
                for id in store.receipts()? {
                    let (receipt, fate) = find(&store, &id)?;
                    match json {
                        true => writeln!(out, "{}", json_line(&line(&receipt, &fate))?)?,
                        false => writeln!(out, "{}", sentence(&receipt, &fate))?,
                    }
                }
            }
            Self::Show { id, json: true } => {
                let (receipt, fate) = find(&store, id)?;
                writeln!(out, "{}", json_line(&line(&receipt, &fate))?)?;
            }
            Self::Show { id, json: false } => {
                let (receipt, fate) = find(&store, id)?;
                show(&mut out, &receipt, &fate, &Keyring::public(&folder.keys())?)?;
            }
            Self::Export { id, public } => {
                let (receipt, fate) = find(&store, id)?;
                writeln!(
                    out,
                    "{}",
                    visible_json(&serde_json::to_string_pretty(&export(&receipt, &fate, *public)?)?)
                )?;
            }
        }
        Ok(Exit::Done)
    }
}

fn find(store: &Sqlite, id: &ReceiptId) -> anyhow::Result<(StoredReceipt, ReceiptState)> {
    store
        .receipt(id)?
        .with_context(|| format!("there is no receipt {id} (pp-host receipts list shows what there is)"))
}

fn status(receipt: &StoredReceipt) -> &str {
    receipt.artifact.status.as_deref().unwrap_or("unknown")
}

fn line(receipt: &StoredReceipt, fate: &ReceiptState) -> Value {
    json!({
        "receipt_id": receipt.id,
        "request_id": receipt.request,
        "tenant": receipt.company_id,
        "status": status(receipt),
        "key_id": receipt.artifact.key_id,
        "issued_at": receipt.artifact.issued_at,
        "expires_at": receipt.artifact.expires_at,
        "redeemed_at": fate.redeemed.map(|(at, _)| at),
        "attested": fate.attestation.is_some(),
        "revoked_at": fate.revoked.as_ref().map(|(at, _)| at),
    })
}

fn sentence(receipt: &StoredReceipt, fate: &ReceiptState) -> String {
    let issued = receipt.artifact.issued_at.as_deref().unwrap_or_default();
    let spent = fate.redeemed.map_or_else(String::new, |(at, _)| format!("  redeemed {at}"));
    let spent = fate.revoked.as_ref().map_or(spent, |(at, _)| format!("  revoked {at}"));
    format!("{}  {:<8}  {}  issued {issued}{spent}", receipt.id, status(receipt), receipt.company_id)
}

fn show(
    out: &mut impl std::io::Write,
    stored: &StoredReceipt,
    fate: &ReceiptState,
    keys: &KeySet,
) -> anyhow::Result<()> {
    let verified = receipt::verify(&stored.artifact, keys)?;
    let opening = stored.opening().context("the salt kept beside the receipt is damaged")?;
    let opened = verified.open(&opening)?;
    super::verify::describe(out, &verified, Some(&opened))?;
    match fate.redeemed {
        Some((at, _)) => writeln!(out, "redeemed     {at}")?,
        None => writeln!(out, "redeemed     no")?,
    }
    if let Some((at, revocation)) = &fate.revoked {
        let revocation: StoredReceipt = serde_json::from_str(revocation)?;
        let signed = receipt::verify(&revocation.artifact, keys)?;
        let names = if verified.is_revoked_by(&signed) { "verified" } else { "NOT FOR THIS RECEIPT" };
        writeln!(out, "revoked      {at} by {}, {names}", signed.id())?;
    }
    match &fate.attestation {
        Some(document) => {
            let attestation = receipt::AttestationArtifact::parse(document)?;
            let attested = receipt::verify_attestation(&attestation, &verified, keys)?;
            writeln!(
                out,
                "outcome      {}, attested {}",
                attested.outcome().as_str(),
                attested.created_at()
            )?;
        }
        None => writeln!(out, "outcome      not attested")?,
    }
    Ok(())
}

/// The specification's envelope, with the owner's fields beside it.
fn export(receipt: &StoredReceipt, fate: &ReceiptState, public: bool) -> anyhow::Result<Value> {
    let mut artifact = serde_json::to_value(&receipt.artifact)?;
    artifact["redeemed_at"] = json!(fate.redeemed.map(|(at, _)| at));
    let mut export = json!({ "artifact": artifact });
    if let Some(document) = &fate.attestation {
        let mut document: Value = serde_json::from_str(document)?;
        if let (true, Some(attestation)) = (public, document["attestation_artifact"].as_object_mut()) {
            // The payload has an unsalted digest of the output, which would confirm a guess at it.
            attestation.remove("payload_bytes_b64");
            attestation.insert("payload_withheld".to_owned(), json!(true));
        }
        export["attestation_artifact"] = document["attestation_artifact"].take();
    }
    if !public {
        export["request_json"] = json!(receipt.request_json);
        export["request_commitment_salt_b64"] = json!(receipt.request_commitment_salt_b64);
        export["summary"] = json!(receipt.summary);
        export["company_id"] = json!(receipt.company_id);
        export["idem_key"] = json!(receipt.idem_key);
        export["input_hash"] = json!(receipt.input_hash);
    }
    Ok(export)
}
