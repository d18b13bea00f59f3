//! An audit is read line by line, so an entry is one line, for any text of a guest.

use crate::common::{Ask as _, about, at, begin, fold, origin};
use crate::strategies;
use proptest::prelude::*;
use workflow::{Entry, RecordedCommand};

/// One line whose characters are all visible: none moves the cursor, changes the direction or hides.
fn is_visible_line(text: &str) -> bool {
    let turns = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !text.is_empty() && !text.chars().any(|c| c.is_control() || turns(c))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_entry_is_one_visible_line(entry in strategies::entry()) {
        let line = entry.to_string();
        prop_assert!(is_visible_line(&line), "{line:?}");
    }

    #[test]
    fn a_divergence_and_an_illegal_entry_are_one_visible_line(name in strategies::text(), entry in strategies::entry()) {
        let mut journal = origin();
        journal.push(about::step_named(0, &format!("{name}!")));
        let divergence = fold(&journal).ask(&begin(&name), at(0)).unwrap_err();
        prop_assert!(is_visible_line(&divergence.to_string()), "{divergence:?}");
        journal.push(entry);
        if let Err(illegal) = fold(&journal[..3]).apply(&journal[3]) {
            prop_assert!(is_visible_line(&illegal.to_string()), "{illegal:?}");
        }
    }
}

/// A guest's text is shortened for display, at any recorded length.
#[test]
fn a_line_stays_short_enough_to_read() {
    let long = "x".repeat(1 << 20);
    let asked = || RecordedCommand::Step { name: long.clone() };
    let entries = [
        about::step_named(0, &long),
        Entry::Rejected { call: 0, asked: asked(), message: long.clone() },
        Entry::Refused { call: 0, asked: asked(), check: workflow::Check::Scope, message: long.clone() },
        Entry::Completed { output: long.clone() },
    ];
    for entry in entries {
        assert!(entry.to_string().contains("[1048064 more characters not shown]"), "{entry}");
        assert!(entry.to_string().len() < 2000, "{} bytes", entry.to_string().len());
    }
}

#[test]
fn a_line_says_what_happened_to_whom() {
    let told = |entry: &Entry| entry.to_string();
    let [loaded, started] = origin().try_into().unwrap();
    assert!(told(&loaded).starts_with("loaded      component sha256 "), "{loaded}");
    assert_eq!(told(&started), r#"started     workflow "release" for tenant acme, actor agent:builder"#);
    let message = "the evidence is not JSON: duplicate key `\u{1b}[2K` before byte 9".to_owned();
    let rejected =
        Entry::Rejected { call: 7, asked: RecordedCommand::Step { name: "a".to_owned() }, message };
    assert_eq!(
        told(&rejected),
        r#"rejected    #7 step "a": the evidence is not JSON: duplicate key `\u{1b}[2K` before byte 9"#
    );
}
