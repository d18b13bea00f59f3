//! JSON on standard output.

/// JSON for a program whose output may go to a terminal: invisible characters are escaped, as JSON allows in every
/// string.
pub(crate) fn json_line(value: &impl serde::Serialize) -> serde_json::Result<String> {
    Ok(visible_json(&serde_json::to_string(value)?))
}

/// The JSON with escapes in its strings for invisible characters, and for consecutive blanks, with which words could
/// look like a line of their own.
pub(crate) fn visible_json(json: &str) -> String {
    let (mut units, mut place, mut visible) = ([0; 2], Place::Between, String::with_capacity(json.len()));
    for character in json.chars() {
        let blank = place == Place::Inside && character == ' ' && visible.ends_with(' ');
        if !blank && (character == '\n' || workflow::is_visible(character)) {
            visible.push(character);
        } else {
            visible.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
        place = place.after(character);
    }
    visible
}

/// The position of a character in a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between strings.
    Between,
    /// Inside a string.
    Inside,
    /// Inside a string, behind a backslash.
    Escaped,
}

impl Place {
    fn after(self, character: char) -> Self {
        match (self, character) {
            (Self::Between, '"') | (Self::Escaped, _) => Self::Inside,
            (Self::Inside, '"') => Self::Between,
            (Self::Inside, '\\') => Self::Escaped,
            (place, _) => place,
        }
    }
}
