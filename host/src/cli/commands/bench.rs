//! `pp-host bench`.

use crate::cli::options::data_dir::Data;
use crate::cli::output::json_line;
use crate::cli::{Exit, output};
use bench::{Line, RunLength, Section};
use clap::Args;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;

/// Measure the cost of durability on this machine, on the disk that the data folder is on.
///
/// The measurements use temporary folders next to the data folder, which is not touched.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The sections: steps, entries, instances, deployments, history, parked. Default: all.
    #[arg(value_name = "SECTION", value_parser = section)]
    sections: Vec<Section>,

    /// Take some seconds for each section instead of minutes: to check that it works, not for figures.
    #[arg(long)]
    quick: bool,

    /// One JSON object per figure.
    #[arg(long)]
    json: bool,
}

fn section(name: &str) -> Result<Section, String> {
    let known = || Section::ALL.map(Section::name).join(", ");
    let found = Section::ALL.into_iter().find(|section| section.name() == name);
    found.ok_or_else(|| format!("not a section; the sections are {}", known()))
}

impl Bench {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let beside = data.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = beside.unwrap_or(Path::new(".")).to_owned();
        let run_length = if self.quick { RunLength::Quick } else { RunLength::Whole };
        let bench = bench::Bench { folder, run_length };
        let sections = if self.sections.is_empty() { &Section::ALL[..] } else { &self.sections };
        for section in sections {
            self.tell(|out| writeln!(out, "{}", section.name()))?;
            let mut written = Ok(());
            let measured = bench.run(*section, &mut |line| {
                written = std::mem::replace(&mut written, Ok(())).and_then(|()| self.figure(*section, &line));
            });
            measured.map_err(|error| anyhow::anyhow!("{}: {error}", section.name()))?;
            written?;
        }
        Ok(Exit::Done)
    }

    fn figure(&self, section: Section, line: &Line) -> std::io::Result<()> {
        if self.json {
            let Line { what, figure, unit, .. } = line;
            let line = json!({
                "section": section.name(), "what": what, "figure": figure, "unit": unit, "met": line.is_met(),
            });
            return writeln!(output::stdout(), "{}", json_line(&line)?);
        }
        self.tell(|out| writeln!(out, "  {line}"))
    }

    /// Prints a figure for people.
    fn tell(
        &self,
        write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        if self.json { Ok(()) } else { write(&mut output::stdout()) }
    }
}
