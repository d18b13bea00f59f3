//! Publishes each resource's live deployment as a file, for programs that serve it: written after the rows of the
//! store, and repaired at start.
//!
//! ```text
//! deployments/current/<tenant>/<sha256 of the resource>.json    the live deployment
//! deployments/current/published                                 up to which row all of them are on disk
//! ```
//!
//! The rows are authoritative. A file lags behind its row by milliseconds; after a crash, the files since the last
//! recorded place are written again. If the folder does not match the rows, as after a restored backup, all files
//! are written and the others are removed.

use crate::capability::Artifacts;
use receipt::Digest;
use rustix::fs::syncfs;
use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use store::{
    Deployment, DeploymentFilter, DeploymentPage, FolderError, RecordedDeployment, Store, StoreError, files,
};

/// The number of rows that one read returns.
const PAGE: u32 = 256;

/// Rows that failed before and are tried again with each read of the next rows.
const RETRIES: usize = 64;

/// Pages that are published before the thread ends; the next start continues from there.
const LAST_PAGES: usize = 16;

/// The pause between two reads of the rows, so that many deployments need few reads.
const PAUSE: Duration = Duration::from_millis(20);

/// The place is recorded after this many rows: each time costs a synchronisation of the file system, and a start
/// compares at most this many files.
const RECORD_EVERY: u64 = 4_096;

/// After a failure, the thread tries again this much later.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The mode of published files: readable by other accounts, if the folder above lets them in.
const FILE: u32 = 0o644;

/// Called with what keeps files from being published or removed, in words of one line.
pub(crate) type BackgroundErrorHandler = Arc<dyn Fn(&str) + Send + Sync>;

/// The publishing thread's handle. Dropping it publishes the remaining rows, within bounds, and ends the thread.
pub(crate) struct Publisher {
    wake: Option<SyncSender<()>>,
    is_closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Starts the thread, which first publishes the rows that an earlier process left.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        deployments: &Path,
        artifacts: Arc<Artifacts>,
        on_error: BackgroundErrorHandler,
    ) -> Result<Self, StoreError> {
        let (wake, woken) = sync_channel(1);
        let folder = deployments.join("current");
        let is_closing = Arc::default();
        let mut publishing = Publishing {
            store,
            folder: folder.clone(),
            artifacts,
            on_error,
            is_closing: Arc::clone(&is_closing),
            state: None,
        };
        let thread = thread::Builder::new()
            .name("pp-host-publisher".to_owned())
            .spawn(move || publishing.run(&woken))
            .map_err(|error| StoreError::from(FolderError::Unusable { path: folder, error }))?;
        Ok(Self { wake: Some(wake), is_closing, thread: Some(thread) })
    }

    /// Tells the thread that there is a new row.
    pub(crate) fn wake(&self) {
        if let Some(wake) = &self.wake {
            // A full channel holds a wake-up already.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.is_closing.store(true, Ordering::Release);
        self.wake.take();
        if let Some(thread) = self.thread.take() {
            // Rows that a panic left unpublished are published at the next start.
            let _ = thread.join();
        }
    }
}

struct Publishing {
    store: Arc<dyn Store>,
    folder: PathBuf,
    artifacts: Arc<Artifacts>,
    on_error: BackgroundErrorHandler,
    /// Whether the host waits for the end of the thread. Then a row that fails is the last one.
    is_closing: Arc<AtomicBool>,
    /// `None` until the files have been compared with the rows.
    state: Option<PublishState>,
}

/// The progress of the files.
#[derive(Default)]
struct PublishState {
    /// The last row that was read.
    last: PublishedRow,
    /// The last row that is published with all before it.
    whole: PublishedRow,
    /// The rows between these two that failed. What they lack may be missing for good: they are tried again, and no other row is read for them.
    failed: BTreeSet<u64>,
    /// The first of them to try next.
    next_retry: u64,
    /// The last row up to which all files are on disk.
    recorded: u64,
}

/// A row, by its place and its id: after a restored backup another row may have the place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct PublishedRow {
    place: u64,
    id: String,
}

