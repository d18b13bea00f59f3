//! `pp-host limits`.

use crate::cli::options::data_dir::Data;
use crate::cli::options::limit::LimitArgs;
use crate::cli::{Exit, output};
use clap::Args;
use engine::limits::{Origin, Resolved};
use std::io::Write as _;
use workflow::{Escaped, TenantId};

/// Show every limit: its value, the origin of the value, and the reason for its default.
#[derive(Debug, Args)]
pub(crate) struct Limits {
    /// The limits of this tenant. Default: those of a tenant that the settings do not name.
    #[arg(long)]
    tenant: Option<TenantId>,

    /// One JSON object per line.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    limits: LimitArgs,
}

impl Limits {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let mut out = output::stdout();
        for resolved in self.limits.settings(data)?.resolve(self.tenant.as_ref()) {
            if self.json {
                writeln!(out, "{}", json(&resolved))?;
                continue;
            }
            let Resolved { limit, value, origin } = &resolved;
            let (origin, value) = (origin.to_string(), limit.unit.show(*value));
            writeln!(out, "{:<26}  {value:>12}  {}", limit.name, Escaped(&origin))?;
            let least = match limit.least {
                0 => String::new(),
                least => format!(", at least {}", limit.unit.show(least)),
            };
            let default = limit.unit.show(limit.default());
            writeln!(out, "  {}; default {default}{least}: {}", limit.what, limit.reason)?;
        }
        Ok(Exit::Done)
    }
}

fn json(resolved: &Resolved) -> serde_json::Value {
    let Resolved { limit, value, origin } = resolved;
    let (from, file, line) = match origin {
        Origin::Default => ("default", None, None),
        Origin::File { file, line } => ("file", Some(file.display().to_string()), Some(line)),
        Origin::CommandLine => ("command-line", None, None),
    };
    serde_json::json!({
        "limit": limit.name,
        "of": limit.reach().to_string(),
        "value": value,
        "unit": limit.unit.to_string(),
        "default": limit.default(),
        "least": limit.least,
        "from": from,
        "file": file,
        "line": line,
        "what": limit.what,
        "reason": limit.reason,
    })
}
