//! Verdicts: the result for one file, with its code and exit code.

use super::requirement::Unmet;
use super::revocation;
use receipt::{
    ApprovalError, Artifact, AttestationArtifact, DeciderSet, Json, Judged, KeySet, Opened, Opening, Scope,
    VerifiedAttestation, VerifiedDecision, VerifiedReceipt, VerifyError, is_demo_key, verify_approvals,
    verify_attestation,
};

/// The specification's exit code for a genuine signature over something that must not be accepted.
const POLICY_FAILURE: u8 = 9;
/// The receipt verifies. A document next to it in its file, the attestation or the revocation, does not.
const BESIDE: u8 = 11;
/// The receipt verifies, and is not what `--require` asks for.
const NOT_MET: u8 = 12;

/// The result for one file.
#[derive(Debug)]
pub(super) enum Verdict {
    Receipt(Box<Receipt>),
    Attestation(Box<Attested>),
    /// The document does not verify.
    Refused(VerifyError),
    /// The document was not verified: the file cannot be read, or an option does not apply to it.
    NotJudged(String),
}

/// A receipt that verifies, and all that came with it.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(super) verified: VerifiedReceipt,
    pub(super) opened: Option<Opened>,
    /// The attestation in the same file.
    pub(super) attestation: Option<Result<VerifiedAttestation, VerifyError>>,
    /// Why the revocation in the same file is not valid.
    pub(super) bad_revocation: Option<VerifyError>,
    /// The revocation of this receipt, from the same file or another file of the call.
    pub(super) revoked_by: Option<VerifiedReceipt>,
    /// The people whose signed decisions it rests on, if the deciders are pinned.
    pub(super) people: Option<Result<Vec<VerifiedDecision>, ApprovalError>>,
    /// The convenience copies in the envelope that contradict the signed values.
    pub(super) edited: Vec<&'static str>,
    pub(super) notes: Vec<&'static str>,
    pub(super) unmet: Vec<Unmet>,
}

/// An attestation that verifies, and the receipt that it is of.
#[derive(Debug)]
pub(super) struct Attested {
    pub(super) attestation: VerifiedAttestation,
    pub(super) receipt: VerifiedReceipt,
}

/// The opening that the caller gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct GivenOpening<'a> {
    pub(super) opening: Option<&'a Result<Opening, VerifyError>>,
    /// Whether there are other files in the call. The opening is of a receipt then, and not of its revocation.
    pub(super) among_others: bool,
}

impl<'a> GivenOpening<'a> {
    fn of(self, receipt: &VerifiedReceipt) -> Option<&'a Result<Opening, VerifyError>> {
        self.opening.filter(|_| !self.among_others || receipt.revokes().is_none())
    }
}

impl Verdict {
    /// The code for programs, and the exit code.
    pub(super) fn code(&self) -> (&'static str, u8) {
        match self {
            Self::Receipt(receipt) => receipt.code(),
            Self::Attestation(_) => ("VERIFIED", 0),
            Self::Refused(error) => (error.code(), error.exit_code()),
            Self::NotJudged(_) => ("NOT_JUDGED", super::USAGE),
        }
    }
}

impl Receipt {
    /// Verifies the receipt of `document` and the documents next to it. `opening` is the caller's, for the receipt that
    /// the call is about; without it, an owner's document opens itself.
    pub(super) fn read(
        text: &str,
        document: &Json,
        keys: &KeySet,
        opening: GivenOpening<'_>,
    ) -> Result<Self, VerifyError> {
        let artifact = Artifact::parse(text)?;
        let verified = receipt::verify(&artifact, keys)?;
        let opening = opening.of(&verified);
        let mut receipt = Self::of(verified, None);
        receipt.compare(&artifact);
        if receipt.verified.scope() == Some(Scope::Production) && is_demo_key(receipt.verified.key_id()) {
            receipt.notes.push("a demonstration's key signed it, and makes nothing of production");
        }
        let carried = Opening::from_document(document);
        let opening = match opening {
            Some(brought) => Some(brought.clone()?),
            None if receipt.verified.request_commitment().is_some() => carried?,
            None => {
                if !matches!(carried, Ok(None)) {
                    receipt.notes.push("the file's owner fields are not signed, and were not read");
                }
                None
            }
        };
        receipt.opened = opening.map(|opening| receipt.verified.open(&opening)).transpose()?;
        receipt.read_attestation(text, document, keys);
        receipt.read_revocation(document, keys);
        Ok(receipt)
    }

    /// A receipt with nothing next to it.
    pub(crate) fn of(verified: VerifiedReceipt, opened: Option<Opened>) -> Self {
        Self {
            verified,
            opened,
            attestation: None,
            bad_revocation: None,
            revoked_by: None,
            people: None,
            edited: Vec::new(),
            notes: Vec::new(),
            unmet: Vec::new(),
        }
    }

    fn read_attestation(&mut self, text: &str, document: &Json, keys: &KeySet) {
        if matches!(document.get("attestation_artifact"), None | Some(Json::Null)) {
            return;
        }
        let attestation = AttestationArtifact::parse(text);
        self.attestation = Some(attestation.and_then(|it| verify_attestation(&it, &self.verified, keys)));
    }

