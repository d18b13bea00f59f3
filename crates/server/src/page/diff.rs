//! The text of an artifact compared with the deployed text, line by line. The host measured the bytes; every word in them is the
//! workflow's.

use engine::api::Change;
use maud::{Markup, html};
use similar::{ChangeTag, TextDiff};
use std::time::Duration;

/// The most rows that are shown.
const ROWS: usize = 1_000;

/// Unchanged lines that are shown around a change.
const AROUND: usize = 3;

/// The most characters of a line that are shown.
const LINE: usize = 2_000;

/// The time limit of a comparison. After it, the rest is shown as replaced.
const DIFF_TIMEOUT: Duration = Duration::from_millis(200);

/// A row: the change of a line, and the line.
type Row = (ChangeTag, String);

/// The changes; nothing, if there is no text to show.
pub(crate) fn diff(change: &Change) -> Markup {
    let Some(asked) = change.asked.as_deref().and_then(text) else { return html! {} };
    // If the two texts are equal, the text is shown as it is: a comparison would have no line.
    let served = change.served.as_deref().and_then(text).filter(|served| *served != asked);
    let (rows, more) = rows(served.unwrap_or_default(), asked);
    let summary = match served {
        Some(_) => "The text, line by line, compared with the live deployment",
        None => "The text of the artifact",
    };
    html! {
        details open[served.is_some()] {
            summary { (summary) }
            p.small { "Written by the workflow. The digest above is of all of it." }
            div.scroll tabindex="0" role="region" aria-label=(summary) {
                table.diff { tbody {
                    @for (tag, line) in &rows {
                        @let (class, sign) = mark(*tag);
                        tr class=[class] { td { (sign) } td { (line) } }
                    }
                } }
            }
            @if more > 0 { div.note { p { strong { "Not all is shown. " } (more) " more lines are approved too." } } }
        }
    }
}

/// Text that can be shown as lines.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn mark(tag: ChangeTag) -> (Option<&'static str>, &'static str) {
    match tag {
        ChangeTag::Equal => (None, " "),
        ChangeTag::Insert => (Some("add"), "+"),
        ChangeTag::Delete => (Some("del"), "−"),
    }
}

fn rows(served: &str, asked: &str) -> (Vec<Row>, usize) {
    let diff = TextDiff::configure().timeout(DIFF_TIMEOUT).diff_lines(served, asked);
    let (mut rows, mut more) = (Vec::new(), 0);
    for (index, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if index > 0 && rows.len() < ROWS {
            rows.push((ChangeTag::Equal, "⋯".to_owned()));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            if rows.len() >= ROWS {
                more += 1;
                continue;
            }
            let line = change.value().trim_end_matches(['\n', '\r']).replace('\t', "    ");
            rows.push((change.tag(), shown(&line)));
        }
    }
    (rows, more)
}

/// A line as text. Spaces stay, because a row of the table cannot be mistaken for anything else; invisible characters are escaped.
fn shown(line: &str) -> String {
    let mut shown = String::new();
    for character in line.chars().take(LINE) {
        match workflow::is_visible(character) {
            true => shown.push(character),
            false => shown.extend(character.escape_unicode()),
        }
    }
    if line.chars().nth(LINE).is_some() {
        shown.push_str(" … THE LINE GOES ON");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_compared_and_escaped_and_what_is_left_out_is_counted() {
        let (rows, more) = rows("a\n  b\nc\n", "a\n  B\u{1b}[2K<i>\nc\n");
        let shown: Vec<_> = rows.iter().map(|(tag, line)| (mark(*tag).1, line.as_str())).collect();
        assert_eq!(shown, [(" ", "a"), ("−", "  b"), ("+", "  B\\u{1b}[2K<i>"), (" ", "c")]);
        assert_eq!(more, 0);
        let (rows, more) = super::rows("", &"x\n".repeat(ROWS + 7));
        assert_eq!((rows.len(), more), (ROWS, 7));
        let change = Change { asked: Some(b"<script>".as_slice().into()), served: None };
        assert!(diff(&change).into_string().contains("&lt;script&gt;"));
        let text: std::sync::Arc<[u8]> = b"one\ntwo".as_slice().into();
        let same = Change { asked: Some(text.clone()), served: Some(text.to_vec()) };
        assert!(
            diff(&same).into_string().contains("<td>two</td>"),
            "a text that is deployed already is shown too"
        );
        let binary = Change { asked: Some([0xff].as_slice().into()), served: None };
        assert!(diff(&binary).into_string().is_empty());
    }
}
