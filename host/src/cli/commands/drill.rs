//! `pp-host drill`.

use crate::cli::options::data_dir;
use crate::cli::{Exit, output};
use anstyle::{AnsiColor, Style};
use anyhow::bail;
use clap::Args;
use drill::{Attack, Verdict};
use serde_json::json;
use std::io::Write as _;
use workflow::Escaped;

/// Try the attack suite against this binary, on this machine, in temporary folders.
#[derive(Debug, Args)]
pub(crate) struct Drill {
    /// Only these attacks.
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// One JSON object per attack.
    #[arg(long)]
    json: bool,

    /// Print all attacks as a Markdown table, and try none.
    #[arg(long, conflicts_with_all = ["json", "names"])]
    table: bool,
}

/// The most characters of a message that fit on a line. `--json` has all of it.
const SHOWN: usize = 100;

const HELD: Style = AnsiColor::Green.on_default().bold();
const BROKEN: Style = AnsiColor::Red.on_default().bold();

impl Drill {
    pub(crate) fn execute(&self) -> anyhow::Result<Exit> {
        let mut out = output::stdout();
        if self.table {
            write!(out, "{}", drill::table())?;
            return Ok(Exit::Done);
        }
        let (attacks, drill) = (self.attacks()?, drill::Drill::new().compiled_by(data_dir::compiler()?));
        let mut held = 0;
        for attack in &attacks {
            let verdict = drill.run(attack);
            held += usize::from(verdict.held());
            match self.json {
                true => writeln!(out, "{}", to_json(attack, &verdict))?,
                false => line(&mut out, attack, &verdict)?,
            }
        }
        if !self.json {
            writeln!(out, "{held} of {} attacks held", attacks.len())?;
        }
        Ok(if held == attacks.len() { Exit::Done } else { Exit::Error })
    }

    fn attacks(&self) -> anyhow::Result<Vec<Attack>> {
        let all = drill::attacks();
        if self.names.is_empty() {
            return Ok(all);
        }
        if let Some(name) = self.names.iter().find(|name| all.iter().all(|attack| attack.name() != **name)) {
            bail!("there is no attack {name:?}: pp-host drill --table lists them");
        }
        Ok(all.into_iter().filter(|attack| self.names.iter().any(|name| name == attack.name())).collect())
    }
}

fn line(out: &mut impl std::io::Write, attack: &Attack, verdict: &Verdict) -> std::io::Result<()> {
    let (style, word) = if verdict.held() { (HELD, "held") } else { (BROKEN, "BROKEN") };
    // The whole message matters when an attack succeeded.
    let shown = if verdict.held() { SHOWN } else { usize::MAX };
    let said = first(verdict.message(), shown);
    writeln!(
        out,
        "{style}{word:<7}{style:#}{:<26}{:<9}{} → {}",
        attack.name(),
        attack.attacker().to_string(),
        attack.tries(),
        Escaped(&said)
    )
}

/// The first characters of a text, with a mark if it is cut.
fn first(text: &str, count: usize) -> String {
    let mark = text.chars().nth(count).map(|_| '…');
    text.chars().take(count).chain(mark).collect()
}

fn to_json(attack: &Attack, verdict: &Verdict) -> serde_json::Value {
    json!({
        "attack": attack.name(),
        "by": attack.attacker().to_string(),
        "tries": attack.tries(),
        "refusal": attack.refusal(),
        "held": verdict.held(),
        "said": verdict.message(),
    })
}
