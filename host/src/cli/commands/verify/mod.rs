//! `pp-host verify`: receipts and attestations, offline, with pinned keys and the specification's exit codes.

mod input;
mod leaves;
mod line;
mod report;
mod require;
mod requirement;
mod revocation;
mod verdict;

pub(crate) use report::{describe, label};
pub(crate) use verdict::Receipt;

use crate::cli::output;
use crate::cli::output::{complain, visible_json};
use anyhow::{Context as _, bail};
use clap::Args;
use engine::{Clock as _, SystemClock};
use input::Document;
use receipt::{DeciderSet, Json, KeySet, Opening, VerifiedReceipt, VerifyError};
use requirement::Requirement;
use std::io;
use std::io::Write;
use std::path::{Path, PathBuf};
use verdict::{Attested, GivenOpening, Verdict};

/// The exit code when the command line makes no sense, or a file cannot be read or written: nothing was found out about a receipt.
pub(crate) const USAGE: u8 = 64;

/// Verify receipts and attestations offline, with keys that you have pinned.
///
/// A denial and a demonstration verify too: an exit code of 0 says that the receipt is genuine, and --require says what
/// else it must be.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Verify {
    /// Artifact or attestation files; - is standard input.
    #[arg(required = true, value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,

    /// The issuer's key set. Get it from the issuer, never with the receipt.
    #[arg(long)]
    keys: PathBuf,

    /// What the receipts must be, separated by commas. If a requirement is not met, the exit code is 12.
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    require: Vec<Requirement>,

    /// Open the commitment: the exact request text.
    #[arg(long, requires = "salt")]
    request: Option<PathBuf>,

    /// The commitment's salt: 64 hexadecimal digits, or base64.
    #[arg(long, value_name = "HEX", requires = "request")]
    salt: Option<String>,

    /// The summary that is claimed for the receipt; a final line ending is not part of it.
    #[arg(long, requires = "request")]
    summary: Option<PathBuf>,

    /// The binding that is stated for the receipt: a JSON object with any of companyId, idemKey, inputHash.
    #[arg(long, requires = "request")]
    binding: Option<PathBuf>,

    /// The receipt that an attestation is of.
    #[arg(long)]
    receipt: Option<PathBuf>,

    /// The people who decide, as `pp-host deciders export` writes them. Get them from the operator, never with the receipt. The decisions in
    /// an opened receipt are then verified too.
    #[arg(long)]
    deciders: Option<PathBuf>,

    /// One JSON object per file.
    #[arg(long)]
    json: bool,
}

const EXIT_CODES: &str = "\
Exit codes. With several files it is that of the first that fails; each has its own verdict.
   0  verified, and all that --require asks for
   1  signature invalid
   2  key not found, or revoked
   3  malformed, or an attestation of another receipt or of a denial
   4  hash or canonical form
   5  attestation unsigned (the file holds only an attestation)
   6  attestation withheld (the file holds only an attestation)
   7  attestation contradicts itself
   8  unverifiable here: an unknown version, or nothing to open it with
   9  policy failure: a genuine signature over something that must not be accepted
  10  commitment not opened: another request, summary or binding was signed
  11  the receipt verifies; the attestation or the revocation in its file does not
  12  the receipt verifies, and is not what --require asks for
  64  usage, or a file cannot be read or written";

/// The inputs that all files are judged by.
struct VerifyInputs {
    keys: KeySet,
    deciders: Option<DeciderSet>,
    opening: Option<Result<Opening, VerifyError>>,
    /// The receipt that attestations are of.
    receipt: Option<Result<String, VerifyError>>,
}

impl Verify {
    pub(crate) fn execute(&self) -> u8 {
        let verdicts = match self.judge_all() {
            Ok(verdicts) => verdicts,
            Err(error) => {
                complain(&format!("{error:#}"));
                return USAGE;
            }
        };
        let code = verdicts.iter().map(|verdict| verdict.code().1).find(|code| *code != 0);
        if let Err(error) = self.report_all(&verdicts) {
            complain(&format!("cannot print the verdicts: {error}"));
            return code.unwrap_or(USAGE);
        }
        code.unwrap_or(0)
    }

    /// One verdict per file, in the order of the command line.
    fn judge_all(&self) -> anyhow::Result<Vec<Verdict>> {
        let inputs = self.inputs()?;
        let mut revocations = Vec::new();
        let mut verdicts: Vec<_> =
            self.artifacts.iter().map(|path| self.judge(path, &inputs, &mut revocations)).collect();
        let now = SystemClock.now();
        for verdict in &mut verdicts {
            if let Verdict::Receipt(receipt) = verdict {
                let revocation = revocations.iter().find(|other| receipt.verified.is_revoked_by(other));
                receipt.revoked_by = receipt.revoked_by.take().or_else(|| revocation.cloned());
                receipt.unmet = Requirement::unmet(&self.require, receipt, now);
            }
        }
        Ok(verdicts)
    }

