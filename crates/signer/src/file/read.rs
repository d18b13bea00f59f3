//! From a path to a text, before any of its content is trusted.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use super::error::FileErrorKind;

/// The largest key file that is read. An Ed25519 key takes half a kilobyte. An RSA key of 16384 bits takes 13 KiB, so
/// its kind can still be named in the error.
const BYTES_MAX: u64 = 16 * 1024;

/// The text of a private key's file, which only the user's account may be able to read.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<String>, FileErrorKind> {
    let (file, metadata) = open(path)?;
    // The check is on the open file, not on the path, so that the checked file is the file that is read.
    let guarded = check_guarded(&metadata);
    let text = read(file, FileErrorKind::NotAKey);
    match (guarded, text) {
        // The public half may be readable to all: its mode is not the fault.
        (Err(_), Ok(text)) if super::is_public(&text) => Err(FileErrorKind::NotPrivate),
        (Err(problem), _) => Err(problem),
        (Ok(()), text) => text,
    }
}

/// A private key belongs to its user, and no other account may read it.
fn check_guarded(metadata: &Metadata) -> Result<(), FileErrorKind> {
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        return Err(FileErrorKind::Owner { owner: metadata.uid(), user });
    }
    match metadata.mode() & 0o7777 {
        mode if mode & 0o077 != 0 => Err(FileErrorKind::Mode { mode }),
        _ => Ok(()),
    }
}

/// The text of a public key's file. Any account may have written it: the person who registers the key vouches for it.
pub(super) fn read_public(path: &Path) -> Result<Zeroizing<String>, FileErrorKind> {
    read(open(path)?.0, FileErrorKind::Public(crate::public::PublicKeyError::NotAKey))
}

fn open(path: &Path) -> Result<(File, Metadata), FileErrorKind> {
    // Without blocking: a pipe in place of a key would wait for a writer forever.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(std::io::Error::from)?);
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok((file, metadata)),
        false => Err(FileErrorKind::NotAFile),
    }
}

fn read(file: File, not_text: FileErrorKind) -> Result<Zeroizing<String>, FileErrorKind> {
    // The buffer has room for everything from the start: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(BYTES_MAX as usize + 64));
    file.take(BYTES_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(FileErrorKind::TooLarge { limit: BYTES_MAX });
    }
    if text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff]) {
        return Err(FileErrorKind::Utf16);
    }
    match str::from_utf8(&text) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(not_text),
    }
}