/// Why files cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    File(#[from] io::Error),
}

impl Publishing {
    fn run(&mut self, woken: &Receiver<()>) {
        let mut next = Ok(());
        loop {
            let is_over = next == Err(RecvTimeoutError::Disconnected);
            let published = self.publish(if is_over { LAST_PAGES } else { usize::MAX });
            if let Err(error) = &published {
                let folder = self.folder.display();
                (self.on_error)(&format!(
                    "cannot publish what resources serve to {folder}: {error} (deployments are on record; the files follow)"
                ));
            }
            if is_over {
                return;
            }
            let woken_meanwhile = woken.recv_timeout(PAUSE);
            next = match (woken_meanwhile, published) {
                (Err(RecvTimeoutError::Timeout), Ok(())) => woken.recv().map_err(RecvTimeoutError::from),
                (Err(RecvTimeoutError::Timeout), Err(_)) => woken.recv_timeout(RETRY_AFTER),
                (woken_meanwhile, _) => woken_meanwhile,
            };
        }
    }

    /// Publishes the next rows, and those that failed before.
    fn publish(&mut self, pages: usize) -> Result<(), PublishError> {
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.compare()?,
        };
        let passed = self.retry(&mut state).and_then(|retried| {
            let passed = self.pass(&mut state, pages, drop)?;
            retried.and(passed)
        });
        let state = self.state.insert(state);
        passed?;
        match state.whole.place >= state.recorded + RECORD_EVERY {
            true => Ok(self.record()?),
            false => Ok(()),
        }
    }

    /// Publishes what failed before. The inner result is the first failure; the outer result, why the pass stopped.
    fn retry(&self, state: &mut PublishState) -> Result<Result<(), PublishError>, PublishError> {
        let mut passed = Ok(());
        let from = state.next_retry;
        let in_turn = state.failed.range(from..).chain(state.failed.range(..from));
        for place in in_turn.copied().take(RETRIES).collect::<Vec<_>>() {
            state.next_retry = place + 1;
            let after = place.saturating_sub(1);
            // A resource that serves another deployment by now has another row.
            let row = live(&*self.store, after, 1)?.pop().filter(|row| row.place == place);
            match row.map_or(Ok(()), |row| self.publish_one(&row)) {
                Ok(()) => drop(state.failed.remove(&place)),
                Err(error) => passed = passed.and(Err(error)),
            }
            if passed.is_err() && self.is_closing.load(Ordering::Acquire) {
                break;
            }
        }
        state.settle();
        Ok(passed)
    }

    fn publish_one(&self, row: &RecordedDeployment) -> Result<(), PublishError> {
        self.artifacts.fetch(row.deployment.artifact_sha256)?;
        Ok(write(&self.folder, &row.deployment)?)
    }

    /// Publishes the rows after the last one, and calls `named` with each row's file. A row that fails does not block the
    /// rows after it. The inner result is the first failure; the outer result, why the pass stopped.
    fn pass(
        &self,
        state: &mut PublishState,
        pages: usize,
        mut named: impl FnMut(PathBuf),
    ) -> Result<Result<(), PublishError>, PublishError> {
        let mut passed = Ok(());
        for _ in 0..pages {
            let page = live(&*self.store, state.last.place, PAGE)?;
            for row in &page {
                named(file(&self.folder, &row.deployment));
                let published = self.publish_one(row);
                if published.is_err() && self.is_closing.load(Ordering::Acquire) {
                    return Ok(passed.and(published));
                }
                if published.is_err() {
                    state.failed.insert(row.place);
                }
                state.last = PublishedRow::of(row);
                state.settle();
                passed = passed.and(published);
            }
            if page.len() < PAGE as usize {
                break;
            }
        }
        Ok(passed)
    }

    /// Finds the place up to which the files match the rows. If they belong to other rows, all of them are written
    /// again.
    fn compare(&self) -> Result<PublishState, PublishError> {
        let recorded = PublishedRow::read(&self.folder.join("published"));
        let row = match recorded.place.checked_sub(1) {
            Some(before) => self
                .store
                .deployments(DeploymentPage { after: before, limit: 1, filter: DeploymentFilter::All })
                .wait()?,
            None => Vec::new(),
        };
        if row.first().map(PublishedRow::of).is_some_and(|place| place == recorded) {
            let (whole, last) = (recorded.clone(), recorded.clone());
            return Ok(PublishState { last, whole, recorded: recorded.place, ..PublishState::default() });
        }
        let mut state = PublishState::default();
        self.repair(&mut state)?;
        Ok(state)
    }

    /// Writes every file, and removes the files of resources that serve nothing. What fails is tried again with the next rows.
    fn repair(&self, state: &mut PublishState) -> Result<(), PublishError> {
        let mut named = HashSet::new();
        let _ = self.pass(state, usize::MAX, |file| {
            named.insert(file);
        })?;
        for tenant in folders(&self.folder)? {
            for file in fs::read_dir(tenant)? {
                let path = file?.path();
                if !named.contains(&path) {
                    files::remove(&path)?;
                }
            }
        }
        Ok(())
    }

    /// Records up to where all files are on disk.
    fn record(&mut self) -> io::Result<()> {
        let Some(state) = &mut self.state else { return Ok(()) };
        files::count_synchronisation();
        syncfs(File::open(&self.folder)?)?;
        let PublishedRow { place, id } = &state.whole;
        files::replace(&self.folder.join("published"), format!("{place} {id}\n").as_bytes(), FILE)?;
        state.recorded = *place;
        Ok(())
    }
}

