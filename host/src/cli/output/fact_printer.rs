//! The facts of many instances, a line each, printed without delaying their drivers.

use crate::cli::output;
use crate::cli::output::json_line;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::thread::JoinHandle;
use store::Fact;
use workflow::Entry;

/// Lines that wait to be printed. A reader may stop reading; no driver waits for it.
const WAITING: usize = 4_096;

/// The facts that are printed, and their form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Notable facts, for people.
    Notable,
    /// Every fact, for people.
    All,
    /// Every fact as a JSON object.
    Json,
}

/// A queue of lines.
#[derive(Clone)]
pub(crate) struct FactPrinter {
    verbosity: Verbosity,
    lines: SyncSender<String>,
    left_out: Arc<AtomicU64>,
}

/// The thread that prints. It ends when every [`FactPrinter`] has gone.
#[derive(Debug)]
pub(crate) struct PrinterThread(JoinHandle<()>);

impl FactPrinter {
    /// A queue and the thread that prints it.
    pub(crate) fn open(verbosity: Verbosity) -> std::io::Result<(Self, PrinterThread)> {
        let (lines, waiting) = sync_channel(WAITING);
        let left_out = Arc::<AtomicU64>::default();
        let missing = Arc::clone(&left_out);
        let thread = thread::Builder::new()
            .name("pp-host-facts".to_owned())
            .spawn(move || print(&waiting, &missing))?;
        Ok((Self { verbosity, lines, left_out }, PrinterThread(thread)))
    }

    /// Prints a fact, if it is to be printed.
    pub(crate) fn print(&self, fact: &Fact) {
        match self.verbosity {
            Verbosity::Notable if !is_notable(&fact.entry) => {}
            Verbosity::Notable | Verbosity::All => self.hand_over(line(fact)),
            Verbosity::Json => json_line(fact).into_iter().for_each(|line| self.hand_over(line)),
        }
    }

    fn hand_over(&self, line: String) {
        if self.lines.try_send(line).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl PrinterThread {
    /// Waits until everything is printed. Call it when no [`FactPrinter`] is left.
    pub(crate) fn finish(self) {
        // A panic there has been reported on standard error.
        let _ = self.0.join();
    }
}

fn print(lines: &Receiver<String>, left_out: &AtomicU64) {
    let mut out = output::stdout();
    for line in lines {
        let _ = writeln!(out, "{line}");
        let missing = left_out.swap(0, Ordering::Relaxed);
        if missing > 0 {
            super::complain(&format!(
                "{missing} lines were left out, as they were not read in time; pp-host audit has all"
            ));
        }
    }
}

/// A fact in the form of the audit.
pub(crate) fn line(fact: &Fact) -> String {
    format!("{}  {}  {}", fact.at, fact.key, fact.entry)
}

/// Whether a fact is notable for a person who watches many instances: an instance begins, ends or stops, or there is a
/// decision or an effect. The journal has the rest.
fn is_notable(entry: &Entry) -> bool {
    !matches!(
        entry,
        Entry::Loaded { .. }
            | Entry::StepStarted { .. }
            | Entry::StepCompleted { .. }
            | Entry::StepFailed { .. }
            | Entry::AttemptStarted { .. }
            | Entry::AttemptFailed { .. }
            | Entry::SleepStarted { .. }
            | Entry::SleepEnded { .. }
            | Entry::WaitStarted { .. }
            | Entry::WaitMatched { .. }
            | Entry::WaitTimedOut { .. }
            | Entry::EventReceived { .. }
            | Entry::Awaiting { .. }
            | Entry::Delivered { .. }
    )
}
