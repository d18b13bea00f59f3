//! Messages to the person at the terminal, on standard error.

use crate::cli::output::logs;
use std::io::Write as _;
use tracing::Level;

/// A problem, in one line on standard error.
pub(crate) fn complain(message: &str) {
    say(Level::WARN, message);
}

/// Prints a note for the operator, in one line on standard error.
pub(crate) fn inform(message: &str) {
    say(Level::INFO, message);
}

/// Prints one line on standard error, with all characters that a terminal would interpret escaped. If the log is JSON,
/// the line is a line of the log.
pub(crate) fn say(level: Level, message: &str) {
    if logs::takes(level, message) {
        return;
    }
    let _ = writeln!(anstream::stderr(), "pp-host: {}", workflow::Escaped(message));
}
