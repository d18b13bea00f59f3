//! The terminal's screen, and how much of a text fits on it.

use std::io;
use std::os::fd::AsFd as _;

/// The lines of the screen that a question and what frames it take.
const FRAME: usize = 7;

/// The rows of a screen whose terminal does not report them.
const ROWS: usize = 24;
const COLUMNS: usize = 80;

/// The number of lines that fit on a screen of this size, above the question.
pub(crate) fn fitting(lines: &[String], (rows, columns): (usize, usize)) -> usize {
    let mut left = rows.saturating_sub(FRAME).max(1);
    let fits = |line: &&String| {
        let taken = line.chars().count().max(1).div_ceil(columns.max(1));
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
        assert_eq!(fitting(&lines(10, 70), (24, 80)), 10);
        assert_eq!(fitting(&lines(100, 70), (24, 80)), 24 - FRAME);
        assert_eq!(fitting(&lines(100, 81), (24, 80)), (24 - FRAME) / 2, "a long line takes two rows");
        assert_eq!(fitting(&lines(3, 4_000_000), (24, 80)), 0);
        assert_eq!(fitting(&lines(3, 1), (0, 0)), 1);
    }
}
