//! `pp-host deciders`: the people who may decide, and their keys.

mod passkeys;

use crate::cli::options::data_dir::Data;
use crate::cli::options::moment::Moment;
use crate::cli::output::hint::Hint;
use crate::cli::output::json_line;
use crate::cli::session::trust_on_record::tell_of_the_first;
use crate::cli::session::{Session, trust_on_record};
use crate::cli::{Exit, output, session};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use engine::api::DeciderRow;
use engine::trust::{Act, Invitation};
use engine::{Clock as _, SystemClock};
use receipt::{DeciderKey, Passkey, PersonId, Role};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use workflow::TenantId;

/// The people who decide, and their public keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Deciders {
    /// Add a person who may decide, or another key or other roles of one.
    Add(Add),
    Invite(passkeys::Invite),
    Confirm(passkeys::Confirm),
    /// List the people and their keys.
    List {
        /// One JSON object per person, and per invitation.
        #[arg(long)]
        json: bool,
    },
    /// Print them in the portable form that `pp-host verify --deciders` pins.
    Export,
    /// Remove a person: signatures that are not yet used do not count either.
    Remove {
        /// The decider.
        decider: PersonId,
        /// The reason.
        #[arg(long)]
        reason: String,
    },
    /// Revoke a key: its signatures no longer count.
    RevokeKey {
        /// The key's id, as `list` shows it.
        key_id: String,
        /// The reason.
        #[arg(long)]
        reason: String,
        /// The time since which another person may have had it: signatures since then do not count.
        #[arg(long, value_name = "TIME")]
        compromised_since: Option<Moment>,
    },
    /// Make a key to decide with, in a new file that only you can read, and its public half in a file with .pub behind the name.
    NewKey {
        /// The file to write.
        file: PathBuf,
    },
}

/// Add a person who may decide, or another key or other roles of one.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The decider: a-z 0-9 . _ @ -.
    decider: PersonId,

    /// A role of the person: `release`, or `break-glass`. May be given several times; all of a person's roles are given
    /// together.
    #[arg(long, required = true)]
    role: Vec<Role>,

    /// The tenant. May be given several times. Default: every tenant.
    #[arg(long)]
    tenant: Vec<TenantId>,

    /// The person's public key: an OpenSSH file such as ~/.ssh/id_ed25519.pub, or a PEM block. Ed25519 only.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// When signatures of that key stop counting: a time such as 2026-11-24T03:08:55Z, or a day, which means its beginning in UTC.
    #[arg(long, value_name = "TIME", requires = "key")]
    until: Option<Moment>,
}

impl Deciders {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        match self {
            Self::Add(add) => add.execute(data)?,
            Self::Invite(invitation) => invitation.execute(data)?,
            Self::Confirm(confirmation) => confirmation.execute(data)?,
            Self::List { json } => list(data, *json)?,
            Self::Export => {
                let trust = trust_on_record::read(data)?;
                writeln!(output::stdout(), "{}", trust.deciders().to_json())?;
            }
            Self::Remove { decider, reason } => {
                let act = Act::DeciderRemoved { decider: decider.clone(), reason: reason.clone() };
                session::say(data, act)?;
                writeln!(output::stdout(), "{decider} decides no more")?;
            }
            Self::RevokeKey { key_id, reason, compromised_since } => {
                let (key_id, reason, compromised_at) =
                    (key_id.clone(), reason.clone(), compromised_since.map(Moment::at));
                let act = Act::KeyRevoked { key_id: key_id.clone(), compromised_at, reason };
                session::say(data, act)?;
                writeln!(output::stdout(), "key {key_id} counts no more")?;
            }
            Self::NewKey { file } => new_key(file)?,
        }
        Ok(Exit::Done)
    }
}

impl Add {
    fn execute(&self, data: &Data) -> anyhow::Result<()> {
        let key = match &self.key {
            Some(file) => {
                let key = signer::PublicKey::read(file)?;
                Some(receipt::PublicKey::ed25519(&key.to_bytes())?)
            }
            None => None,
        };
        // Before there is a folder there are no deciders: the first act makes the folder.
        let trust = trust_on_record::read(data).or_else(trust_on_record::none_yet)?;
        let known = trust.deciders().person(&self.decider);
        if key.is_none() && known.is_none() {
            anyhow::bail!(
                "{} is new here and needs a key: --key FILE, such as ~/.ssh/id_ed25519.pub",
                self.decider
            );
        }
        let roles: BTreeSet<_> = self.role.iter().cloned().collect();
        // An existing decider keeps their tenants, unless others are named.
        let kept = known.map(|person| person.tenants.as_slice()).unwrap_or_default();
        let tenants: BTreeSet<TenantId> = match self.tenant.as_slice() {
            [] => kept.iter().map(|tenant| tenant.parse()).collect::<Result<_, _>>()?,
            named => named.iter().cloned().collect(),
        };
        let first = trust.deciders().people().is_empty();
        // Checked before the first act: a decider whose key is refused would be recorded without one.
        if let Some(taken) = key.as_ref().and_then(|key| trust.deciders().key(key.key_id())) {
            let (key_id, owner) = (taken.key.key.key_id(), &taken.person.id);
            anyhow::bail!(
                "key {key_id} already belongs to {owner}: a key belongs to one person, permanently"
            );
        }
        let added = Act::DeciderAdded { decider: self.decider.clone(), roles, tenants };
        let given = key.as_ref().map(|key| Act::KeyAdded {
            decider: self.decider.clone(),
            kind: key.scheme().as_str().to_owned(),
            public_key: key.to_base64(),
            valid_until: self.until.map(Moment::at),
            passkey: None,
        });
        let mut tried = trust.clone();
        for act in [Some(&added), given.as_ref()].into_iter().flatten() {
            tried.apply(SystemClock.now(), act)?;
        }
        let session = Session::new(data);
        session.say(added)?;
        let mut out = output::stdout();
        if let (Some(key), Some(given)) = (key, given) {
            session.say(given)?;
            writeln!(out, "{} decides with key {}", self.decider, key.key_id())?;
        } else {
            writeln!(out, "{} decides as {}", self.decider, words(&self.role))?;
        }
        match first {
            true => tell_of_the_first(&mut out),
            false => Ok(()),
        }
    }
}

