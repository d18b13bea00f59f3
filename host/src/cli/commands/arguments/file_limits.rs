//! The limits by which files are read: a longer file is not read to its end.

use crate::cli::options::data_dir::Data;
use crate::cli::options::limit::LimitArgs;
use crate::cli::session;
use anyhow::{Context as _, bail};
use engine::limits::Limits;
use sandbox::LoadError;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;
use workflow::TenantId;

/// The most that is read for a host whose limits are its own: some times the defaults. That host judges by its limits.
const COMPONENT_ELSEWHERE: usize = 256 << 20;
const TEXT_ELSEWHERE: usize = 8 << 20;

/// The most that is read of a file of settings.
const SETTINGS: usize = 4 << 20;

/// The limits of the host that takes the files' content.
pub(crate) struct FileLimits {
    limits: Limits,
    /// Whether these are that host's own limits, and not only an upper bound for such hosts.
    are_known: bool,
}

impl FileLimits {
    /// The limits of a host in this process.
    pub(crate) fn here(data: &Data, limits: &LimitArgs, tenant: &TenantId) -> anyhow::Result<Self> {
        Ok(Self { limits: limits.settings(data)?.of(tenant), are_known: true })
    }

    /// The limits of the host that has the folder, which may be in another process with a command line of its own.
    pub(crate) fn of_the_owner(data: &Data, tenant: &TenantId) -> anyhow::Result<Self> {
        if session::works_elsewhere(data) {
            return Ok(Self::elsewhere(data));
        }
        Self::here(data, &LimitArgs::default(), tenant)
    }

    /// The largest of this folder's settings, and no less than other hosts usually take.
    pub(crate) fn elsewhere(data: &Data) -> Self {
        let settings = LimitArgs::default().settings(data).unwrap_or_default();
        let mut limits = settings.largest();
        limits.sandbox.component_bytes = limits.sandbox.component_bytes.max(COMPONENT_ELSEWHERE);
        limits.workflow.result_bytes = limits.workflow.result_bytes.max(TEXT_ELSEWHERE);
        limits.workflow.event_bytes = limits.workflow.event_bytes.max(TEXT_ELSEWHERE);
        Self { limits, are_known: false }
    }

    /// The largest of all tenants'.
    pub(crate) fn largest(data: &Data, limits: &LimitArgs) -> anyhow::Result<Self> {
        Ok(Self { limits: limits.settings(data)?.largest(), are_known: true })
    }

    /// The limits.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A component, or a module of the bundle that has this many bytes already.
    pub(crate) fn code(&self, path: &Path, before: usize) -> anyhow::Result<Vec<u8>> {
        let limit = self.limits.sandbox.component_bytes;
        match read(path, limit.saturating_sub(before)) {
            Ok(Content::Whole(bytes)) => Ok(bytes),
            Ok(Content::Longer(_)) if !self.are_known => {
                bail!("{} is longer than the {limit} bytes of a workflow that are read", path.display())
            }
            Ok(Content::Longer(length)) => {
                let too_large = LoadError::TooLarge { bytes: before.saturating_add(length), limit };
                Err(too_large).with_context(|| path.display().to_string())
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }
}

/// A file's content, or the length of a file that is longer than allowed.
enum Content {
    Whole(Vec<u8>),
    Longer(usize),
}

/// Reads a file up to the limit. For a pipe or device, whose length is unknown, reading one byte beyond the limit shows
/// that the content is too long.
fn read(path: &Path, most: usize) -> io::Result<Content> {
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length > most {
        return Ok(Content::Longer(length));
    }
    let mut bytes = Vec::new();
    file.take((most as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(if bytes.len() > most { Content::Longer(bytes.len()) } else { Content::Whole(bytes) })
}

/// The text of a file of at most that many bytes, which is the value of a limit.
pub(super) fn text(path: &Path, what: &str, most: usize, limit: &str) -> anyhow::Result<String> {
    let bytes = match read(path, most)
        .with_context(|| format!("cannot read {what} from {}", path.display()))?
    {
        Content::Whole(bytes) => bytes,
        Content::Longer(_) => bail!(
            "{what} in {} are longer than limit {limit}, {most} bytes (an operator raises it with --limit {limit}=N, or permanently in pp-host.toml)",
            path.display()
        ),
    };
    String::from_utf8(bytes).with_context(|| format!("cannot read {what} from {}", path.display()))
}

/// The text of a file of settings or of an envelope, which has a few kilobytes.
pub(crate) fn settings(path: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read {}", path.display());
    match read(path, SETTINGS).with_context(cannot)? {
        Content::Whole(bytes) => String::from_utf8(bytes).with_context(cannot),
        Content::Longer(_) => bail!("{}: longer than the {SETTINGS} bytes that are read", cannot()),
    }
}
