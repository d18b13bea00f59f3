//! The input of the command line: files, and statements about a receipt.

use anyhow::{Context as _, bail};
use receipt::json::MAX_LEN;
use receipt::{Json, Opening, Salt, Stated, StatedBinding, VerifyError};
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

/// The most that is read of one file. A receipt is at most [`MAX_LEN`] bytes; a committed request may be longer than
/// this program parses, and its commitment is checked anyway.
const LARGEST: u64 = 16 << 20;

/// A file's text, or why it has none. A file that cannot be a receipt is malformed; a missing file has no verdict.
pub(super) enum Document {
    Text(String),
    Malformed(VerifyError),
    Unreadable(io::Error),
}

impl Document {
    pub(super) fn read(path: &Path) -> Self {
        let malformed = |reason: String| Self::Malformed(VerifyError::Malformed(reason.into()));
        match bytes(path) {
            Err(error) => Self::Unreadable(error),
            Ok(bytes) if bytes.len() > MAX_LEN => {
                malformed(format!("the file is longer than the {MAX_LEN} bytes that are read"))
            }
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Self::Text(text),
                Err(error) => {
                    let at = error.utf8_error().valid_up_to();
                    malformed(format!("the file is not UTF-8 from byte {at} on"))
                }
            },
        }
    }
}

/// The text of a file that the caller vouches for: keys, deciders, claims.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    match Document::read(path) {
        Document::Text(text) => Ok(text),
        Document::Malformed(error) => Err(error).with_context(|| format!("cannot use {}", path.display())),
        Document::Unreadable(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The opening of this call's receipts. The inner error is the verdict on each of them: the file is not a committed
/// request.
pub(super) fn opening(request: &Path, salt: &str) -> anyhow::Result<Result<Opening, VerifyError>> {
    let salt = salt
        .parse()
        .ok()
        .or_else(|| Salt::from_base64(salt))
        .context("--salt takes 64 hexadecimal digits, or the same 32 bytes as base64")?;
    let bytes = bytes(request).with_context(|| format!("cannot read {}", request.display()))?;
    if bytes.len() as u64 > LARGEST {
        let reason = format!("the request is longer than the {LARGEST} bytes that are read");
        return Ok(Err(VerifyError::RequestUnreadable(reason.into())));
    }
    let text = String::from_utf8(bytes).map_err(|_| VerifyError::RequestCommitmentMismatch);
    Ok(text.map(|text| Opening::new(text, salt)))
}

/// A stated summary: the exact text, less one line ending at its end.
pub(super) fn summary(path: &Path) -> anyhow::Result<Stated> {
    let text = text(path)?;
    let line = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(Stated::Value(line.to_owned()))
}

/// A stated binding: a JSON object with any of its three members.
pub(super) fn binding(path: &Path) -> anyhow::Result<StatedBinding> {
    read_binding(&text(path)?).with_context(|| format!("{} is not a binding", path.display()))
}

fn read_binding(text: &str) -> anyhow::Result<StatedBinding> {
    let json = Json::parse(text)?;
    let members = json.as_object().context("a binding is a JSON object")?;
    let mut binding = StatedBinding::default();
    for (key, value) in members.iter() {
        let stated = match value {
            Json::Null => Stated::Absent,
            value => Stated::Value(value.as_str().context("its values are strings or null")?.to_owned()),
        };
        match key.as_str() {
            Some("companyId") => binding.company_id = stated,
            Some("idemKey") => binding.idem_key = stated,
            Some("inputHash") => binding.input_hash = stated,
            _ => bail!("its members are companyId, idemKey and inputHash"),
        }
    }
    Ok(binding)
}

/// At most one byte more than [`LARGEST`], so that a longer file is seen to be longer.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match path.to_str() {
        Some("-") => io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes),
        _ => File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes),
    }?;
    Ok(bytes)
}
