//! `pp-host inspect`.

use crate::cli::commands::arguments;
use crate::cli::commands::arguments::file_limits::FileLimits;
use crate::cli::options::data_dir;
use crate::cli::options::data_dir::Data;
use crate::cli::options::limit::LimitArgs;
use crate::cli::output::progress;
use crate::cli::{Exit, output};
use clap::Args;
use sandbox::script::Script;
use sandbox::{Inspection, Provenance, Sandbox, SandboxLimits};
use serde_json::json;
use std::io;
use std::io::Write;
use std::path::PathBuf;
use workflow::{Escaped, Quoted};

/// Show what a component is and what it could reach, without running it. Exits with 1 if the component is not a
/// workflow.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The workflow: TypeScript, JavaScript, a folder of them, a bundle, or a component.
    guest: PathBuf,

    /// The class to run, if the main module exports several workflows.
    #[arg(long, value_name = "NAME")]
    class: Option<String>,

    /// One JSON object.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    limits: LimitArgs,
}

impl Inspect {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let file_limits = FileLimits::largest(data, &self.limits)?;
        let bytes = arguments::component(&self.guest, self.class.as_deref(), data, &file_limits)?;
        let sandbox = sandbox(data, file_limits.limits().sandbox.clone())?;
        let inspection = progress::while_compiling(bytes.len(), || sandbox.inspect(&bytes));
        let mut out = output::stdout();
        let verdict = Runnable::of(&inspection, &bytes);
        match self.json {
            true => writeln!(out, "{}", object(&inspection, &verdict))?,
            false => tell(&inspection, &verdict, &mut out)?,
        }
        Ok(if matches!(verdict, Runnable::No(_)) { Exit::Error } else { Exit::Done })
    }
}

/// Whether the source is a workflow: yes, no with the reason, or unknown with the reason.
enum Runnable {
    Yes,
    No(String),
    Perhaps(String),
}

/// The class that workflows extend.
const BASE: &str = "WorkflowEntrypoint";

impl Runnable {
    /// The text of a module does not show every way to export a class. But if no module of the bundle names the base class, no class extends it.
    fn of(inspection: &Inspection, bytes: &[u8]) -> Self {
        if let Err(error) = &inspection.verdict {
            return Self::No(error.to_string());
        }
        let Some(script) = &inspection.script else { return Self::Yes };
        let (wanted, shown) = (&script.class, &inspection.workflows);
        match wanted {
            Some(wanted) if shown.contains(wanted) => return Self::Yes,
            None if shown.len() == 1 => return Self::Yes,
            None if shown.len() > 1 => {
                let names = shown.join(", ");
                return Self::No(format!(
                    "the main module exports several workflows ({names}): say which with --class NAME"
                ));
            }
            Some(_) | None => {}
        }
        let class = wanted.as_ref().map_or_else(|| "class".to_owned(), |name| format!("class {name}"));
        match bytes.windows(BASE.len()).any(|window| window == BASE.as_bytes()) {
            true => Self::Perhaps(format!(
                "the text of the main module shows no exported {class} that extends {BASE}, and it is not run to find out"
            )),
            false => Self::No(format!("no module has a {class} that extends {BASE}")),
        }
    }

    fn why_not(&self) -> Option<&str> {
        match self {
            Self::Yes => None,
            Self::No(why) | Self::Perhaps(why) => Some(why),
        }
    }
}

/// A sandbox with the data folder's cache, if a usable cache exists. The command makes none.
fn sandbox(data: &Data, limits: SandboxLimits) -> anyhow::Result<Sandbox> {
    let (cache, compiler) = (data.path.join("cache"), data_dir::compiler()?);
    let plain = || Sandbox::new(limits.clone());
    let sandbox = match cache.join("key").exists() {
        true => plain()?.cached_in(&cache).or_else(|_| plain()),
        false => plain(),
    };
    Ok(sandbox?.compiled_by(compiler))
}

fn object(inspection: &Inspection, verdict: &Runnable) -> serde_json::Value {
    let workflow = match verdict {
        Runnable::Yes => Some(true),
        Runnable::No(_) => Some(false),
        Runnable::Perhaps(_) => None,
    };
    json!({
        "sha256": inspection.digest,
        "bytes": inspection.bytes,
        "workflow": workflow,
        "why_not": verdict.why_not(),
        "imports": inspection.imports,
        "exports": inspection.exports,
        "wasi": inspection.wasi().collect::<Vec<_>>(),
        "network_refused": inspection.network().collect::<Vec<_>>(),
        "capabilities": inspection.capabilities(),
        "asks_for_approval": inspection.asks(),
        "script": inspection.script.as_deref().map(|script| script_object(script, &inspection.workflows)),
        "code": inspection.code.map(word),
        "code_micros": u64::try_from(inspection.took.as_micros()).unwrap_or(u64::MAX),
    })
}

fn script_object(script: &Script, workflows: &[String]) -> serde_json::Value {
    let modules = script.modules.iter();
    json!({
        "engine": script.engine.engine,
        "prepare": script.engine.prepare,
        "main": script.main,
        "class": script.class,
        "workflows": workflows,
        "modules": modules.map(|(name, sha256, bytes)| json!({ "name": name, "sha256": sha256, "bytes": bytes })).collect::<Vec<_>>(),
    })
}

fn tell_script(script: &Script, workflows: &[String], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "engine        sha256 {}", script.engine.engine)?;
    writeln!(out, "prepared by   sha256 {}", script.engine.prepare)?;
    for (name, sha256, bytes) in &script.modules {
        let role = if *name == script.main { "main module" } else { "module" };
        writeln!(out, "{role:<13} {}, {bytes} bytes, sha256 {sha256}", Escaped(name))?;
    }
    let names = |names: &[String]| Escaped(&names.join(", ")).to_string();
    match (&script.class, workflows) {
        (Some(class), _) => writeln!(out, "class         {}", Escaped(class)),
        (None, []) => {
            writeln!(out, "class         none in the text of the main module that extends WorkflowEntrypoint")
        }
        (None, some) => writeln!(out, "class         {}", names(some)),
    }
}

fn tell(inspection: &Inspection, verdict: &Runnable, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "sha256        {}", inspection.digest)?;
    writeln!(out, "size          {} bytes", inspection.bytes)?;
    match verdict {
        Runnable::Yes => writeln!(out, "workflow      yes")?,
        Runnable::No(why) => writeln!(out, "workflow      no: {}", Escaped(why))?,
        Runnable::Perhaps(why) => writeln!(out, "workflow      perhaps: {}", Escaped(why))?,
    }
    let Some(code) = inspection.code else { return Ok(()) };
    if let Some(script) = &inspection.script {
        tell_script(script, &inspection.workflows, out)?;
    }
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
    let network: Vec<_> = inspection.network().map(|name| Escaped(name).to_string()).collect();
    if !network.is_empty() {
        writeln!(out, "network       every call is refused: {}", network.join(", "))?;
    }
    match inspection.capabilities().as_slice() {
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
