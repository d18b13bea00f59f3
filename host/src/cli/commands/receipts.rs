//! `pp-host receipts`.

use crate::cli::commands::verify::{Receipt, describe, label};
use crate::cli::options::data_dir::Data;
use crate::cli::output::{json_line, visible_json};
use crate::cli::{Exit, output, session};
use anyhow::Context as _;
use clap::Subcommand;
use engine::api::{Extent, KeptReceipt, Principal, Query, ReadOnlyHost, ReceiptKind, ReceiptRow, View};
use receipt::KeySet;
use std::io::Write;
use store::ReceiptState;
use workflow::ReceiptId;

/// List, show and export receipts. A revocation is a receipt too.
#[derive(Debug, Subcommand)]
pub(crate) enum Receipts {
    /// List all receipts and revocations, oldest first.
    List {
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Verify one receipt with this host's keys and deciders, and show its content.
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

/// Receipts that are read at once.
const PAGE: u32 = 500;

impl Receipts {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let host = ReadOnlyHost::open_at(&data.path, &data.location()?, None)?;
        let mut out = output::stdout();
        match self {
            Self::List { json } => {
                let mut after = None;
                loop {
                    let query = Query::Receipts { tenant: None, after, newest_first: false, limit: PAGE };
                    let View::Receipts { receipts, more } = host.view(&Principal::own(), query)? else {
                        return Err(session::another_view());
                    };
                    for row in &receipts {
                        match json {
                            true => writeln!(out, "{}", json_line(row)?)?,
                            false => writeln!(out, "{}", sentence(row))?,
                        }
                    }
                    after = receipts.into_iter().next_back().map(|row| row.receipt_id).filter(|_| more);
                    if after.is_none() {
                        break;
                    }
                }
            }
            Self::Show { id, json } => {
                let View::Receipt(row) =
                    host.view(&Principal::own(), Query::Receipt { receipt: id.clone() })?
                else {
                    return Err(session::another_view());
                };
                match json {
                    true => writeln!(out, "{}", json_line(&*row)?)?,
                    false => return show(&mut out, &row.kept, &host),
                }
            }
            Self::Export { id, public } => {
                let extent = if *public { Extent::Public } else { Extent::Owner };
                let query = Query::Export { receipt: id.clone(), extent };
                let View::Export { document } = host.view(&Principal::own(), query)? else {
                    return Err(session::another_view());
                };
                writeln!(out, "{}", visible_json(&serde_json::to_string_pretty(&document)?))?;
            }
        }
        Ok(Exit::Done)
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
fn verified(kept: &KeptReceipt, keys: &KeySet) -> anyhow::Result<Receipt> {
    let verified = receipt::verify(&kept.receipt.artifact, keys)?;
    let opening = kept.receipt.opening().context("the salt kept beside the receipt is damaged")?;
    let opened = verified.open(&opening)?;
    Ok(Receipt::of(verified, Some(opened)))
}

fn show(out: &mut impl Write, kept: &KeptReceipt, host: &ReadOnlyHost) -> anyhow::Result<Exit> {
    let keys = host.keys();
    let mut receipt = verified(kept, keys)?;
    receipt.check_people(host.trust().deciders())?;
    if let Some(revocation) = kept.revocation()? {
        receipt.revoked_by(verified(&revocation, keys)?);
    }
    describe(out, &receipt)?;
    if let Some(state) = &kept.state {
        describe_state(out, state, &receipt, keys)?;
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
