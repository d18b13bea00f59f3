//! `pp-host receipts`.

use crate::cli::commands::verify::{Receipt, describe, label};
use crate::cli::options::data_dir::Data;
use crate::cli::output::{complain, json_line, visible_json};
use crate::cli::{Exit, output, session};
use anyhow::Context as _;
use clap::Subcommand;
use engine::api::{
    ExportAudience, KeptReceipt, Principal, Query, ReadOnlyHost, ReceiptKind, ReceiptRow, View,
};
use receipt::{Json, KeySet};
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::Write;
use store::ReceiptState;
use workflow::{Quoted, ReceiptId};

/// List, show and export receipts. A revocation is a receipt too.
#[derive(Debug, Subcommand)]
pub(crate) enum Receipts {
    /// Verify all receipts and revocations with this host's keys, and list them, oldest first. Exits with 1 when one does not verify.
    List {
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Verify one receipt with this host's keys and deciders, and show its content. Exits with 1 when it does not verify.
    Show {
        /// The receipt.
        id: ReceiptId,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print one receipt for others to verify: the signed artifact with the opening of its commitment, its attestation, and its revocation.
    Export {
        /// The receipt.
        id: ReceiptId,
        /// Leave out the parts that only the owner should have: the request, its salt, summary and binding.
        #[arg(long)]
        public: bool,
    },
}

/// The number of receipts that one read returns.
const PAGE: u32 = 500;

impl Receipts {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let host = ReadOnlyHost::open_at(&data.path, &data.location()?, None)?;
        let mut out = output::stdout();
        match self {
            Self::List { json } => list(&mut out, &host, *json),
            Self::Show { id, json } => {
                let View::Receipt(row) =
                    host.view(&Principal::own(), Query::Receipt { receipt: id.clone() })?
                else {
                    return Err(session::another_view());
                };
                match json {
                    true => {
                        let receipt =
                            judged(&row, &host).and_then(|receipt| supported(receipt, &row, host.keys()));
                        writeln!(out, "{}", json_line(&CheckedRow::of(&mut row.clone(), &receipt))?)?;
                        Ok(if receipt.is_ok() { Exit::Done } else { Exit::Error })
                    }
                    false => show(&mut out, &row, &host),
                }
            }
            Self::Export { id, public } => {
                let audience = if *public { ExportAudience::Public } else { ExportAudience::Owner };
                let query = Query::Export { receipt: id.clone(), audience };
                let View::Export { document } = host.view(&Principal::own(), query)? else {
                    return Err(session::another_view());
                };
                writeln!(out, "{}", visible_json(&serde_json::to_string_pretty(&document)?))?;
                Ok(Exit::Done)
            }
        }
    }
}

/// Lists the signed content of each receipt, and reports each column of the database that contradicts it.
fn list(out: &mut impl Write, host: &ReadOnlyHost, json: bool) -> anyhow::Result<Exit> {
    let (mut after, mut exit) = (None, Exit::Done);
    // The receipts that are revoked according to the database. The revocation of each follows in the list.
    let mut revoked = BTreeSet::new();
    loop {
        let query = Query::Receipts { tenant: None, after, newest_first: false, limit: PAGE };
        let View::Receipts { mut receipts, more } = host.view(&Principal::own(), query)? else {
            return Err(session::another_view());
        };
        for row in &mut receipts {
            let receipt = with_revocation(row, host.keys());
            let receipt = receipt.and_then(|receipt| supported(receipt, row, host.keys()));
            let receipt = receipt.and_then(|receipt| {
                if let Some(revokes) = receipt.verified().revokes() {
                    anyhow::ensure!(
                        revoked.remove(revokes),
                        "the database does not have {revokes} as revoked"
                    );
                }
                Ok(receipt)
            });
            let id = row.receipt_id.clone();
            if let ReceiptKind::Decision { revoked_at: Some(_), .. } = &row.kind {
                revoked.insert(id.to_string());
            }
            let judged = CheckedRow::of(row, &receipt);
            match &receipt {
                Err(error) => {
                    let claimed = judged.claimed.as_deref().unwrap_or_default();
                    complain(&format!("{id} does not verify: {error:#}; it claims to be {}", Quoted(claimed)));
                    exit = Exit::Error;
                }
                Ok(_) => judged.edited.iter().for_each(|name| {
                    complain(&format!(
                        "the {name} in the envelope of {id} is not what was signed; what is listed is what was signed"
                    ));
                }),
            }
            match json {
                true => writeln!(out, "{}", json_line(&judged)?)?,
                false => writeln!(out, "{}", sentence(judged.row))?,
            }
        }
        after = receipts.into_iter().next_back().map(|row| row.receipt_id).filter(|_| more);
        if after.is_none() {
            return Ok(exit);
        }
    }
}

/// The state of a receipt that does not verify, in place of what its envelope says.
const UNVERIFIED: &str = "UNVERIFIED";

/// A receipt in a list, with the signed values in place of the envelope's copies.
#[derive(Debug, Serialize)]
struct CheckedRow<'a> {
    #[serde(flatten)]
    row: &'a ReceiptRow,
    /// Whether the receipt verifies with this host's keys.
    verified: bool,
    /// The envelope's copies that differ from the signed values.
    edited: Vec<&'static str>,
    /// Why the receipt does not verify.
    error: Option<String>,
    /// The unsigned status of a receipt that does not verify.
    claimed: Option<String>,
}

