//! Attacks on decisions by passkey: messages of an authenticator, a page or an attacker between them that are no
//! decision.

use crate::fixture::authenticator::SoftwareAuthenticator;
use crate::fixture::{Fixture, Setup};
use crate::{Attack, Attacker, Ending, Method, Refusal, SetupError};
use engine::trust::Act;
use engine::{AssertionRequest, Error, Invite, SignOutcome};
use receipt::{Decision, Envelope, EnvelopeSignature, KeyId, PAYLOAD_TYPE, RawSignature, RelyingParty};
use std::time::Duration;
use workflow::{Check, RequestId};

/// One person of the role `release` has to approve.
const RELEASE: &str = "[[rule]]\nid = \"release\"\nthen = \"ask\"\nrole = \"release\"\n";

const ORIGIN: &str = "https://approvals.example";

/// One attack on a decision.
type AttackFn = fn(&Case) -> Result<Result<SignOutcome, Error>, SetupError>;

pub(crate) fn attacks() -> Vec<Attack> {
    [assertions(), keys()].concat()
}

/// Assertions that are no decision about the request.
fn assertions() -> Vec<Attack> {
    vec![
        refused(
            "passkey-unverified",
            "Signs with a passkey whose authenticator did not verify the user.",
            "no user verification",
            |fixture| tried(&fixture, |case| case.altered(|it| it.verifies_user = false)),
        ),
        refused(
            "passkey-foreign-origin",
            "Has a passkey sign on a page of another origin.",
            "which is no origin of this key",
            |fixture| {
                tried(&fixture, |case| case.altered(|it| it.origin = "https://evil.example".to_owned()))
            },
        ),
        refused(
            "passkey-foreign-rp-id",
            "Has an authenticator sign for another relying party.",
            "another relying party",
            |fixture| tried(&fixture, |case| case.altered(|it| it.rp_id = "evil.example".to_owned())),
        ),
        refused(
            "passkey-other-request",
            "Uses a passkey's assertion about one request for another.",
            "another challenge",
            |fixture| tried(&fixture, |case| case.about_another()),
        ),
        refused(
            "passkey-sign-in",
            "Uses the assertion of a sign-in as a decision.",
            "another challenge",
            |fixture| tried(&fixture, |case| case.signed_in()),
        ),
        refused(
            "passkey-replayed",
            "Submits a passkey's decision a second time.",
            "does not wait for a decision",
            |fixture| tried(&fixture, |case| case.replayed()),
        ),
        refused(
            "passkey-stripped",
            "Removes the authenticator's and the browser's data from a passkey's signature.",
            "carries no passkey assertion",
            |fixture| tried(&fixture, |case| case.stripped()),
        ),
    ]
}

/// Keys that do not count.
fn keys() -> Vec<Attack> {
    vec![
        refused(
            "passkey-unconfirmed",
            "Decides with a passkey that an attacker registered with another person's invitation, before an operator confirmed it.",
            "by no key of the pinned deciders",
            |fixture| tried(&fixture, |case| case.unconfirmed()),
        ),
        refused(
            "passkey-invitation-twice",
            "Uses an invitation a second time.",
            "the invitation is not open",
            |fixture| {
                let (code, mallory) = (fixture.host().invite("operator", invite("bob")?)?, authenticator(8)?);
                fixture.host().register_passkey(&code, &authenticator(9)?.create(&code.challenge()))?;
                let again = fixture.host().register_passkey(&code, &mallory.create(&code.challenge()));
                Ok(Ending::of(again.map(|key| key.key_id())))
            },
        ),
        Attack {
            refusal: Refusal::Gate(Check::Approvals),
            ..refused(
                "passkey-revoked",
                "Uses a passkey's approval after the passkey was revoked.",
                "",
                revoked,
            )
        },
    ]
}

fn refused(
    name: &'static str,
    tries: &'static str,
    words: &'static str,
    method: fn(Fixture) -> Result<Ending, SetupError>,
) -> Attack {
    let setup = || Setup { policy: Some(RELEASE), ..Setup::tight() };
    Attack {
        name,
        tries,
        attacker: Attacker::Approval,
        refusal: Refusal::Words(words),
        method: Method::Alone(setup, method),
    }
}

/// Alice, who decides with a passkey, and a request that waits for her.
struct Case<'f> {
    fixture: &'f Fixture,
    alice: SoftwareAuthenticator,
    key: KeyId,
    id: RequestId,
}