impl PublishState {
    /// Where nothing is left to try again, all rows that were read are published.
    fn settle(&mut self) {
        if self.failed.is_empty() {
            self.whole.clone_from(&self.last);
        }
    }
}

impl PublishedRow {
    fn of(row: &RecordedDeployment) -> Self {
        Self { place: row.place, id: row.deployment.id.clone() }
    }

    /// The recorded place; the beginning if no readable one is recorded.
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let (place, id) = text.trim().split_once(' ').unwrap_or_default();
        place.parse().map_or_else(|_| Self::default(), |place| Self { place, id: id.to_owned() })
    }
}

/// The first live deployments after a place.
fn live(store: &dyn Store, after: u64, limit: u32) -> Result<Vec<RecordedDeployment>, StoreError> {
    store.deployments(DeploymentPage { after, limit, filter: DeploymentFilter::Live }).wait()
}

/// Writes a file atomically, unless it exists. The system writes it to disk later.
fn write(folder: &Path, deployment: &Deployment) -> io::Result<()> {
    files::make_folder(&folder.join(deployment.tenant.as_str()))?;
    let path = file(folder, deployment);
    let (temporary, json) = (path.with_extension("new"), serde_json::to_vec_pretty(deployment)?);
    if fs::read(&path).is_ok_and(|found| found == json) {
        return Ok(());
    }
    let mut file = File::options().write(true).create(true).truncate(true).mode(FILE).open(&temporary)?;
    io::Write::write_all(&mut file, &json)?;
    fs::rename(&temporary, &path)
}

/// The file of a deployment's resource. A resource's name may be longer than a file's and have any character: its digest names the file.
fn file(folder: &Path, deployment: &Deployment) -> PathBuf {
    folder
        .join(deployment.tenant.as_str())
        .join(format!("{}.json", Digest::of(deployment.resource.as_bytes())))
}

/// The artifacts that the files name. A program that serves them reads a file first, and the artifact then.
pub(crate) fn published(deployments: &Path) -> io::Result<HashSet<Digest>> {
    let mut named = HashSet::new();
    for tenant in folders(&deployments.join("current"))? {
        for file in fs::read_dir(tenant)? {
            let read = fs::read(file?.path());
            let deployment = read.ok().and_then(|json| serde_json::from_slice::<Deployment>(&json).ok());
            named.extend(deployment.map(|deployment| deployment.artifact_sha256));
        }
    }
    Ok(named)
}

fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
}
