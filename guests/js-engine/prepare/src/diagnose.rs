//! What is wrong with a module, and where.

use crate::bindings::exports::permission_protocol::script::preparing::Diagnostic;
use oxc_diagnostics::OxcDiagnostic;

/// What oxc found, with the place in the source.
pub(crate) fn of(module: &str, text: &str, found: &OxcDiagnostic) -> Diagnostic {
    let offset = found.labels.first().map(|label| label.offset());
    let (line, column) = offset.map_or((0, 0), |offset| place(text, offset as usize));
    let help = found.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
    Diagnostic { module: module.to_owned(), line, column, message: format!("{}{help}", found.message) }
}

/// Line and column, from 1; columns in characters of UTF-16.
pub(crate) fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").encode_utf16().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}