impl<'f> Case<'f> {
    fn new(fixture: &'f Fixture) -> Result<Self, SetupError> {
        let (host, alice) = (fixture.host(), authenticator(7)?);
        let code = host.invite("operator", invite("alice")?)?;
        let key = host.register_passkey(&code, &alice.create(&code.challenge()))?.key_id();
        let trust = host.trust()?;
        let confirmed = trust.invitations().find_map(|invitation| invitation.confirmation());
        for act in confirmed.ok_or("nothing was registered")? {
            host.record_act("operator", act)?;
        }
        let (_, id) = fixture.victim()?;
        Ok(Self { fixture, alice, key, id })
    }

    fn asked(&self, id: &RequestId) -> Result<AssertionRequest, SetupError> {
        let approve = (Decision::Approved, None);
        Ok(self.fixture.host().assertion_request(id, &"alice".parse()?, None, approve, ORIGIN)?)
    }

    fn signed(&self, request: &AssertionRequest, by: &SoftwareAuthenticator) -> Result<SignOutcome, Error> {
        let response = by.get(&request.challenge);
        self.fixture.host().sign_with_passkey(&self.id, &request.statement, self.key, response)
    }

    fn altered(
        &self,
        change: fn(&mut SoftwareAuthenticator),
    ) -> Result<Result<SignOutcome, Error>, SetupError> {
        let mut other = self.alice.clone();
        change(&mut other);
        Ok(self.signed(&self.asked(&self.id)?, &other))
    }

    fn about_another(&self) -> Result<Result<SignOutcome, Error>, SetupError> {
        let (_, other) = self.fixture.victim()?;
        let (here, there) = (self.asked(&self.id)?, self.asked(&other)?);
        let response = self.alice.get(&there.challenge);
        Ok(self.fixture.host().sign_with_passkey(&self.id, &here.statement, self.key, response))
    }

    fn signed_in(&self) -> Result<Result<SignOutcome, Error>, SetupError> {
        let host = self.fixture.host();
        let (request, nonce) = (self.asked(&self.id)?, engine::random_bytes()?);
        let response = self.alice.get(&host.sign_in_challenge(&nonce));
        host.signed_in(&nonce, self.alice.credential_id(), &response)?;
        Ok(host.sign_with_passkey(&self.id, &request.statement, self.key, response))
    }

    fn replayed(&self) -> Result<Result<SignOutcome, Error>, SetupError> {
        let request = self.asked(&self.id)?;
        self.signed(&request, &self.alice)?;
        Ok(self.signed(&request, &self.alice))
    }

    fn stripped(&self) -> Result<Result<SignOutcome, Error>, SetupError> {
        let request = self.asked(&self.id)?;
        let bytes = self.alice.get(&request.challenge).signature;
        let signature = RawSignature { bytes, extension: None };
        let signature = EnvelopeSignature { key_id: self.key.to_string(), signature };
        let envelope = Envelope::new(PAYLOAD_TYPE, request.statement.as_bytes(), vec![signature])?;
        Ok(self.fixture.host().sign(&self.id, &envelope))
    }

    fn unconfirmed(&self) -> Result<Result<SignOutcome, Error>, SetupError> {
        let (host, mallory) = (self.fixture.host(), authenticator(8)?);
        let code = host.invite("operator", invite("bob")?)?;
        let key = host.register_passkey(&code, &mallory.create(&code.challenge()))?.key_id();
        let request = self.asked(&self.id)?;
        let response = mallory.get(&request.challenge);
        Ok(host.sign_with_passkey(&self.id, &request.statement, key, response))
    }
}

fn tried(fixture: &Fixture, attack: AttackFn) -> Result<Ending, SetupError> {
    let recorded = attack(&Case::new(fixture)?)?;
    Ok(Ending::of(recorded.map(|recorded| match recorded {
        SignOutcome::Waiting(count) => format!("kept: {}", count.ruling),
        SignOutcome::Issued(receipt) => receipt.id.to_string(),
    })))
}

fn revoked(fixture: Fixture) -> Result<Ending, SetupError> {
    let case = Case::new(&fixture)?;
    case.signed(&case.asked(&case.id)?, &case.alice)?;
    let (key_id, reason) = (case.key.to_string(), "lost".to_owned());
    fixture.host().record_act("operator", Act::KeyRevoked { key_id, compromised_at: None, reason })?;
    let key = fixture.host().waiting_request(&case.id)?.key;
    let status = fixture.drive(&key)?;
    Ok(Ending::Ran(status, fixture.entries(&key)?))
}

fn authenticator(seed: u8) -> Result<SoftwareAuthenticator, SetupError> {
    SoftwareAuthenticator::new(&[seed; 32], ORIGIN)
}

fn invite(name: &str) -> Result<Invite, SetupError> {
    Ok(Invite {
        decider: name.parse()?,
        roles: ["release".parse()?].into(),
        tenants: [].into(),
        relying_party: RelyingParty::of_origin(ORIGIN)?,
        lifetime: Duration::from_secs(15 * 60),
    })
}
