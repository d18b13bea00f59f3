//! `pp-host verify`: receipts and attestations, offline, with pinned keys and the specification's exit codes.

mod report;

pub(crate) use report::describe;

use crate::cli::visible_json;
use anyhow::{Context as _, bail};
use clap::Args;
use receipt::{
    ApprovalError, Artifact, AttestationArtifact, DeciderSet, Json, Judged, KeySet, Opened, Opening, Salt,
    Stated, StatedBinding, VerifiedAttestation, VerifiedDecision, VerifiedReceipt, VerifyError,
};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use workflow::Quoted;

/// The exit code when the command line makes no sense or a file cannot be read: nothing was verified, and nothing failed to verify.
pub(crate) const USAGE: u8 = 64;

/// The specification's exit code for a policy that is not satisfied.
const NOT_ENOUGH: u8 = 9;

/// Verify receipts and attestations offline, with keys that you have pinned.
///
/// Exit codes: 0 verified, 1 signature invalid, 2 key not found or revoked, 3 malformed, 4 hash or canonical form, 5 attestation
/// unsigned, 6 payload withheld, 7 attestation inconsistent, 8 unverifiable here, 9 policy failure, 10 commitment not opened, 64 usage.
/// With several files it is the first failure's.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Artifact or attestation files; - is standard input.
    #[arg(required = true, value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,

    /// The issuer's key set. Get it from the issuer, never from whoever hands you the receipt.
    #[arg(long)]
    keys: PathBuf,

    /// Open the commitment: the exact request text.
    #[arg(long, requires = "salt")]
    request: Option<PathBuf>,

    /// The commitment's salt: 64 hexadecimal digits, or base64.
    #[arg(long, value_name = "HEX", requires = "request")]
    salt: Option<String>,

    /// The summary that is stated for the receipt; one line ending at the end is not part of it.
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

    /// One JSON object a file.
    #[arg(long)]
    json: bool,
}

/// One file's verdict.
enum Verdict {
    Receipt {
        receipt: Box<VerifiedReceipt>,
        opened: Option<Box<Opened>>,
        attestation: Option<Result<VerifiedAttestation, VerifyError>>,
        edited: Vec<&'static str>,
        /// Whose signed decisions it rests on, where the deciders are pinned and the commitment is opened.
        approvals: Option<Result<Vec<VerifiedDecision>, ApprovalError>>,
    },
    Attestation(VerifiedAttestation),
}

impl Verify {
    pub(crate) fn execute(&self) -> ExitCode {
        match self.verify_all() {
            Ok(code) => ExitCode::from(code),
            Err(error) => {
                super::complain(&format!("{error:#}"));
                ExitCode::from(USAGE)
            }
        }
    }

    fn verify_all(&self) -> anyhow::Result<u8> {
        let text = read(&self.keys)?;
        let keys =
            KeySet::parse(&text).with_context(|| format!("{} is not a key set", self.keys.display()))?;
        let deciders = self.deciders()?;
        let opening = self.opening()?;
        let mut first = 0;
        for path in &self.artifacts {
            let verdict = self.verify_one(&read(path)?, &keys, opening.as_ref())?;
            if let (Some(_), Ok(Verdict::Receipt { opened: None, .. })) = (&deciders, &verdict) {
                bail!(
                    "{} is not opened, so nothing shows who decided: take the owner's export, or --request and --salt",
                    path.display()
                );
            }
            let verdict = verdict.map(|verdict| verdict.with_approvals(deciders.as_ref()));
            let code = verdict.as_ref().map_or_else(VerifyError::exit_code, Verdict::exit_code);
            self.report(path, &verdict)?;
            first = if first == 0 { code } else { first };
        }
        Ok(first)
    }

    /// The outer error is about the files at hand, the inner one is the verdict.
    fn verify_one(
        &self,
        text: &str,
        keys: &KeySet,
        opening: Option<&Opening>,
    ) -> anyhow::Result<Result<Verdict, VerifyError>> {
        let json = match Json::parse(text) {
            Ok(json) => json,
            Err(error) => return Ok(Err(error.into())),
        };
        if json.get("artifact").is_none() && json.get("attestation_artifact").is_some() {
            let path = self.receipt.as_ref().context(
                "an attestation is verified together with its receipt: name it with --receipt FILE",
            )?;
            return Ok(verify_attestation(text, &read(path)?, keys));
        }
        Ok(verify_receipt(text, &json, keys, opening))
    }

    fn deciders(&self) -> anyhow::Result<Option<DeciderSet>> {
        let Some(path) = &self.deciders else { return Ok(None) };
        let set = DeciderSet::parse(&read(path)?);
        set.map(Some).with_context(|| format!("{} is not a set of deciders", path.display()))
    }

