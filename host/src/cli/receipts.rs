//! `pp-host receipts`.

use crate::cli::data_dir::Data;
use crate::cli::verify::{Receipt, describe, label};
use crate::cli::{Exit, json_line, output, visible_json};
use anyhow::Context as _;
use clap::Subcommand;
use engine::issuer::Keyring;
use engine::trust::Trust;
use receipt::{DeciderSet, KeySet};
use serde_json::{Value, json};
use std::io::Write;
use store::{ActStore as _, ReceiptState, ReceiptStore as _, StoredReceipt};
use store_sqlite::Sqlite;
use workflow::ReceiptId;

/// List, show and export receipts. A revocation is a receipt too.
#[derive(Debug, Subcommand)]
pub(crate) enum Receipts {
    /// List all receipts and revocations, oldest first.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Verify one receipt with this host's keys and deciders, and show what it says.
    Show {
        /// The receipt.
        id: ReceiptId,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print one receipt for others to verify: the signed artifact with what opens its commitment, its attestation, and what revokes it.
    Export {
        /// The receipt.
        id: ReceiptId,
        /// Leave out what only the owner should have: the request, its salt, summary and binding.
        #[arg(long)]
        public: bool,
    },
}

/// A receipt as it is kept here.
struct Kept {
    receipt: StoredReceipt,
    kind: Kind,
}

enum Kind {
    /// A decision about a request, and what became of it.
    Decision(Box<ReceiptState>),
    /// It takes back the receipt of that id.
    Revocation(String),
}

impl Receipts {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (folder, store) = data.read()?;
        let mut out = output::stdout();
        match self {
            Self::List { json } => {
                for (_, line) in list(&store, *json)? {
                    writeln!(out, "{line}")?;
                }
            }
            Self::Show { id, json: true } => {
                writeln!(out, "{}", json_line(&Kept::find(&store, id)?.line())?)?;
            }
            Self::Show { id, json: false } => {
                let mut trust = Trust::default();
                trust.extend(&store.acts(0).wait()?)?;
                let keys = Keyring::public(&folder.keys())?;
                return show(&mut out, &Kept::find(&store, id)?, &keys, trust.deciders());
            }
            Self::Export { id, public } => {
                let export = Kept::find(&store, id)?.export(*public)?;
                writeln!(out, "{}", visible_json(&serde_json::to_string_pretty(&export)?))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// A line for each receipt and each revocation, by the time of issue.
fn list(store: &Sqlite, json: bool) -> anyhow::Result<Vec<(String, String)>> {
    let mut lines = Vec::new();
    for id in store.receipts().wait()? {
        let kept = Kept::find(store, &id)?;
        for kept in kept.revocation()?.iter().chain([&kept]) {
            let issued = kept.receipt.artifact.issued_at.clone().unwrap_or_default();
            let line = if json { json_line(&kept.line())? } else { kept.sentence() };
            lines.push((issued, line));
        }
    }
    // All instants have one form, whose order is that of time.
    lines.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(lines)
}

impl Kept {
    fn find(store: &Sqlite, id: &ReceiptId) -> anyhow::Result<Self> {
        if let Some(found) = store.receipt(id).wait()? {
            return Ok(Self { receipt: found.receipt, kind: Kind::Decision(Box::new(found.state)) });
        }
        let revocation = store.revocation(id).wait()?;
        let revocation = revocation.with_context(|| {
            format!("there is no receipt {id} (pp-host receipts list shows what there is)")
        })?;
        Ok(Self::revocation_of(revocation))
    }

    /// The binding of a revocation names what it revokes; its projection says the same, signed.
    fn revocation_of(receipt: StoredReceipt) -> Self {
        let revoked = receipt.idem_key.strip_prefix("revocation:").unwrap_or_default().to_owned();
        Self { receipt, kind: Kind::Revocation(revoked) }
    }

    /// What takes this receipt back.
    fn revocation(&self) -> anyhow::Result<Option<Self>> {
        let Kind::Decision(fate) = &self.kind else { return Ok(None) };
        let Some((_, body)) = &fate.revoked else { return Ok(None) };
        let revocation = serde_json::from_str(body).context("the kept revocation is damaged")?;
        Ok(Some(Self::revocation_of(revocation)))
    }

    fn status(&self) -> &str {
        self.receipt.artifact.status.as_deref().unwrap_or("unknown")
    }

    fn line(&self) -> Value {
        let receipt = &self.receipt;
        let mut line = json!({
            "receipt_id": receipt.id,
            "request_id": receipt.request,
            "tenant": receipt.company_id,
            "status": self.status(),
            "key_id": receipt.artifact.key_id,
            "issued_at": receipt.artifact.issued_at,
            "expires_at": receipt.artifact.expires_at,
        });
        match &self.kind {
            Kind::Decision(fate) => {
                line["redeemed_at"] = json!(fate.redeemed.map(|(at, _)| at));
                line["attested"] = json!(fate.attestation.is_some());
                line["revoked_at"] = json!(fate.revoked.as_ref().map(|(at, _)| at));
            }
            Kind::Revocation(revoked) => line["revokes"] = json!(revoked),
        }
        line
    }

    fn sentence(&self) -> String {
        let receipt = &self.receipt;
        let issued = receipt.artifact.issued_at.as_deref().unwrap_or_default();
        let more = match &self.kind {
            Kind::Revocation(revoked) => format!("  revokes {revoked}"),
            Kind::Decision(fate) => match (&fate.revoked, fate.redeemed) {
                (Some((at, _)), _) => format!("  revoked {at}"),
                (None, Some((at, _))) => format!("  redeemed {at}"),
                (None, None) => String::new(),
            },
        };
        format!("{}  {:<8}  {}  issued {issued}{more}", receipt.id, self.status(), receipt.company_id)
    }

    /// The published envelope: the owner's fields stand inside `artifact`. `revocation_artifact` is this project's own member.
    fn export(&self, public: bool) -> anyhow::Result<Value> {
        let mut export = json!({ "artifact": self.artifact(public)? });
        let Kind::Decision(fate) = &self.kind else { return Ok(export) };
        export["artifact"]["redeemed_at"] = json!(fate.redeemed.map(|(at, _)| at));
        export["attestation_artifact"] = attestation(fate, public)?;
        if let Some(revocation) = self.revocation()? {
            export["revocation_artifact"] = revocation.artifact(true)?;
        }
        Ok(export)
    }

    fn artifact(&self, public: bool) -> anyhow::Result<Value> {
        let receipt = &self.receipt;
        let mut artifact = serde_json::to_value(&receipt.artifact)?;
        if !public {
            artifact["request_json"] = json!(receipt.request_json);
            artifact["request_commitment_salt_b64"] = json!(receipt.request_commitment_salt_b64);
            artifact["summary"] = json!(receipt.summary);
            artifact["company_id"] = json!(receipt.company_id);
            artifact["idem_key"] = json!(receipt.idem_key);
            artifact["input_hash"] = json!(receipt.input_hash());
        }
        Ok(artifact)
    }

    /// The receipt, verified and opened with what is kept here.
    fn verified(&self, keys: &KeySet) -> anyhow::Result<Receipt> {
        let verified = receipt::verify(&self.receipt.artifact, keys)?;
        let opening = self.receipt.opening().context("the salt kept beside the receipt is damaged")?;
        let opened = verified.open(&opening)?;
        Ok(Receipt::of(verified, Some(opened)))
    }
}

/// The attestation, or null where there is none.
fn attestation(fate: &ReceiptState, public: bool) -> anyhow::Result<Value> {
    let Some(document) = &fate.attestation else { return Ok(Value::Null) };
    let mut document: Value = serde_json::from_str(document)?;
    if let (true, Some(attestation)) = (public, document["attestation_artifact"].as_object_mut()) {
        // The payload has an unsalted digest of the output, which would confirm a guess at it.
        attestation.remove("payload_bytes_b64");
        attestation.insert("payload_withheld".to_owned(), json!(true));
    }
    Ok(document["attestation_artifact"].take())
}

fn show(out: &mut impl Write, kept: &Kept, keys: &KeySet, deciders: &DeciderSet) -> anyhow::Result<Exit> {
    let mut receipt = kept.verified(keys)?;
    receipt.check_people(deciders)?;
    if let Some(revocation) = kept.revocation()? {
        receipt.revoked_by(revocation.verified(keys)?);
    }
    describe(out, &receipt)?;
    if let Kind::Decision(fate) = &kept.kind {
        describe_fate(out, fate, &receipt, keys)?;
    }
    Ok(if receipt.is_borne_out() { Exit::Done } else { Exit::Error })
}

fn describe_fate(
    out: &mut impl Write,
    fate: &ReceiptState,
    receipt: &Receipt,
    keys: &KeySet,
) -> anyhow::Result<()> {
    let redeemed = fate.redeemed.map_or_else(|| "no".to_owned(), |(at, _)| at.to_string());
    label(out, "redeemed", &redeemed)?;
    let outcome = match &fate.attestation {
        None => "not attested".to_owned(),
        Some(document) => {
            let attested = receipt.attested_by(document, keys)?;
            format!("{}, attested {}", attested.outcome().as_str(), attested.created_at())
        }
    };
    Ok(label(out, "outcome", &outcome)?)
}
