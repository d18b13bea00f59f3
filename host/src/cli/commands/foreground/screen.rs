//! The terminal's screen, and how much of a text fits on it.

use std::io;
use std::os::fd::AsFd as _;

/// The rows of a screen whose terminal does not report them.
const ROWS: usize = 24;
const COLUMNS: usize = 80;

/// The rows of a screen that a line takes.
pub(crate) fn taken(line: &str, columns: usize) -> usize {
    line.chars().count().max(1).div_ceil(columns.max(1))
}

/// The number of lines that fit into this number of rows and columns.
pub(crate) fn fitting(lines: &[String], (rows, columns): (usize, usize)) -> usize {
    let mut left = rows.max(1);
    let fits = |line: &&String| {
        let taken = taken(line, columns);
        let fits = taken <= left;
        left = left.saturating_sub(taken);
        fits
    };
    lines.iter().take_while(fits).count()
}

/// Rows and columns of the terminal.
pub(crate) fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stderr().as_fd()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row.into(), size.ws_col.into()),
        _ => (ROWS, COLUMNS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_stands_on_the_screen_with_what_it_is_about() {
        let lines = |count: usize, length: usize| vec!["x".repeat(length); count];
        assert_eq!(fitting(&lines(10, 70), (15, 80)), 10);
        assert_eq!(fitting(&lines(100, 70), (15, 80)), 15);
        assert_eq!(fitting(&lines(100, 81), (15, 80)), 7, "a long line takes two rows");
        assert_eq!(fitting(&lines(3, 4_000_000), (15, 80)), 0);
        assert_eq!(fitting(&lines(3, 1), (0, 0)), 1);
    }
}
