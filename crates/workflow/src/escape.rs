//! Escapes a guest's text for display.
//!
//! Three rules keep a guest's words apart from the host's. A guest's words are in quotation marks, in which a quotation
//! mark and a backslash are escaped. A character that is invisible or ambiguous is escaped. And of several consecutive
//! blanks only the first is kept as a blank, so that no line, however it is wrapped, begins like a line of the host's:
//! those have a margin or a label, and at least two blanks.

use icu_properties::props::{
    BidiControl, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, WhiteSpace,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use std::fmt;
use std::fmt::Write as _;
use unicode_width::UnicodeWidthChar as _;

/// The number of characters of a text that are shown. More would let a long harmless text push the line that matters
/// out of sight.
const SHOWN: usize = 512;

/// A text of the host that may contain a guest's words, escaped: every character is visible, and the text is one line
/// of any length. Its blanks are the host's, and are kept.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| write_visibly(f, character))
    }
}

/// A text that has its own quotation marks and escapes, such as JSON, cut with a visible mark if it is long.
#[derive(Debug, Clone, Copy)]
pub struct Clipped<'a>(pub &'a str);

impl fmt::Display for Clipped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = ' ';
        for character in self.0.chars().take(SHOWN) {
            write_apart(f, before, character)?;
            before = character;
        }
        // A blank at the end of the text counts as the one before the mark.
        let hidden = Hidden(self.0).to_string();
        f.write_str(if before == ' ' { hidden.trim_start() } else { &hidden })
    }
}

/// A guest's words in quotation marks, cut with a visible mark if they are long.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(f, self.0.chars().take(SHOWN))?;
        Hidden(self.0).fmt(f)
    }
}

/// A guest's words in quotation marks, without shortening: for the parameters of an action.
#[derive(Debug, Clone, Copy)]
pub struct QuotedWhole<'a>(pub &'a str);

impl fmt::Display for QuotedWhole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(f, self.0.chars())
    }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: impl Iterator<Item = char>) -> fmt::Result {
    f.write_char('"')?;
    let mut before = '"';
    for character in text {
        match character {
            '"' | '\\' => write!(f, "\\{character}"),
            other => write_apart(f, before, other),
        }?;
        before = character;
    }
    f.write_char('"')
}

/// The mark of a text that is cut.
struct Hidden<'a>(&'a str);

impl fmt::Display for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.chars().count().saturating_sub(SHOWN) {
            0 => Ok(()),
            hidden => write!(f, " [{hidden} more characters not shown]"),
        }
    }
}

/// Writes a character visibly, and a blank as an escape if it follows another.
fn write_apart(f: &mut fmt::Formatter<'_>, before: char, character: char) -> fmt::Result {
    match (before, character) {
        (' ', ' ') => f.write_str("\\u{20}"),
        _ => write_visibly(f, character),
    }
}

fn write_visibly(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    match character {
        _ if is_visible(character) => f.write_char(character),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        _ => write!(f, "{}", character.escape_unicode()),
    }
}

/// Whether a character is displayed as itself: it takes a place on the screen, marks it, and does not affect its
/// neighbours.
///
/// A combining character does not: after a letter it makes another letter, and after a quotation mark or a blank it
/// hides where the words begin.
#[must_use]
pub fn is_visible(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    let unseen =
        GeneralCategoryGroup::Other.union(GeneralCategoryGroup::Separator).union(GeneralCategoryGroup::Mark);
    !unseen.contains(category)
        && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        && !CodePointSetData::new::<BidiControl>().contains(character)
        && !CodePointSetData::new::<WhiteSpace>().contains(character)
        && character.width().is_some_and(|columns| columns > 0)
        && !is_blank(character)
}

