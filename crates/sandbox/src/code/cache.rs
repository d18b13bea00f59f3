//! Compiled code on disk: a folder of sealed files, one per component. When they exceed the bound, the least recently
//! used are deleted.
//!
//! ```text
//! cache/key               32 random bytes, 0600: seals the files
//! cache/<sha256>.cwasm    seal ‖ compiled code
//! ```
//!
//! Every file may be missing: one that is missing, damaged or not sealed here is compiled again and replaced. So no
//! operation fails after the cache has been opened.

use crate::LoadError;
use crate::code::trusted::{Key, Label, Trusted};
use receipt::Digest;
use std::fs::{DirBuilder, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use std::{fs, io};

/// A folder of compiled code.
pub(crate) struct Cache {
    folder: PathBuf,
    key: Key,
    bound: u64,
    /// Bytes written since the folder was last looked through.
    unchecked: AtomicU64,
}

/// The files may exceed the bound by this part of it. Looking through a folder of ten thousand small files takes longer
/// than making one of them.
const SLACK: u64 = 64;

/// What the cache has.
#[derive(Debug)]
pub(crate) enum CacheLookup {
    /// Code that was sealed here, for this component, this runtime and these settings.
    Code(Trusted),
    /// The file is missing, or its seal does not open.
    Unsealed,
    /// There is no file.
    Nothing,
}

impl Cache {
    /// Opens a cache and makes missing parts. If other accounts could have read or replaced the key, the key is
    /// replaced and the cache emptied.
    pub(crate) fn open(folder: &Path, bound: u64) -> Result<Self, LoadError> {
        let failed = |error| LoadError::Cache { folder: folder.to_owned(), error: Arc::new(error) };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let key = match private_key(folder).map_err(failed)? {
            Some(key) => key,
            None => {
                empty(folder).map_err(failed)?;
                make_key(folder).map_err(failed)?
            }
        };
        let unchecked = AtomicU64::new(0);
        let cache = Self { folder: folder.to_owned(), key: Key::new(key), bound, unchecked };
        cache.evict();
        Ok(cache)
    }

    /// Looks for a component's code.
    pub(crate) fn find(&self, label: Label<'_>) -> CacheLookup {
        let Some((file, content)) = read(&self.path(label.component), self.bound) else {
            return CacheLookup::Nothing;
        };
        match self.key.open(label, content) {
            Some(code) => {
                let _ = file.set_modified(SystemTime::now());
                CacheLookup::Code(code)
            }
            None => CacheLookup::Unsealed,
        }
    }

    /// Stores a component's code, replacing the previous file.
    pub(crate) fn keep(&self, label: Label<'_>, code: &Trusted) {
        let sealed = self.key.seal(label, code);
        if sealed.len() as u64 <= self.bound {
            // A full disk does not keep compiled code from running.
            let _ = write(&self.path(label.component), &sealed);
        }
        self.grew(sealed.len() as u64);
    }

    /// The prepared form of a bundle. A file that was not sealed here for this label counts as missing.
    pub(crate) fn find_prepared(&self, label: Label<'_>) -> Option<Vec<u8>> {
        let (file, content) = read(&self.prepared_path(label.component), self.bound)?;
        let prepared = self.key.open_bytes(label, &content)?;
        let _ = file.set_modified(SystemTime::now());
        Some(prepared)
    }

    /// Stores the prepared form of a bundle, replacing the previous file.
    pub(crate) fn keep_prepared(&self, label: Label<'_>, prepared: &[u8]) {
        let sealed = self.key.seal_bytes(label, prepared);
        if sealed.len() as u64 <= self.bound {
            let _ = write(&self.prepared_path(label.component), &sealed);
        }
        self.grew(sealed.len() as u64);
    }

    fn path(&self, component: &Digest) -> PathBuf {
        self.folder.join(format!("{component}.cwasm"))
    }

    fn prepared_path(&self, bundle: &Digest) -> PathBuf {
        self.folder.join(format!("{bundle}.prepared"))
    }

    fn grew(&self, bytes: u64) {
        let unchecked = self.unchecked.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if unchecked > self.bound / SLACK {
            self.unchecked.store(0, Ordering::Relaxed);
            self.evict();
        }
    }

    /// Deletes the least recently used files until the rest is within the bound.
    fn evict(&self) {
        let Ok(mut files) = files(&self.folder) else { return };
        files.sort_by_key(|file| std::cmp::Reverse(file.used));
        let mut kept = 0_u64;
        for file in files {
            kept = kept.saturating_add(file.bytes);
            if kept > self.bound {
                let _ = fs::remove_file(&file.path);
            }
        }
    }
}

/// A plain file of a bounded size: opening a pipe would wait forever.
fn read(path: &Path, bound: u64) -> Option<(File, Vec<u8>)> {
    let facts = fs::symlink_metadata(path).ok()?;
    let fits = facts.is_file() && facts.len() <= bound;
    let mut file = fits.then(|| File::open(path).ok()).flatten()?;
    let mut content = Vec::with_capacity(usize::try_from(facts.len()).ok()?);
    io::Read::read_to_end(&mut io::Read::take(&mut file, bound), &mut content).ok()?;
    Some((file, content))
}

struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// All files in the folder except the key.
fn files(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let (path, facts) = match entry.and_then(|entry| Ok((entry.path(), entry.metadata()?))) {
            Ok(entry) => entry,
            // Another process has deleted it.
            Err(_) => continue,
        };
        if path != folder.join(KEY) && !facts.is_dir() {
            found.push(Entry { path, bytes: facts.len(), used: facts.modified()? });
        }
    }
    Ok(found)
}

