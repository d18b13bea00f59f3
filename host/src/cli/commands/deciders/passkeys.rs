//! `pp-host deciders invite` and `confirm`: a person registers a passkey.

use crate::cli::options::data_dir::Data;
use crate::cli::output::hint::Hint;
use crate::cli::session::trust_on_record::{none_yet, read, tell_of_the_first};
use crate::cli::{output, session};
use anyhow::{Context as _, bail};
use clap::Args;
use engine::trust::Trust;
use engine::{Clock as _, SystemClock};
use receipt::{KeyId, PersonId, RelyingParty, Role};
use std::io::Write as _;
use std::time::Duration;
use workflow::TenantId;

/// Invite a person to register a passkey, once. The key counts when you have confirmed it.
#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// The decider: a-z 0-9 . _ @ -.
    decider: PersonId,

    /// The role in which they decide. May be given several times. An existing decider keeps their roles if none is
    /// given.
    #[arg(long)]
    role: Vec<Role>,

    /// The tenant. May be given several times. Default: every tenant.
    #[arg(long, requires = "role")]
    tenant: Vec<TenantId>,

    /// The page on which the passkey will sign, as in pp-host serve --url. It is a permanent part of the key.
    #[arg(long, value_name = "URL", env = "PP_HOST_URL", default_value = "http://localhost:8787")]
    url: String,

    /// The host name that the passkey belongs to, if it is a domain above the page's. Default: the page's host.
    #[arg(long, value_name = "HOST")]
    rp_id: Option<String>,

    /// How long the invitation stays open: 15m, 2h, a day at most.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = policy::parse_duration)]
    expires: Duration,
}

/// Confirm that a registered passkey is the person's.
#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// The decider.
    decider: PersonId,

    /// The key's id, as the person read it to you from the page.
    key_id: KeyId,
}

impl Invite {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<()> {
        let trust = read(data).or_else(none_yet)?;
        let known = trust.deciders().person(&self.decider);
        if self.role.is_empty() && known.is_none() {
            bail!("{} is new here and needs a role: --role ROLE", self.decider);
        }
        let page = self.url.strip_suffix('/').unwrap_or(&self.url);
        let relying_party = match &self.rp_id {
            Some(rp_id) => RelyingParty::new(rp_id, [page.to_owned()]),
            None => RelyingParty::of_origin(page),
        };
        let relying_party =
            relying_party.with_context(|| format!("no passkey can be registered on {page}"))?;
        // An existing decider keeps their tenants, unless others are named.
        let kept = known.filter(|_| self.tenant.is_empty()).map(|person| person.tenants.as_slice());
        let kept = kept.unwrap_or_default().iter().map(|tenant| tenant.parse());
        let tenants = self.tenant.iter().cloned().map(Ok).chain(kept).collect::<Result<_, _>>()?;
        let (decider, roles) = (self.decider.clone(), self.role.iter().cloned().collect());
        let invite = engine::Invite { decider, roles, tenants, relying_party, lifetime: self.expires };
        let (act, code) = invite.act(SystemClock.now())?;
        session::say(data, act)?;
        let mut out = output::stdout();
        writeln!(out, "{page}/register#{code}")?;
        writeln!(
            out,
            "{0} opens this link once, within {1}, and registers a passkey; it counts when you have confirmed the id that {0} reads there: {2}",
            self.decider,
            policy::show_duration(self.expires),
            Hint::new(data, &["deciders", "confirm", self.decider.as_str(), "KEY_ID"])
        )?;
        Ok(())
    }
}

impl Confirm {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<()> {
        let trust = read(data)?;
        let own = trust.invitations().find(|invitation| invitation.decider == self.decider);
        let own =
            own.with_context(|| format!("{0} has no invitation: pp-host deciders invite {0}", self.decider))?;
        let Some(key) = &own.registered else {
            bail!("{} has an invitation and has not used it", self.decider);
        };
        if key.key_id() != self.key_id {
            bail!(
                "the passkey that was registered as {0} has the id {1}: if {0} reads another id, another person used the invitation (pp-host deciders invite {0} makes a new one, which replaces it)",
                self.decider,
                key.key_id()
            );
        }
        let first = trust.deciders().people().is_empty();
        let acts = own.confirmation().unwrap_or_default();
        let mut tried: Trust = trust.clone();
        acts.iter().try_for_each(|act| tried.apply(SystemClock.now(), act))?;
        acts.into_iter().try_for_each(|act| session::say(data, act))?;
        let mut out = output::stdout();
        writeln!(out, "{} decides with passkey {}", self.decider, self.key_id)?;
        match first {
            true => tell_of_the_first(&mut out),
            false => Ok(()),
        }
    }
}