    fn opening(&self) -> anyhow::Result<Option<Opening>> {
        let (Some(request), Some(salt)) = (&self.request, &self.salt) else { return Ok(None) };
        let salt = salt
            .parse()
            .ok()
            .or_else(|| Salt::from_base64(salt))
            .context("--salt takes 64 hexadecimal digits, or the same 32 bytes as base64")?;
        let mut opening = Opening::new(read(request)?, salt);
        if let Some(path) = &self.summary {
            let text = read(path)?;
            let text =
                text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
            opening.summary = Stated::Value(text.to_owned());
        }
        if let Some(path) = &self.binding {
            opening.binding =
                binding(&read(path)?).with_context(|| format!("{} is not a binding", path.display()))?;
        }
        Ok(Some(opening))
    }

    fn report(&self, path: &Path, verdict: &Result<Verdict, VerifyError>) -> std::io::Result<()> {
        let mut out = anstream::stdout().lock();
        let name = path.display().to_string();
        match (self.json, verdict) {
            (true, verdict) => {
                writeln!(out, "{}", visible_json(&report::to_json(&name, verdict).to_string()))
            }
            (false, Ok(Verdict::Receipt { receipt, opened, attestation, edited, approvals })) => {
                writeln!(out, "{}: VERIFIED", Quoted(&name))?;
                report::describe(&mut out, receipt, opened.as_deref())?;
                report::describe_approvals(&mut out, approvals.as_ref())?;
                report::warn_of_edits(&mut out, edited)?;
                report::describe_outcome(&mut out, attestation.as_ref())
            }
            (false, Ok(Verdict::Attestation(attested))) => {
                writeln!(out, "{}: VERIFIED", Quoted(&name))?;
                writeln!(out, "receipt      {}", Quoted(attested.receipt_id()))?;
                report::describe_outcome(&mut out, Some(&Ok(attested.clone())))
            }
            (false, Err(error)) => writeln!(
                out,
                "{}: {}: {}",
                Quoted(&name),
                error.code(),
                workflow::Escaped(&error.to_string())
            ),
        }
    }
}

impl Verdict {
    /// The verdict with that on the people's decisions, where the deciders are pinned.
    fn with_approvals(mut self, deciders: Option<&DeciderSet>) -> Self {
        if let (Self::Receipt { opened: Some(opened), approvals, .. }, Some(deciders)) = (&mut self, deciders)
        {
            *approvals = Some(receipt::verify_approvals(opened, deciders, Judged::AsIssued));
        }
        self
    }

    fn exit_code(&self) -> u8 {
        match self {
            // A receipt whose attestation is withheld from this copy is verified all the same.
            // The specification's code for a receipt that is genuine and not enough.
            Self::Receipt { approvals: Some(Err(_)), .. } => NOT_ENOUGH,
            Self::Receipt { attestation: Some(Err(VerifyError::PayloadWithheld)), .. } => 0,
            Self::Receipt { attestation: Some(Err(error)), .. } => error.exit_code(),
            Self::Receipt { .. } | Self::Attestation(_) => 0,
        }
    }
}

fn verify_receipt(
    text: &str,
    json: &Json,
    keys: &KeySet,
    opening: Option<&Opening>,
) -> Result<Verdict, VerifyError> {
    let artifact = Artifact::parse(text)?;
    let verified = receipt::verify(&artifact, keys)?;
    let edited = artifact.disagreements(&verified);
    let opening = match opening {
        Some(opening) => Some(opening.clone()),
        // An owner's export carries what opens it.
        None if json.get("request_json").is_some() => Some(Opening::from_owner_fields(json)?),
        None => None,
    };
    let opened = opening.map(|opening| verified.open(&opening)).transpose()?.map(Box::new);
    let attestation = match json.get("attestation_artifact") {
        None | Some(Json::Null) => None,
        Some(_) => Some(
            AttestationArtifact::parse(text)
                .and_then(|attestation| receipt::verify_attestation(&attestation, &verified, keys)),
        ),
    };
    Ok(Verdict::Receipt { receipt: Box::new(verified), opened, attestation, edited, approvals: None })
}

fn verify_attestation(text: &str, receipt: &str, keys: &KeySet) -> Result<Verdict, VerifyError> {
    let verified = receipt::verify(&Artifact::parse(receipt)?, keys)?;
    receipt::verify_attestation(&AttestationArtifact::parse(text)?, &verified, keys).map(Verdict::Attestation)
}

fn binding(text: &str) -> anyhow::Result<StatedBinding> {
    let json = Json::parse(text)?;
    let members = json.as_object().context("a binding is a JSON object")?;
    let mut binding = StatedBinding::default();
    for (key, value) in members.iter() {
        let stated = match value {
            Json::Null => Stated::Absent,
            value => Stated::Value(value.as_str().context("its values are strings or null")?.to_owned()),
        };
        match key.as_str() {
            Some("companyId") => binding.company_id = stated,
            Some("idemKey") => binding.idem_key = stated,
            Some("inputHash") => binding.input_hash = stated,
            _ => anyhow::bail!("its members are companyId, idemKey and inputHash"),
        }
    }
    Ok(binding)
}

/// Receipts are small: what is larger than this is none.
const LARGEST: u64 = 16 << 20;

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().lock().take(LARGEST).read_to_string(&mut text),
        _ => fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_string(&mut text)),
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text)
}
