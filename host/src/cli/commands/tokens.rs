//! `pp-host tokens`: what programs show over HTTP.

use crate::cli::options::data_dir::Data;
use crate::cli::output::json_line;
use crate::cli::session::trust_on_record;
use crate::cli::{Exit, output, session};
use clap::{Args, Subcommand};
use engine::api::TokenScope;
use engine::trust::{Act, NewToken, Token, TokenId};
use engine::{Clock as _, SystemClock};
use receipt::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::str::FromStr;
use workflow::TenantId;

/// Tokens for programs that use the API of `pp-host serve`, each for one tenant.
#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// Make a token and print it once: the host does not keep it.
    Create(Create),
    /// List the tokens.
    List {
        /// One JSON object per token.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token.
    Revoke {
        /// The token's id: 12 hexadecimal digits, as `list` shows it, or the part before the last in the token itself.
        token: TokenId,
        /// The reason.
        #[arg(long)]
        reason: String,
    },
}

/// Make a token and print it once: the host does not keep it.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The only tenant that the token is valid for.
    #[arg(long)]
    tenant: TenantId,

    /// The scopes: instances:read, instances:write, events:send, approvals:read, approvals:write, receipts:read,
    /// operate. May be given several times, or separated by commas.
    #[arg(long, value_name = "SCOPE", required = true, value_delimiter = ',')]
    scope: Vec<TokenScope>,

    /// How long the token is valid, such as 90d, 12h or 30m.
    #[arg(long, value_name = "TIME", default_value = "90d")]
    expires: Lifetime,
}

/// The validity of a token.
#[derive(Debug, Clone, Copy)]
struct Lifetime(i64);

impl FromStr for Lifetime {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a number of minutes, hours or days is expected, such as 90d, up to 3650d";
        let (number, unit) = text.split_at(text.len().saturating_sub(1));
        let minutes = match unit {
            "m" => 1,
            "h" => 60,
            "d" => 1_440,
            _ => return Err(wrong),
        };
        let number: i64 = number.parse().map_err(|_| wrong)?;
        let minutes = number.checked_mul(minutes).filter(|minutes| (1..=3_650 * 1_440).contains(minutes));
        minutes.map(|minutes| Self(minutes * 60_000)).ok_or(wrong)
    }
}

impl Tokens {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        match self {
            Self::Create(create) => create.execute(data)?,
            Self::List { json } => list(data, *json)?,
            Self::Revoke { token, reason } => {
                session::say(data, Act::TokenRevoked { token: token.clone(), reason: reason.clone() })?;
                writeln!(output::stdout(), "token {token} is no longer valid")?;
            }
        }
        Ok(Exit::Done)
    }
}

impl Create {
    fn execute(&self, data: &Data) -> anyhow::Result<()> {
        let scopes: BTreeSet<_> = self.scope.iter().copied().collect();
        let token = NewToken::of(&self.tenant, &engine::random_bytes()?, &engine::random_bytes()?);
        let expires_at = Timestamp::from_millis(SystemClock.now().as_millis() + self.expires.0);
        let created = Act::TokenCreated {
            token: token.id.clone(),
            tenant: self.tenant.clone(),
            scopes,
            sha256: token.sha256(),
            expires_at,
        };
        session::say(data, created)?;
        // Standard output has only the token, for programs; the text for people goes to standard error.
        writeln!(output::stdout(), "{}", token.text())?;
        crate::cli::output::complain(&format!(
            "token {} is valid until {expires_at}; it is shown only now, and the host does not keep it",
            token.id
        ));
        Ok(())
    }
}

fn list(data: &Data, json: bool) -> anyhow::Result<()> {
    let trust = trust_on_record::read(data)?;
    let (now, mut out) = (SystemClock.now(), output::stdout());
    for (id, token) in trust.tokens() {
        let Token { tenant, scopes, created_at, expires_at, revoked_at, .. } = token;
        let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
        let state = match revoked_at {
            Some(_) => "revoked",
            None if token.is_good(now) => "good",
            None => "expired",
        };
        match json {
            true => {
                let line = json!({
                    "token": id, "tenant": tenant, "scopes": scopes, "state": state,
                    "created_at": created_at, "expires_at": expires_at, "revoked_at": revoked_at,
                });
                writeln!(out, "{}", json_line(&line)?)?;
            }
            false => {
                let scopes = scopes.join(", ");
                writeln!(out, "{id}  {state:<7}  tenant {tenant}  {scopes}  until {expires_at}")?;
            }
        }
    }
    Ok(())
}
