//! The key with which a decider signs: where it is, whose it is, and signing with it.

use crate::cli::session::Session;
use anyhow::{Context as _, bail};
use clap::Args;
use engine::trust::Trust;
use receipt::{
    DecisionStatement, Envelope, KeyHolder, KeyId, PersonId, PublicKey, RawSignature, SignError,
    StatementSigner,
};
use signer::{Agent, DeciderKey, KeyFile};
use std::path::PathBuf;

/// The decider's key.
#[derive(Debug, Args)]
pub(crate) struct SigningKey {
    /// The file of the private key: PKCS#8 in PEM, or OpenSSH's own.
    #[arg(long, value_name = "FILE", conflicts_with = "ssh_agent")]
    key: Option<PathBuf>,

    /// The key is in ssh-agent.
    #[arg(long)]
    ssh_agent: bool,
}

impl SigningKey {
    pub(crate) fn sign(
        &self,
        session: &Session<'_>,
        by: &PersonId,
        statement: &DecisionStatement,
    ) -> anyhow::Result<Envelope> {
        let trust = session.trust()?;
        let person =
            trust.deciders().person(by).with_context(|| format!("{by} is not a decider on this host"))?;
        let key = match &self.key {
            Some(file) => DeciderKey::File(KeyFile::open(file, signer::ask_on_terminal)?),
            None if self.ssh_agent => self.in_agent(person)?,
            None => bail!("say where {by}'s key is: --key FILE or --ssh-agent"),
        };
        let public = PublicKey::ed25519(&key.public_key())?;
        check_own_key(&trust, by, public.key_id())?;
        Ok(receipt::sign_decision(statement, &KeySigner { key, public })?)
    }

    /// The first of the person's keys that the agent has.
    fn in_agent(&self, person: &receipt::Person) -> anyhow::Result<DeciderKey> {
        let agent = Agent::from_environment()?;
        let mut missing = None;
        for own in person.keys.iter().filter(|own| own.revoked_at.is_none() && own.key.as_passkey().is_none())
        {
            let public = signer::PublicKey::parse(&own.key.to_pem())?;
            match agent.key(&public) {
                Ok(key) => return Ok(DeciderKey::Agent(key)),
                Err(error) => missing = Some(error),
            }
        }
        match missing {
            Some(error) => Err(error.into()),
            None => {
                bail!("{} has no key that counts: pp-host deciders add {} --key FILE", person.id, person.id)
            }
        }
    }
}

/// Refuses a key of another person, and names its holder.
fn check_own_key(trust: &Trust, by: &PersonId, key_id: KeyId) -> anyhow::Result<()> {
    let Some(KeyHolder { person, key }) = trust.deciders().key(key_id) else {
        bail!(
            "key {key_id} is not {by}'s, and no other decider's on this host (pp-host deciders list shows the keys)"
        );
    };
    match (person.id == *by, person.removed_at, key.revoked_at) {
        (true, None, None) => Ok(()),
        (true, Some(at), _) => bail!("{by} was removed at {at} and cannot decide"),
        (true, None, Some(at)) => {
            bail!("key {key_id} of {by} was revoked at {at}: sign with another (pp-host deciders list)")
        }
        (false, None, _) => {
            bail!("key {key_id} is {}'s, not {by}'s: use --as {}, or another key", person.id, person.id)
        }
        (false, Some(at), _) => {
            bail!("key {key_id} belongs to {}, who was removed at {at}: it can no longer sign", person.id)
        }
    }
}

/// The signer of a decider's key: a key file or ssh-agent.
struct KeySigner {
    key: DeciderKey,
    public: PublicKey,
}

impl StatementSigner for KeySigner {
    fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    fn sign(&self, message: &[u8]) -> Result<RawSignature, SignError> {
        self.key.sign(message).map(Into::into).map_err(|error| SignError(error.to_string()))
    }
}