/// A symbol or a letter by its properties, whose picture is empty. Unicode has no property for that.
fn is_blank(character: char) -> bool {
    matches!(
        character,
        // The Braille pattern without dots, the note without a head, two hieroglyphs and two places of signs that keep room.
        '\u{2800}' | '\u{1d159}' | '\u{13441}' | '\u{13442}' | '\u{1da7f}' | '\u{1da80}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scalars() -> impl Iterator<Item = char> {
        '\0'..=char::MAX
    }

    /// The text inside the quotation marks.
    fn unquoted(shown: &str) -> Option<String> {
        let mut rest = shown.strip_prefix('"')?.strip_suffix('"')?.chars();
        let mut text = String::new();
        while let Some(character) = rest.next() {
            text.push(match character {
                '\\' => match rest.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => {
                        let digits: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                        char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                    }
                    itself => itself,
                },
                '"' => return None,
                other => other,
            });
        }
        Some(text)
    }

    /// Every line that a screen of that width makes of a text, with the place of its first character.
    fn wrapped(text: &str, width: usize) -> Vec<(usize, String)> {
        let (mut lines, mut line, mut from, mut taken) = (Vec::new(), String::new(), 0, 0);
        for (at, character) in text.char_indices() {
            let columns = character.width().unwrap_or(0);
            if taken + columns > width {
                lines.push((from, std::mem::take(&mut line)));
                (from, taken) = (at, 0);
            }
            line.push(character);
            taken += columns;
        }
        lines.push((from, line));
        lines
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        let hostile = "a\u{1b}[2K\u{202e}b\u{200b}\u{3164}\u{2800}\u{ad}\n\"'é\\u{20}  c";
        let shown = Quoted(hostile).to_string();
        assert_eq!(shown, r#""a\u{1b}[2K\u{202e}b\u{200b}\u{3164}\u{2800}\u{ad}\n\"'é\\u{20} \u{20}c""#);
    }

    #[test]
    fn what_is_written_in_any_language_can_be_read() {
        for words in [
            "Größe: 5 µm",
            "Ελλάδα",
            "Россия",
            "日本語、한국어",
            "ไทย",
            "עברית",
            "العربية",
            "–“quoted”–",
            "≤ 5 €",
            "🚀",
        ] {
            assert!(words.chars().all(is_visible), "{words}");
        }
    }

    #[test]
    fn every_character_that_is_shown_takes_a_place_and_every_other_is_escaped() {
        for character in scalars() {
            let text = character.to_string();
            let shown = Quoted(&text).to_string();
            assert!(shown.chars().all(is_visible), "{shown:?}");
            assert_eq!(unquoted(&shown).as_deref(), Some(text.as_str()), "{shown}");
            if is_visible(character) {
                let width = character.width();
                assert!(width.is_some_and(|width| width > 0), "{character:?} takes {width:?} columns");
                assert!(!character.is_control() && (character == ' ' || !character.is_whitespace()));
            }
        }
    }

    #[test]
    fn invisible_by_property() {
        let hidden = [
            ("controls", "\u{0}\u{7f}\u{85}\u{9b}"),
            (
                "formats",
                "\u{ad}\u{600}\u{61c}\u{6dd}\u{70f}\u{8e2}\u{180e}\u{feff}\u{fff9}\u{110bd}\u{13430}\u{1d173}\u{e0001}\u{e0041}",
            ),
            ("direction", "\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}"),
            (
                "default-ignorable",
                "\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\u{200b}\u{2064}\u{3164}\u{fe00}\u{fe0f}\u{ffa0}\u{e0100}",
            ),
            (
                "blanks",
                "\u{a0}\u{1680}\u{2000}\u{2007}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{2800}\u{1d159}\u{13441}",
            ),
            ("conjoining", "\u{1161}\u{11a8}\u{d7b0}\u{d7cb}\u{a8fa}"),
            ("combining", "\u{301}\u{338}\u{488}\u{489}\u{20dd}\u{20e0}\u{93f}\u{94d}\u{1d165}"),
            ("nobody's", "\u{e000}\u{f8ff}\u{f0000}\u{10fffd}\u{378}\u{fdd0}\u{ffff}\u{10ffff}"),
        ];
        for (kind, characters) in hidden {
            assert!(!characters.chars().any(is_visible), "{kind}");
        }
    }

    #[test]
    fn a_long_text_is_cut_visibly() {
        let shown = Quoted(&"x".repeat(1_000_000)).to_string();
        assert!(shown.len() < 600);
        assert!(shown.ends_with(r#"" [999488 more characters not shown]"#), "{shown}");
        assert_eq!(QuotedWhole(&"x".repeat(1_000_000)).to_string().len(), 1_000_002);
    }

    /// Words that consist of invisible characters and of fragments of the host's own lines.
    fn words() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            (1..200_usize).prop_map(|count| " ".repeat(count)),
            "[a-zA-Z\" \\\\]{0,40}",
            Just("sha256 ".to_owned()),
            Just("capability   ".to_owned()),
            Just(", approved before".to_owned()),
        ];
        proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn words_come_back_from_their_quotation(text in words()) {
            prop_assert_eq!(unquoted(&QuotedWhole(&text).to_string()), Some(text));
        }

        #[test]
        fn no_line_of_words_looks_like_one_of_the_hosts(text in words(), before in 0..200_usize) {
            for shown in [Quoted(&text).to_string(), QuotedWhole(&text).to_string(), Clipped(&text).to_string()] {
                prop_assert!(shown.chars().all(is_visible));
                // At every column, for every width of the screen.
                let shown = format!("{}{shown}", "x".repeat(before));
                for width in 40..=200 {
                    for (_, line) in wrapped(&shown, width) {
                        prop_assert!(!line.contains("  "), "{width}: {line:?}");
                    }
                }
            }
        }
    }
}
