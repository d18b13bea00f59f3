//! Making a key.

use std::fs::{File, Permissions};
use std::io;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{EncodePrivateKey as _, KeypairBytes};
use pkcs8::LineEnding;
use zeroize::Zeroizing;

use super::error::{FileError, FileErrorKind};
use crate::public::PublicKey;

/// Makes a new key and writes it to `path`: PKCS#8 in PEM, not encrypted, readable by its owner only. Returns its
/// public half.
///
/// The file is complete or absent, and on disk when this returns.
///
/// # Errors
/// The file cannot be written, or the path already exists, even as a dangling link.
pub fn generate(path: &Path) -> Result<PublicKey, FileError> {
    make(path).map_err(|problem| FileError { path: path.to_owned(), problem })
}

fn make(path: &Path) -> Result<PublicKey, FileErrorKind> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(io::Error::other)?;
    // The file is written without the public half: older openssl does not read a file with it.
    let pair = KeypairBytes { secret_key: *seed, public_key: None };
    let pem = pair.to_pkcs8_pem(LineEnding::LF).map_err(io::Error::other)?;
    write(path, pem.as_bytes())?;
    Ok(PublicKey::of(&SigningKey::from_bytes(&seed)))
}

fn write(path: &Path, content: &[u8]) -> Result<(), FileErrorKind> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".new-key-").tempfile_in(folder)?;
    file.as_file().set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|failed| match failed.error.kind() {
        io::ErrorKind::AlreadyExists => FileErrorKind::Exists,
        _ => FileErrorKind::Io(failed.error),
    })?;
    Ok(File::open(folder)?.sync_all()?)
}