    fn read_revocation(&mut self, document: &Json, keys: &KeySet) {
        match revocation::beside(document, keys) {
            None => {}
            Some(Err(error)) => self.bad_revocation = Some(error),
            Some(Ok(revocation)) => self.take_back(revocation),
        }
    }

    /// Applies a document that claims to revoke this receipt.
    fn take_back(&mut self, revocation: VerifiedReceipt) {
        if self.verified.is_revoked_by(&revocation) {
            self.revoked_by = Some(revocation);
        } else {
            let reason = format!("`{}` is genuine, and does not revoke this receipt", revocation.id());
            self.bad_revocation = Some(VerifyError::Malformed(reason.into()));
        }
    }

    /// Compares the envelope that the receipt was read from with the signed values.
    pub(crate) fn compare(&mut self, artifact: &Artifact) {
        self.edited = artifact.disagreements(&self.verified);
    }

    /// The convenience copies in the envelope that contradict the signed values.
    pub(crate) fn edited(&self) -> &[&'static str] {
        &self.edited
    }

    /// The signed values.
    pub(crate) fn verified(&self) -> &VerifiedReceipt {
        &self.verified
    }

    /// Applies the stored revocation of this receipt.
    pub(crate) fn revoked_by(&mut self, revocation: Self) {
        self.take_back(revocation.verified);
    }

    /// The attestation in `document`, when it is of this receipt.
    pub(crate) fn attested_by(
        &self,
        document: &str,
        keys: &KeySet,
    ) -> Result<VerifiedAttestation, VerifyError> {
        verify_attestation(&AttestationArtifact::parse(document)?, &self.verified, keys)
    }

    /// Whether the people's decisions and the revocation support the receipt's claims.
    pub(crate) fn is_borne_out(&self) -> bool {
        self.code().1 == 0
    }

    /// Verifies the people's decisions. Only an opened receipt shows them; a revocation needs none.
    pub(crate) fn check_people(&mut self, deciders: &DeciderSet) -> Result<(), VerifyError> {
        match &self.opened {
            Some(opened) => {
                self.people = Some(verify_approvals(opened, deciders, Judged::AsIssued));
                Ok(())
            }
            None if self.verified.revokes().is_some() => Ok(()),
            None if self.verified.request_commitment().is_none() => {
                Err(VerifyError::OpeningNotApplicable(self.verified.canonicalization().as_str()))
            }
            None => Err(VerifyError::RequestCommitmentUnavailable(
                "its request and salt, and --deciders checks the decisions in the request".into(),
            )),
        }
    }

    /// The code for programs, and the exit code. The gravest first.
    pub(crate) fn code(&self) -> (&'static str, u8) {
        if matches!(self.people, Some(Err(_))) {
            return ("DECIDERS_NOT_VERIFIED", POLICY_FAILURE);
        }
        if self.bad_revocation.is_some() {
            return ("REVOCATION_NOT_VERIFIED", BESIDE);
        }
        match &self.attestation {
            // The issuer's public copy. The receipt has all that it needs.
            None | Some(Ok(_) | Err(VerifyError::PayloadWithheld)) => {}
            Some(Err(_)) => return ("ATTESTATION_NOT_VERIFIED", BESIDE),
        }
        if self.unmet.is_empty() { ("VERIFIED", 0) } else { ("REQUIREMENT_NOT_MET", NOT_MET) }
    }

    /// The unchecked parts, in one word for programs and in words for people.
    pub(super) fn not_checked(&self) -> Vec<(&'static str, &'static str)> {
        let mut not_checked = Vec::new();
        if self.verified.request_commitment().is_some() && self.opened.is_none() {
            let why = "the request: give the owner's export, or --request and --salt";
            not_checked.push(("request", why));
        }
        if self.people.is_none() && self.names_a_person() {
            let why = "who decided: the issuer says so; --deciders checks the people's own signatures";
            not_checked.push(("deciders", why));
        }
        if matches!(self.attestation, Some(Err(VerifyError::PayloadWithheld))) {
            not_checked.push(("attestation", "the outcome: its signed payload is withheld in this copy"));
        }
        not_checked
    }

    fn names_a_person(&self) -> bool {
        let engine = |id: &str| id.starts_with("system/") || id.starts_with("demo:");
        // A revocation needs only the issuer's signature.
        let revokes = self.verified.revokes().is_some();
        !revokes && self.verified.decider().is_some_and(|decider| !engine(&decider.id))
    }
}

impl Attested {
    /// Verifies an attestation together with the receipt that it is of.
    pub(super) fn read(text: &str, receipt: &str, keys: &KeySet) -> Result<Self, VerifyError> {
        let receipt = receipt::verify(&Artifact::parse(receipt)?, keys)?;
        let attestation = verify_attestation(&AttestationArtifact::parse(text)?, &receipt, keys)?;
        Ok(Self { attestation, receipt })
    }
}