const KEY: &str = "key";

/// The key, if no other account can have read or written it.
fn private_key(folder: &Path) -> io::Result<Option<[u8; 32]>> {
    let us = rustix::process::geteuid().as_raw();
    let about = fs::symlink_metadata(folder)?;
    let ours = about.is_dir() && about.uid() == us && about.mode() & 0o022 == 0;
    let path = folder.join(KEY);
    let facts = match fs::symlink_metadata(&path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let private = facts.is_file() && facts.uid() == us && facts.mode() & 0o077 == 0 && facts.len() == 32;
    match ours && private {
        true => Ok(fs::read(&path)?.try_into().ok()),
        false => Ok(None),
    }
}

/// Deletes every file, the key among them, and closes the folder to others.
fn empty(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for file in files(folder)? {
        fs::remove_file(file.path)?;
    }
    match fs::remove_file(folder.join(KEY)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the key. If two processes do so at the same time, the later one uses the earlier one's key.
fn make_key(folder: &Path) -> io::Result<[u8; 32]> {
    let key = random_bytes()?;
    let (temporary, path) = (temporary(folder, KEY)?, folder.join(KEY));
    let made = create(&temporary, &key).and_then(|()| fs::hard_link(&temporary, &path));
    let _ = fs::remove_file(&temporary);
    match made {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => private_key(folder)?.ok_or(error),
        Err(error) => Err(error),
    }
}

/// Replaces a file atomically. Not synced: the seal of a file that a crash leaves half written does not open.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = temporary(folder, &name)?;
    let written = create(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    written.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn temporary(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let random = Digest::from_bytes(random_bytes()?).to_string();
    Ok(folder.join(format!("{name}.{}.new", &random[..16])))
}

fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)
}

/// Fresh random bytes from the system.
fn random_bytes() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files but the key, and their bytes.
    fn content(folder: &Path) -> (usize, u64) {
        let files = files(folder).unwrap();
        (files.len(), files.iter().map(|file| file.bytes).sum())
    }

    #[test]
    fn small_files_stay_within_the_bound_and_its_slack() {
        let folder = tempfile::TempDir::new().unwrap();
        let (bound, config) = (64_000, Digest::of(b""));
        let cache = Cache::open(folder.path(), bound).unwrap();
        for number in 0..300_u32 {
            let component = Digest::of(&number.to_be_bytes());
            let label = Label { runtime: "prepared", config: &config, component: &component };
            cache.keep_prepared(label, &[0; 400]);
            let (files, bytes) = content(folder.path());
            assert!(bytes <= bound + bound / SLACK, "{bytes} bytes in {files} files");
        }
        let (files, bytes) = content(folder.path());
        assert!(bytes > bound / 2, "{bytes} bytes in {files} files");
        // Files that another process has written count as soon as this process has written its share.
        fs::write(folder.path().join("other.cwasm"), [0; 70_000]).unwrap();
        for number in 300..305_u32 {
            let component = Digest::of(&number.to_be_bytes());
            let label = Label { runtime: "prepared", config: &config, component: &component };
            cache.keep_prepared(label, &[0; 400]);
        }
        assert!(content(folder.path()).1 <= bound + bound / SLACK);
    }
}