/// Writes a new private key, and its public half to a file with the suffix `.pub`. Neither write replaces a file or follows a link: either
/// could destroy another key.
fn new_key(file: &Path) -> anyhow::Result<()> {
    let beside = PathBuf::from(format!("{}.pub", file.display()));
    // Looked at before the key is made, so that no private half is left without its public one.
    if beside.symlink_metadata().is_ok() {
        anyhow::bail!(
            "{} exists, and nothing is overwritten: give another name, or move it away",
            beside.display()
        );
    }
    let public = signer::generate(file)?;
    let written = File::create_new(&beside).and_then(|mut half| writeln!(half, "{}", public.to_openssh()));
    written.with_context(|| format!("cannot write {}", beside.display()))?;
    writeln!(output::stdout(), "{} is the key, {} its public half", file.display(), beside.display())?;
    Ok(())
}

fn list(data: &Data, json: bool) -> anyhow::Result<()> {
    let trust = trust_on_record::read(data)?;
    let mut out = output::stdout();
    for person in trust.deciders().people() {
        match json {
            true => writeln!(out, "{}", serde_json::to_string(&DeciderRow::from(person))?)?,
            false => {
                let removed = person.removed_at.map_or_else(String::new, |at| format!(", removed {at}"));
                let tenants = match person.tenants.is_empty() {
                    true => "every tenant".to_owned(),
                    false => person.tenants.join(", "),
                };
                writeln!(out, "{}  {} for {tenants}{removed}", person.id, words(&person.roles))?;
                person.keys.iter().try_for_each(|key| writeln!(out, "  {}", sentence(key)))?;
            }
        }
    }
    for invitation in trust.invitations() {
        match json {
            true => writeln!(out, "{}", json_line(&invitation_line(invitation))?)?,
            false => writeln!(out, "{}", invited(data, invitation))?,
        }
    }
    trust_on_record::print_freezes(data, &trust, |_| true);
    Ok(())
}

fn words(roles: &[Role]) -> String {
    let roles: Vec<_> = roles.iter().map(Role::as_str).collect();
    roles.join(", ")
}

fn sentence(key: &DeciderKey) -> String {
    let mut words = format!("{} since {}", key.key.key_id(), key.valid_from);
    words.extend(key.key.as_passkey().map(passkey));
    for (what, at) in
        [("until", key.valid_until), ("revoked", key.revoked_at), ("compromised since", key.compromised_at)]
    {
        words.extend(at.map(|at| format!(", {what} {at}")));
    }
    words
}

/// An invitation as programs read it: `registered` is the passkey that does not count until it is confirmed.
fn invitation_line(invitation: &Invitation) -> serde_json::Value {
    let Invitation { decider, roles, tenants, expires_at, registered, .. } = invitation;
    let registered = registered.as_ref().map(|key| key.key_id().to_string());
    json!({
        "invited": decider, "roles": roles, "tenants": tenants, "expires_at": expires_at, "registered": registered,
    })
}

/// An invitation that is open, or was used and is not confirmed.
fn invited(data: &Data, invitation: &Invitation) -> String {
    let Invitation { decider, expires_at, registered, .. } = invitation;
    match registered {
        Some(key) => {
            let id = key.key_id();
            let confirm = Hint::new(data, &["deciders", "confirm", decider.as_str(), &id.to_string()]);
            format!("{decider}  registered passkey {id}, which does not count yet: {confirm}")
        }
        None => format!("{decider}  is invited to register a passkey until {expires_at}"),
    }
}

/// A passkey's properties, in words.
fn passkey(passkey: &Passkey) -> String {
    let origins: Vec<_> = passkey.origins().iter().map(String::as_str).collect();
    let bound = if passkey.is_device_bound() { "device-bound" } else { "synchronised" };
    format!(", passkey on {} ({bound}, authenticator {})", origins.join(", "), passkey.aaguid())
}
