//! Asking at the terminal: the request on one screen with the question below it, and the full text behind a pager.

use crate::cli::commands::foreground::screen;
use crate::cli::output::visible_json;
use anyhow::Context as _;
use engine::issuer::Request;
use receipt::Decision;
use rustix::termios::{QueueSelector, tcflush};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::{Read as _, Write};
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};

/// The pager if `PAGER` is not set.
const PAGER: &str = "less";

/// The lines between the request and the answer.
const SCOPE: &str =
    "scope       demo: this terminal knows no person's key, and no production gate accepts it";
const QUESTION: &str = "Approve? [y]es, [n]o, [v]iew all that is signed; anything else leaves it waiting: ";

/// Shows a request and asks about it; `None` if the answer is neither yes nor no.
pub(crate) fn ask(request: &Request) -> anyhow::Result<Option<Decision>> {
    let mut out = anstream::stderr();
    let view: Vec<String> = request.to_string().lines().map(|line| format!("  {line}")).collect();
    let (rows, columns) = screen::size();
    let waits = format!("approval    {} waits for a decision", request.id);
    let signed = format!("signed      the text with {}: v shows it", request.input_hash()?);
    let frame = [&*waits, &*signed, SCOPE, QUESTION].map(|line| screen::taken(line, columns));
    // Above them an empty line, and below the request how many more there are.
    let left = rows.saturating_sub(frame.iter().sum::<usize>() + 2);
    let shown = screen::fitting(&view, (left, columns));
    writeln!(out, "\n{waits}")?;
    view.iter().take(shown).try_for_each(|line| writeln!(out, "{line}"))?;
    if shown < view.len() {
        writeln!(
            out,
            "  … and {} more lines, which are decided about too: v shows them",
            view.len() - shown
        )?;
    }
    writeln!(out, "{signed}\n{SCOPE}")?;
    loop {
        let answer = answer(&mut out)?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => return Ok(Some(Decision::Approved)),
            "n" | "no" => return Ok(Some(Decision::Denied)),
            "v" | "view" => page(&whole(request, &view)?)?,
            _ => return Ok(None),
        }
    }
}

/// Asks, and reads the line that is typed after the question: earlier input was about something else.
fn answer(out: &mut impl Write) -> anyhow::Result<String> {
    let terminal = io::stdin().as_fd().try_clone_to_owned().context("cannot read from the terminal")?;
    tcflush(&terminal, QueueSelector::IFlush).context("cannot read from the terminal")?;
    write!(out, "{QUESTION}")?;
    out.flush()?;
    // Not through the buffer of standard input, which reads ahead: the buffered input would answer the next question.
    #[expect(
        clippy::unbuffered_bytes,
        reason = "nothing may be read ahead, and it is one line that a person types"
    )]
    let typed = File::from(terminal).bytes().take_while(|byte| !matches!(byte, Ok(b'\n')));
    Ok(String::from_utf8_lossy(&typed.collect::<io::Result<Vec<_>>>()?).into_owned())
}

/// The complete text that an approver is shown and that is signed.
fn whole(request: &Request, view: &[String]) -> anyhow::Result<String> {
    let document = visible_json(&request.document()?.indented());
    let signed: Vec<_> = document.lines().map(|line| format!("  {line}")).collect();
    Ok(format!(
        "request {}\n{}\n\nThis text is signed, with the decision and the time. Its digest is {}.\n\
         (In it, evidence, reason, summary, resource and the names are the workflow's own words.)\n\n{}\n",
        request.id,
        view.join("\n"),
        request.input_hash()?,
        signed.join("\n")
    ))
}

/// Shows a text in the user's pager, on the terminal; without a pager, directly.
fn page(text: &str) -> anyhow::Result<()> {
    let chosen = std::env::var_os("PAGER").filter(|pager| !pager.is_empty());
    let pager = chosen.unwrap_or_else(|| OsString::from(PAGER));
    // A pager is a command line, as everywhere. Standard output may be a file.
    let terminal = io::stderr().as_fd().try_clone_to_owned().context("cannot write to the terminal")?;
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(pager).stdin(Stdio::piped()).stdout(terminal);
    let paged = command.spawn().and_then(|mut child| {
        if let Some(mut input) = child.stdin.take() {
            // A user may end the pager before it has read everything.
            let _ = input.write_all(text.as_bytes());
        }
        child.wait()
    });
    if !paged.is_ok_and(|status| status.success()) {
        anstream::stderr().write_all(text.as_bytes())?;
    }
    Ok(())
}
