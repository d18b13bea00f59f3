//! The target's own record of deployments, compared with the approvals. The journal is the host's view; this is the target's.

use crate::Obstacle;
use engine::capability::Deployment;
use receipt::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{fs, io};
use store::DataFolder;
use store::{DeploymentFilter, DeploymentPage, DeploymentStore as _, FolderError, StoreError};
use store_sqlite::Sqlite;
use workflow::TenantId;

/// An action as its approver saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Approved {
    pub(super) tenant: TenantId,
    pub(super) resource: String,
    pub(super) artifact: Option<Digest>,
}

/// The deployments of one host, and the approvals that were given there.
#[derive(Debug)]
pub(super) struct Target {
    /// The data folder, which has the record of deployments.
    data: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By receipt.
    approved: BTreeMap<String, Approved>,
    /// The number of deployments that rest on each receipt.
    used: BTreeMap<String, usize>,
    /// The deployments that have been checked.
    seen: BTreeSet<String>,
}

impl Target {
    pub(super) fn new(data: PathBuf) -> Self {
        Self { data, state: Mutex::default() }
    }

    /// Notes an approval before it can be used.
    pub(super) fn approve(&self, receipt: &str, action: Approved) {
        self.state().approved.insert(receipt.to_owned(), action);
    }

    /// The number of deployments that rest on these receipts.
    pub(super) fn used<'a>(&self, receipts: impl Iterator<Item = &'a str>) -> usize {
        let state = self.state();
        let receipts: BTreeSet<_> = receipts.collect();
        receipts.into_iter().filter_map(|receipt| state.used.get(receipt)).sum()
    }

    /// The deployments since the last look that no approval covers: of something else, without a receipt, or on one that was used before.
    pub(super) fn unapproved(&self) -> Result<Vec<Deployment>, Obstacle> {
        let mut deployments = recorded(&self.data)?;
        // Files are published after the records: no file may be served that is not on record.
        for tenant in listed(&self.data.join("deployments").join("current"))? {
            for file in json_files(&tenant)? {
                deployments.push(serde_json::from_slice(&fs::read(file)?)?);
            }
        }
        Ok(self.state().unapproved(deployments))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The deployments that have not been checked and that no approval covers.
    fn unapproved(&mut self, mut deployments: Vec<Deployment>) -> Vec<Deployment> {
        deployments.retain(|deployment| self.seen.insert(deployment.id.clone()) && !self.covers(deployment));
        deployments
    }

    fn covers(&mut self, deployment: &Deployment) -> bool {
        let used = self.used.entry(deployment.receipt_id.clone()).or_default();
        *used += 1;
        let action = Approved {
            tenant: deployment.tenant.clone(),
            resource: deployment.resource.clone(),
            artifact: Some(deployment.artifact_sha256),
        };
        *used == 1 && self.approved.get(&deployment.receipt_id) == Some(&action)
    }
}

/// Every deployment on record; none where nothing was ever recorded, or the database is not a host's.
pub(super) fn recorded(data: &Path) -> Result<Vec<Deployment>, Obstacle> {
    let folder = match DataFolder::read(data) {
        Err(StoreError::Folder(FolderError::NoData(_))) => return Ok(Vec::new()),
        folder => folder?,
    };
    let store = match Sqlite::open(&folder) {
        Err(StoreError::Folder(FolderError::Foreign(_))) => return Ok(Vec::new()),
        store => store?,
    };
    let page = DeploymentPage { after: 0, limit: u32::MAX, filter: DeploymentFilter::All };
    let recorded = store.deployments(page).wait()?;
    Ok(recorded.into_iter().map(|recorded| recorded.deployment).collect())
}

fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    Ok(listed(folder)?.into_iter().filter(is_json).collect())
}

/// The entries of a folder; none where the folder does not exist.
fn listed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use receipt::Timestamp;

    fn deployment(id: &str, receipt: &str, artifact: &[u8]) -> Deployment {
        Deployment {
            id: id.to_owned(),
            tenant: "acme".parse().unwrap(),
            resource: "app".to_owned(),
            artifact: "app.js".to_owned(),
            artifact_sha256: Digest::of(artifact),
            artifact_bytes: artifact.len() as u64,
            location: String::new(),
            receipt_id: receipt.to_owned(),
            order: 1,
            approved_at: Timestamp::from_millis(0),
        }
    }

    /// The unapproved ones among these deployments, after `rcpt_1` was given for that artifact.
    fn unapproved(recorded: &[Deployment]) -> Vec<String> {
        let target = Target::new(PathBuf::new());
        let (tenant, artifact) = ("acme".parse().unwrap(), Some(Digest::of(b"good")));
        target.approve("rcpt_1", Approved { tenant, resource: "app".to_owned(), artifact });
        let found = target.state().unapproved(recorded.to_vec());
        assert!(target.state().unapproved(recorded.to_vec()).is_empty(), "each is reported once");
        found.into_iter().map(|deployment| deployment.id).collect()
    }

    #[test]
    fn what_was_approved_may_be_done_once() {
        let good = deployment("dep_1", "rcpt_1", b"good");
        assert!(unapproved(&[]).is_empty());
        assert!(unapproved(&[good.clone(), good.clone()]).is_empty());
        let again = deployment("dep_2", "rcpt_1", b"good");
        assert_eq!(unapproved(&[good, again]), ["dep_2"]);
    }

    #[test]
    fn anything_else_is_found() {
        for bad in [
            deployment("dep_1", "rcpt_2", b"good"),
            deployment("dep_1", "rcpt_1", b"other"),
            Deployment { resource: "bank".to_owned(), ..deployment("dep_1", "rcpt_1", b"good") },
            Deployment { tenant: "mallory".parse().unwrap(), ..deployment("dep_1", "rcpt_1", b"good") },
        ] {
            assert_eq!(unapproved(std::slice::from_ref(&bad)), ["dep_1"], "{bad:?}");
        }
    }
}