impl<'a> CheckedRow<'a> {
    fn of(row: &'a mut ReceiptRow, receipt: &anyhow::Result<Receipt>) -> Self {
        match receipt {
            Ok(receipt) => {
                let signed = receipt.verified();
                row.status = signed.decision().as_str().to_owned();
                row.key_id = signed.key_id().to_owned();
                row.issued_at = Some(signed.created_at().to_string());
                row.expires_at = Some(signed.expires_at().to_string());
                Self { row, verified: true, edited: receipt.edited().to_vec(), error: None, claimed: None }
            }
            Err(error) => {
                let claimed = Some(std::mem::replace(&mut row.status, UNVERIFIED.to_owned()));
                Self { row, verified: false, edited: Vec::new(), error: Some(format!("{error:#}")), claimed }
            }
        }
    }
}

fn sentence(row: &ReceiptRow) -> String {
    let issued = row.issued_at.as_deref().unwrap_or_default();
    let more = match &row.kind {
        ReceiptKind::Revocation { revokes } => format!("  revokes {revokes}"),
        ReceiptKind::Decision { revoked_at: Some(at), .. } => format!("  revoked {at}"),
        ReceiptKind::Decision { redeemed_at: Some(at), .. } => format!("  redeemed {at}"),
        ReceiptKind::Decision { .. } => String::new(),
    };
    format!("{}  {:<8}  {}  issued {issued}{more}", row.receipt_id, row.status, row.tenant)
}

/// A stored receipt, verified and opened with its stored opening.
fn verified(id: &ReceiptId, kept: &KeptReceipt, keys: &KeySet) -> anyhow::Result<Receipt> {
    let verified = receipt::verify(&kept.receipt.artifact, keys)?;
    anyhow::ensure!(verified.id() == id.as_str(), "it is {}", Quoted(verified.id()));
    let opening = kept.receipt.opening().context("the salt stored with the receipt is damaged")?;
    let opened = verified.open(&opening)?;
    let requested = opened.request().pointer(["action", "parameters", "requestId"]).and_then(Json::as_str);
    if let Some(request) = requested.filter(|_| verified.revokes().is_none()) {
        anyhow::ensure!(request == kept.receipt.request.as_str(), "it decides {}", Quoted(request));
    }
    let mut receipt = Receipt::of(verified, Some(opened));
    receipt.compare(&kept.receipt.artifact);
    Ok(receipt)
}

/// [`verified`], with the revocation.
fn with_revocation(row: &ReceiptRow, keys: &KeySet) -> anyhow::Result<Receipt> {
    let mut receipt = verified(&row.receipt_id, &row.kept, keys)?;
    if let Some(revocation) = row.kept.revocation()? {
        receipt.revoked_by(verified(&revocation.receipt.id, &revocation, keys)?);
    }
    Ok(receipt)
}

/// [`with_revocation`], with the people's decisions.
fn judged(row: &ReceiptRow, host: &ReadOnlyHost) -> anyhow::Result<Receipt> {
    let mut receipt = with_revocation(row, host.keys())?;
    receipt.check_people(host.trust().deciders())?;
    Ok(receipt)
}

/// The receipt, if its parts and its attestation support it.
fn supported(receipt: Receipt, row: &ReceiptRow, keys: &KeySet) -> anyhow::Result<Receipt> {
    anyhow::ensure!(receipt.is_borne_out(), "{}", receipt.code().0);
    if let Some(document) = row.kept.state.as_ref().and_then(|state| state.attestation.as_ref()) {
        receipt.attested_by(document, keys).context("its attestation")?;
    }
    Ok(receipt)
}

fn show(out: &mut impl Write, row: &ReceiptRow, host: &ReadOnlyHost) -> anyhow::Result<Exit> {
    let receipt = judged(row, host)?;
    describe(out, &receipt)?;
    if let Some(state) = &row.kept.state {
        describe_state(out, state, &receipt, host.keys())?;
    }
    Ok(if receipt.is_borne_out() { Exit::Done } else { Exit::Error })
}

fn describe_state(
    out: &mut impl Write,
    receipt_state: &ReceiptState,
    receipt: &Receipt,
    keys: &KeySet,
) -> anyhow::Result<()> {
    let redeemed = receipt_state.redeemed.map_or_else(|| "no".to_owned(), |(at, _)| at.to_string());
    label(out, "redeemed", &redeemed)?;
    let outcome = match &receipt_state.attestation {
        None => "not attested".to_owned(),
        Some(document) => {
            let attested = receipt.attested_by(document, keys)?;
            format!("{}, attested {}", attested.outcome().as_str(), attested.created_at())
        }
    };
    Ok(label(out, "outcome", &outcome)?)
}
