//! `pp-host freeze` and `pp-host thaw`.

use crate::cli::options::data_dir::Data;
use crate::cli::output::hint::Hint;
use crate::cli::{Exit, output, session};
use clap::Args;
use engine::trust::Act;
use std::io::Write as _;
use workflow::TenantId;

/// Stop approvals and actions until `pp-host thaw`.
#[derive(Debug, Args)]
pub(crate) struct Freeze {
    /// The tenant that is frozen or thawed. Default: all tenants.
    #[arg(long)]
    tenant: Option<TenantId>,

    /// The reason.
    #[arg(long)]
    reason: String,
}

impl Freeze {
    pub(crate) fn freeze(&self, data: &Data) -> anyhow::Result<Exit> {
        let act = Act::Frozen { tenant: self.tenant.clone(), reason: self.reason.clone() };
        session::say(data, act)?;
        writeln!(
            output::stdout(),
            "frozen for {}: nothing is approved and nothing is done until {}",
            self.whom(),
            self.thawing(data)
        )?;
        Ok(Exit::Done)
    }

    pub(crate) fn thaw(&self, data: &Data) -> anyhow::Result<Exit> {
        let act = Act::Thawed { tenant: self.tenant.clone(), reason: self.reason.clone() };
        session::say(data, act)?;
        writeln!(output::stdout(), "thawed for {}", self.whom())?;
        Ok(Exit::Done)
    }

    /// The command that ends the freeze.
    fn thawing(&self, data: &Data) -> Hint {
        let tenant = self.tenant.iter().flat_map(|tenant| ["--tenant".to_owned(), tenant.to_string()]);
        Hint::new(data, &["thaw"]).with(tenant).with(["--reason", "WORDS"])
    }

    fn whom(&self) -> String {
        self.tenant.as_ref().map_or_else(|| "every tenant".to_owned(), |tenant| format!("tenant {tenant}"))
    }
}
