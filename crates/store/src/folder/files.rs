//! Files that are written atomically and durably.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, io};

/// Disk synchronisations that this process has requested, through this module and [`count_synchronisation`].
static SYNCHRONISATIONS: AtomicU64 = AtomicU64::new(0);

/// The number of bytes that are compared at a time.
const CHUNK: usize = 64 << 10;

/// The number of disk synchronisations that this process has requested. For measurements.
#[must_use]
pub fn synchronisations() -> u64 {
    SYNCHRONISATIONS.load(Ordering::Relaxed)
}

/// Counts a synchronisation that the caller has requested by other means.
pub fn count_synchronisation() {
    SYNCHRONISATIONS.fetch_add(1, Ordering::Relaxed);
}

/// Replaces a file atomically: the bytes are on disk before the name, and the name before this returns. Two callers
/// must not replace one path at the same time: both write the same temporary file.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    make_folder(folder)?;
    let temporary = path.with_extension("new");
    remove(&temporary)?;
    let mut file = File::options().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(content)?;
    count_synchronisation();
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync(folder)
}

/// Whether a file exists and has exactly these bytes.
pub fn has_bytes(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    if file.metadata()?.len() != bytes.len() as u64 {
        return Ok(false);
    }
    let mut buffer = vec![0; CHUNK.min(bytes.len())];
    for expected in bytes.chunks(CHUNK) {
        let Some(read) = buffer.get_mut(..expected.len()) else { return Ok(false) };
        file.read_exact(read)?;
        if read != expected {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes a file, if it exists.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

/// Makes a folder, for its owner only, and those above it that are missing. Each name is on disk before this returns.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    make_folder(parent)?;
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync(parent),
    }
}

/// Has a folder's names on disk.
pub fn sync(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    count_synchronisation();
    File::open(folder)?.sync_all()
}
