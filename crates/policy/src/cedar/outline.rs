//! The outline of a text in Cedar, as far as it can be seen before it is parsed.

use std::iter::Peekable;
use std::str::CharIndices;

/// One policy of a text: the part up to a semicolon.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// The policy's offset in bytes.
    pub(super) start: usize,
    /// The number of operators and opening brackets: an upper bound of the nesting.
    pub(super) signs: usize,
}

/// The policies of a text, in order. Strings and comments are left out, as they are in Cedar.
pub(super) fn statements(text: &str) -> Vec<Statement> {
    let (mut statements, mut open): (Vec<Statement>, _) = (Vec::new(), None);
    let mut rest = text.char_indices().peekable();
    while let Some((offset, character)) = rest.next() {
        match character {
            '/' if rest.peek().is_some_and(|(_, next)| *next == '/') => skip_comment(&mut rest),
            ';' => statements.extend(open.take()),
            _ if character.is_whitespace() => (),
            _ => {
                let statement = open.get_or_insert(Statement { start: offset, signs: 0 });
                match character {
                    '"' => skip_string(&mut rest),
                    'A'..='Z' | 'a'..='z' | '_' => {
                        statement.signs += usize::from(word(text, offset, &mut rest) == "if");
                    }
                    _ => statement.signs += usize::from(is_sign(character, &mut rest)),
                }
            }
        }
    }
    statements.extend(open);
    statements
}

fn skip_comment(rest: &mut Peekable<CharIndices<'_>>) {
    while rest.next_if(|(_, character)| *character != '\n').is_some() {}
}

/// Skips to the character after the quotation mark that ends a string.
fn skip_string(rest: &mut Peekable<CharIndices<'_>>) {
    while let Some((_, character)) = rest.next() {
        match character {
            '\\' => drop(rest.next()),
            '"' => return,
            _ => (),
        }
    }
}

fn word<'t>(text: &'t str, start: usize, rest: &mut Peekable<CharIndices<'_>>) -> &'t str {
    let mut end = start + 1;
    while rest.next_if(|(_, next)| next.is_ascii_alphanumeric() || *next == '_').is_some() {
        end += 1;
    }
    text.get(start..end).unwrap_or_default()
}

/// Whether an operator or an opening bracket begins here. Skips the rest of the sign.
fn is_sign(character: char, rest: &mut Peekable<CharIndices<'_>>) -> bool {
    let is_sign = "([{.!-+*%&|<>=".contains(character);
    if "&|<>=!".contains(character) {
        rest.next_if(|(_, next)| *next == '=' || *next == character && character != '!');
    }
    is_sign
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_left_out() {
        let text = "// a;(\n@id(\"x;\\\"(\") permit (p) when { a && b }; // ;\n  é;;\nif iff (a.b >= 1) || !(c != 2)";
        let (first, second, third) = (text.find('@'), text.find('é'), text.find("if iff"));
        let statement = |start: Option<usize>, signs| Statement { start: start.unwrap(), signs };
        assert_eq!(statements(text), [statement(first, 4), statement(second, 0), statement(third, 8)]);
        assert_eq!(statements("a \"never ended ; ("), [Statement { start: 0, signs: 0 }]);
        assert_eq!(statements("!!!!a"), [Statement { start: 0, signs: 4 }]);
    }
}
