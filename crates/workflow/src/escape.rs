//! Text from a guest, made safe to show.

use std::fmt;
use std::fmt::Write as _;

/// How many characters of a text are shown. More would let a long benign text push the line that matters out of sight.
const SHOWN: usize = 512;

/// A text in which every character can be seen for what it is: control characters, direction marks, zero-width and filler characters
/// stand as escapes. It is one line, however long.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| write_visibly(f, character))
    }
}

/// The same, cut with a visible mark where it is long. For JSON, which brings its own quotation marks.
#[derive(Debug, Clone, Copy)]
pub struct Clipped<'a>(pub &'a str);

impl fmt::Display for Clipped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().take(SHOWN).try_for_each(|character| write_visibly(f, character))?;
        write_hidden(f, self.0)
    }
}

/// The same in quotation marks. For words.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars().take(SHOWN) {
            match character {
                '"' | '\\' => write!(f, "\\{character}"),
                other => write_visibly(f, other),
            }?;
        }
        f.write_char('"')?;
        write_hidden(f, self.0)
    }
}

fn write_hidden(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    match text.chars().count().saturating_sub(SHOWN) {
        0 => Ok(()),
        hidden => write!(f, " [{hidden} more characters not shown]"),
    }
}

fn write_visibly(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    match character {
        _ if is_visible(character) => f.write_char(character),
        _ if is_filler(character) => write!(f, "{}", character.escape_unicode()),
        _ => write!(f, "{}", character.escape_debug()),
    }
}

/// Whether a character, by itself, shows as what it is.
#[must_use]
pub fn is_visible(character: char) -> bool {
    // Rust escapes quotation marks and the backslash for a reason of its own: they can be seen.
    let seen = matches!(character, '\'' | '"' | '\\') || character.escape_debug().len() == 1;
    seen && !is_filler(character)
}

/// Printable to Rust, and yet nothing to see: fillers and the blank Braille pattern.
fn is_filler(character: char) -> bool {
    matches!(character, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        let hostile = "a\u{1b}[2K\u{202e}b\u{200b}\u{3164}\u{2800}\u{ad}\n\"'é";
        let shown = Quoted(hostile).to_string();
        assert_eq!(shown, r#""a\u{1b}[2K\u{202e}b\u{200b}\u{3164}\u{2800}\u{ad}\n\"'é""#);
    }

    #[test]
    fn a_long_text_is_cut_visibly() {
        let shown = Quoted(&"x".repeat(1_000_000)).to_string();
        assert!(shown.len() < 600);
        assert!(shown.ends_with(r#"" [999488 more characters not shown]"#), "{shown}");
    }
}
