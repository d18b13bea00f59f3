//! The engines that bundles run on.
//!
//! An instance keeps the code that it was started with, and the engine is part of a bundle's code. So an engine has to
//! be available as long as instances need it: this program contains its own engines, and each engine that a data folder
//! has used is stored there.

use crate::bundle::EngineId;
use receipt::Digest;
use std::borrow::Cow;
use std::fs;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::LazyLock;

/// The JavaScript engines that this program contains, newest last. Built by guests/js-engine/build.sh.
const BROUGHT: [&[u8]; 2] = [
    include_bytes!("../../../../guests/js-engine/prebuilt/engine.wasm"),
    include_bytes!("../../../../guests/js-engine/prebuilt/prepare.wasm"),
];

static DIGESTS: LazyLock<[Digest; 2]> = LazyLock::new(|| BROUGHT.map(Digest::of));

/// The engine for new bundles.
#[must_use]
pub fn current_engine() -> EngineId {
    let [engine, prepare] = *DIGESTS;
    EngineId { engine, prepare }
}

/// The sources of engines.
#[derive(Debug, Default)]
pub(crate) struct Engines {
    folder: Option<PathBuf>,
}

impl Engines {
    /// The engines of this program, and those that are stored in a folder.
    pub(crate) fn kept_in(folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()) }
    }

    /// The component of that digest. A file in the folder counts only if its bytes have the digest.
    pub(crate) fn find(&self, digest: &Digest) -> Option<Cow<'static, [u8]>> {
        if let Some(place) = DIGESTS.iter().position(|brought| brought == digest) {
            return BROUGHT.get(place).map(|bytes| Cow::Borrowed(*bytes));
        }
        let bytes = fs::read(self.path(digest)?).ok()?;
        (Digest::of(&bytes) == *digest).then_some(Cow::Owned(bytes))
    }

    /// Keeps an engine for later versions of this program, which may contain another. A damaged file is replaced.
    pub(crate) fn keep(&self, digest: &Digest, bytes: &[u8]) -> std::io::Result<()> {
        let Some(path) = self.path(digest) else { return Ok(()) };
        if fs::read(&path).is_ok_and(|kept| Digest::of(&kept) == *digest) {
            return Ok(());
        }
        let Some(folder) = path.parent() else { return Ok(()) };
        fs::create_dir_all(folder)?;
        let temporary = folder.join(format!("{digest}.{}.new", std::process::id()));
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, &path)?;
        File::open(folder)?.sync_all()
    }

    fn path(&self, digest: &Digest) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(format!("{digest}.wasm")))
    }
}
