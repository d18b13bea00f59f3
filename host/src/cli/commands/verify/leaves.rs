//! A JSON document as a few short lines: one a value, the outermost first.

use receipt::Json;
use std::fmt;
use workflow::{Escaped, Quoted};

/// The most characters of a name or a value that are shown.
const WIDTH: usize = 120;

/// One value of a document, and its path.
struct Leaf<'a> {
    path: String,
    depth: usize,
    value: &'a Json,
}

/// The lines for the first `most` values of `document`, without the members named in `leave_out`, and how many values are left.
pub(super) fn lines(document: &Json, leave_out: &[&str], most: usize) -> (Vec<String>, usize) {
    let mut leaves = Vec::new();
    match document.as_object() {
        None => collect(document, String::new(), 0, &mut leaves),
        Some(object) => {
            for (key, value) in object.iter().filter(|(key, _)| !is_one_of(key.as_str(), leave_out)) {
                collect(value, name(&key.to_string_lossy()), 1, &mut leaves);
            }
        }
    }
    // Deep values, such as evidence, come last, and never push the action out of sight.
    leaves.sort_by_key(|leaf| leaf.depth);
    let more = leaves.len().saturating_sub(most);
    (leaves.iter().take(most).map(ToString::to_string).collect(), more)
}

fn is_one_of(key: Option<&str>, names: &[&str]) -> bool {
    key.is_some_and(|key| names.contains(&key))
}

fn collect<'a>(value: &'a Json, path: String, depth: usize, leaves: &mut Vec<Leaf<'a>>) {
    match value {
        Json::Object(object) if !object.is_empty() => {
            for (key, value) in object.iter() {
                collect(value, format!("{path}.{}", name(&key.to_string_lossy())), depth + 1, leaves);
            }
        }
        Json::Array(elements) if !elements.iter().all(Json::is_scalar) => {
            for (index, value) in elements.iter().enumerate() {
                collect(value, format!("{path}[{index}]"), depth + 1, leaves);
            }
        }
        value => leaves.push(Leaf { path, depth, value }),
    }
}

/// A key as part of a path: quoted, unless it is a plain word, so that no key looks like a path and its value.
fn name(key: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    match !key.is_empty() && key.bytes().all(is_plain) {
        true => key.to_owned(),
        false => Quoted(key).to_string(),
    }
}

impl fmt::Display for Leaf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, more) = cut(&self.path);
        write!(f, "{path}{more} = ")?;
        let text = match self.value {
            Json::String(text) => text.to_string_lossy(),
            value => value.canonical(),
        };
        let (shown, more) = cut(&text);
        match self.value {
            Json::String(_) => write!(f, "{}{more}", Quoted(shown)),
            _ => write!(f, "{}{more}", Escaped(shown)),
        }
    }
}

/// The beginning of a text, and a mark if that is not all.
fn cut(text: &str) -> (&str, String) {
    match text.char_indices().nth(WIDTH) {
        None => (text, String::new()),
        Some((at, _)) => {
            let (shown, rest) = text.split_at(at);
            (shown, format!(" [{} more characters]", rest.chars().count()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, most: usize) -> (Vec<String>, usize) {
        lines(&Json::parse(text).unwrap(), &["approvals"], most)
    }

    #[test]
    fn outer_values_come_first_and_what_is_left_is_counted() {
        let text = r#"{"approvals":[{"a":1}],"a":{"b":{"c":[1,2]},"list":[{"x":null}]},"z":"end"}"#;
        let all = ["z = \"end\"", "a.b.c = [1,2]", "a.list[0].x = null"].map(str::to_owned);
        assert_eq!(shown(text, 9), (all.to_vec(), 0));
        assert_eq!(shown(text, 1), (all[..1].to_vec(), 2));
    }

    #[test]
    fn no_line_is_long_and_no_key_looks_like_a_value() {
        let text = format!(r#"{{"a.b = \"x\"":1,"evidence":"{}"}}"#, "y".repeat(9000));
        let (lines, _) = shown(&text, 9);
        assert_eq!(lines[0], r#""a.b = \"x\"" = 1"#);
        assert!(lines[1].len() < 200 && lines[1].ends_with("[8880 more characters]"), "{}", lines[1]);
    }
}
