//! `pp-host inspect`.

use crate::cli::data_dir::Data;
use crate::cli::limit::LimitArgs;
use crate::cli::{Exit, data_dir, progress};
use anyhow::Context as _;
use clap::Args;
use sandbox::{Inspection, LoadError, Provenance, Sandbox, SandboxLimits};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use std::{fs, io};
use workflow::{Escaped, Quoted};

/// Show what a component is and what it could reach, without running it. Exits with 1 when it is not a workflow.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The component.
    guest: PathBuf,

    /// One JSON object.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    limits: LimitArgs,
}

impl Inspect {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let bytes = fs::read(&self.guest).with_context(|| format!("cannot read {}", self.guest.display()))?;
        let limits = self.limits.settings(data)?.largest().sandbox;
        let sandbox = sandbox(data, limits)?;
        let inspection = progress::while_compiling(bytes.len(), || sandbox.inspect(&bytes));
        let mut out = anstream::stdout().lock();
        match self.json {
            true => writeln!(out, "{}", object(&inspection))?,
            false => tell(&inspection, &mut out)?,
        }
        Ok(if inspection.verdict.is_ok() { Exit::Done } else { Exit::Error })
    }
}

/// With the data folder's cache where there is one that can be used. None is made.
fn sandbox(data: &Data, limits: SandboxLimits) -> anyhow::Result<Sandbox> {
    let (cache, compiler) = (data.path.join("cache"), data_dir::compiler()?);
    let plain = || Sandbox::new(limits.clone());
    let sandbox = match cache.join("key").exists() {
        true => plain()?.cached_in(&cache).or_else(|_| plain()),
        false => plain(),
    };
    Ok(sandbox?.compiled_by(compiler))
}

fn object(inspection: &Inspection) -> serde_json::Value {
    json!({
        "sha256": inspection.digest,
        "bytes": inspection.bytes,
        "workflow": inspection.verdict.is_ok(),
        "why_not": inspection.verdict.as_ref().err().map(LoadError::to_string),
        "imports": inspection.imports,
        "exports": inspection.exports,
        "wasi": inspection.wasi().collect::<Vec<_>>(),
        "capabilities": inspection.capabilities(),
        "asks_for_approval": inspection.asks(),
        "code": inspection.code.map(word),
        "code_micros": u64::try_from(inspection.took.as_micros()).unwrap_or(u64::MAX),
    })
}

fn tell(inspection: &Inspection, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "sha256        {}", inspection.digest)?;
    writeln!(out, "size          {} bytes", inspection.bytes)?;
    match &inspection.verdict {
        Ok(()) => writeln!(out, "workflow      yes")?,
        Err(error) => writeln!(out, "workflow      no: {}", Escaped(&error.to_string()))?,
    }
    let Some(code) = inspection.code else { return Ok(()) };
    for name in &inspection.imports {
        writeln!(out, "imports       {}", Quoted(name))?;
    }
    for name in &inspection.exports {
        writeln!(out, "exports       {}", Quoted(name))?;
    }
    match inspection.wasi().count() {
        0 => writeln!(out, "wasi          none")?,
        count => writeln!(
            out,
            "wasi          {count} interfaces, all inert: no files, no network, no environment"
        )?,
    }
    match inspection.capabilities() {
        [] => writeln!(out, "could reach   no capability")?,
        some => writeln!(out, "could reach   {}, each time with a receipt for it", some.join(", "))?,
    }
    let asks = if inspection.asks() { "can ask for approval" } else { "cannot ask for approval" };
    writeln!(out, "approvals     {asks}")?;
    writeln!(out, "code          {}, {:.1} ms", words(code), inspection.took.as_secs_f64() * 1e3)
}

fn word(code: Provenance) -> &'static str {
    match code {
        Provenance::Cached => "cached",
        Provenance::Compiled => "compiled",
        Provenance::Replaced => "replaced",
    }
}

fn words(code: Provenance) -> &'static str {
    match code {
        Provenance::Cached => "from the cache",
        Provenance::Compiled => "compiled",
        Provenance::Replaced => {
            "compiled, because the file in the cache was damaged, foreign or of another version"
        }
    }
}
