//! JSON with comments, as `wrangler.jsonc` has it.

/// JSON with comments and trailing commas as JSON, with everything where it was.
pub(crate) fn without_comments(text: &str) -> String {
    // Editors on Windows begin a file with a byte order mark, which is three bytes.
    let mut bytes = text.replacen('\u{feff}', "   ", usize::from(text.starts_with('\u{feff}'))).into_bytes();
    let (mut at, mut comma) = (0, None);
    while let Some(&byte) = bytes.get(at) {
        let end = match (byte, bytes.get(at + 1)) {
            (b'"', _) => {
                comma = None;
                string_end(&bytes, at)
            }
            (b'/', Some(b'/')) => blank(&mut bytes, at, b"\n"),
            (b'/', Some(b'*')) => blank(&mut bytes, at, b"*/"),
            (b',', _) => {
                comma = Some(at);
                at + 1
            }
            (b'}' | b']', _) => {
                if let Some(place) = comma.take().and_then(|comma: usize| bytes.get_mut(comma)) {
                    *place = b' ';
                }
                at + 1
            }
            (byte, _) => {
                comma = comma.filter(|_| byte.is_ascii_whitespace());
                at + 1
            }
        };
        at = end;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Overwrites a comment that ends so. The place after it.
fn blank(bytes: &mut [u8], start: usize, ending: &[u8]) -> usize {
    // After both bytes that open it: in `/*/` the star does not also close it.
    let inside = start + 2;
    let rest = bytes.get(inside..).unwrap_or_default();
    let length = rest.windows(ending.len()).position(|window| window == ending);
    let end = length.map_or(bytes.len(), |length| inside + length + ending.len());
    bytes.iter_mut().take(end).skip(start).filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn comments_and_trailing_commas_are_no_json() {
        let text = r#"{
            // main: "a.js",
            "main": "src/\"//x.ts", /* and
            "class": 1 */ /*/ "other": 2, /*/ /**/ "list": [1, 2, ],
        }"#;
        let json: Value = serde_json::from_str(&without_comments(text)).unwrap();
        assert_eq!(json, serde_json::json!({ "main": "src/\"//x.ts", "list": [1, 2] }));
        let marked = without_comments(&format!("\u{feff}{text}"));
        assert_eq!(json, serde_json::from_str::<Value>(&marked).unwrap());
        for odd in ["", "\u{feff}", "\"", "/*", "//", "{\"a\":\"\\", "[,]"] {
            assert_eq!(without_comments(odd).len(), odd.len(), "{odd:?}");
        }
    }
}