    /// Reads the other files of the command line. A fault in them applies to every receipt.
    fn inputs(&self) -> anyhow::Result<VerifyInputs> {
        let not = |what: &str, path: &Path| format!("{} is not {what}", path.display());
        let keys = KeySet::parse(&input::text(&self.keys)?);
        let keys = keys.with_context(|| not("a key set", &self.keys))?;
        let deciders = match &self.deciders {
            None if self.require.contains(&Requirement::Deciders) => {
                bail!(
                    "--require deciders needs --deciders FILE, the people as `pp-host deciders export` writes them"
                )
            }
            None => None,
            Some(path) => {
                let set = DeciderSet::parse(&input::text(path)?);
                Some(set.with_context(|| not("a set of deciders", path))?)
            }
        };
        let receipt = match self.receipt.as_deref().map(|path| (path, Document::read(path))) {
            None => None,
            Some((_, Document::Text(text))) => Some(Ok(text)),
            Some((_, Document::Malformed(error))) => Some(Err(error)),
            Some((path, Document::Unreadable(error))) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        Ok(VerifyInputs { keys, deciders, opening: self.opening()?, receipt })
    }

    fn opening(&self) -> anyhow::Result<Option<Result<Opening, VerifyError>>> {
        let (Some(request), Some(salt)) = (&self.request, &self.salt) else { return Ok(None) };
        let summary = self.summary.as_deref().map(input::summary).transpose()?.unwrap_or_default();
        let binding = self.binding.as_deref().map(input::binding).transpose()?.unwrap_or_default();
        let opening = input::opening(request, salt)?;
        Ok(Some(opening.map(|opening| Opening { summary, binding, ..opening })))
    }

    /// The verdict on a file. The revocations in it are added to `revocations`.
    fn judge(&self, path: &Path, inputs: &VerifyInputs, revocations: &mut Vec<VerifiedReceipt>) -> Verdict {
        let text = match Document::read(path) {
            Document::Text(text) => text,
            Document::Malformed(error) => return Verdict::Refused(error),
            Document::Unreadable(error) => return Verdict::NotJudged(format!("cannot read it: {error}")),
        };
        let document = match Json::parse(&text) {
            Ok(document) => document,
            Err(error) => return Verdict::Refused(error.into()),
        };
        revocations.extend(revocation::signed(&text, &document, &inputs.keys));
        let has = |name: &str| document.get(name).is_some_and(|member| *member != Json::Null);
        if !has("artifact") && has("attestation_artifact") {
            return self.judge_attestation(&text, inputs);
        }
        match self.judge_receipt(&text, &document, inputs) {
            Ok(receipt) => Verdict::Receipt(Box::new(receipt)),
            Err(error) => Verdict::Refused(error),
        }
    }

    fn judge_receipt(
        &self,
        text: &str,
        document: &Json,
        inputs: &VerifyInputs,
    ) -> Result<Receipt, VerifyError> {
        let among_others = self.artifacts.len() > 1;
        let given = GivenOpening { opening: inputs.opening.as_ref(), among_others };
        let mut receipt = Receipt::read(text, document, &inputs.keys, given)?;
        if let Some(deciders) = &inputs.deciders {
            receipt.check_people(deciders)?;
        }
        Ok(receipt)
    }

    fn judge_attestation(&self, text: &str, inputs: &VerifyInputs) -> Verdict {
        let asked = [
            ("--request", self.request.is_some()),
            ("--deciders", self.deciders.is_some()),
            ("--require", !self.require.is_empty()),
        ];
        if let Some((option, _)) = asked.iter().find(|(_, given)| *given) {
            return Verdict::NotJudged(format!("{option} is about receipts, and this is an attestation"));
        }
        let attested = match &inputs.receipt {
            None => {
                return Verdict::NotJudged(
                    "an attestation is verified together with its receipt: name it with --receipt FILE"
                        .to_owned(),
                );
            }
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(receipt)) => Attested::read(text, receipt, &inputs.keys),
        };
        attested.map_or_else(Verdict::Refused, |attested| Verdict::Attestation(Box::new(attested)))
    }

    fn report_all(&self, verdicts: &[Verdict]) -> io::Result<()> {
        let mut out = output::stdout();
        for (path, verdict) in self.artifacts.iter().zip(verdicts) {
            let name = path.display().to_string();
            match self.json {
                true => writeln!(out, "{}", visible_json(&line::to_json(&name, verdict).to_string()))?,
                false => report::report(&mut out, &name, verdict)?,
            }
        }
        Ok(())
    }
}
