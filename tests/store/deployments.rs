//! Deployments are rows; the published files follow them.

use crate::support::{self, deployments, formats};
use engine::Host;
use engine::capability::Deployment;
use receipt::{Decision, Digest};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Deploys with the demo workflow, and closes the host: all files are published by then.
fn deployed(folder: &Path) -> Deployment {
    let host = Host::builder(folder).open().unwrap();
    let key = support::start(&host, "tenant-workflow", "{}");
    support::finish(&host, &key, Decision::Approved);
    drop(host);
    deployments(folder).pop().unwrap()
}

fn served(folder: &Path, deployment: &Deployment) -> PathBuf {
    let name = format!("{}.json", Digest::of(deployment.resource.as_bytes()));
    folder.join("deployments/current").join(deployment.tenant.as_str()).join(name)
}

fn read(path: &Path) -> Deployment {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn what_a_resource_serves_is_a_file_that_follows_the_rows() {
    let folder = TempDir::new().unwrap();
    let first = deployed(folder.path());
    let file = served(folder.path(), &first);
    assert_eq!(read(&file), first);
    let second = deployed(folder.path());
    assert_eq!(read(&file), second);
    assert_eq!(deployments(folder.path()), [first.clone(), second.clone()]);
    let artifact = folder.path().join(&second.location);
    assert_eq!(Digest::of(&fs::read(artifact).unwrap()), second.artifact_sha256);
    assert_eq!(first.location, second.location, "the same bytes are kept once");
}

#[test]
fn files_that_do_not_fit_the_rows_are_repaired_at_start() {
    let folder = TempDir::new().unwrap();
    let deployment = deployed(folder.path());
    let file = served(folder.path(), &deployment);
    let stale = file.with_file_name("stale.json");
    fs::write(&file, "torn").unwrap();
    fs::write(&stale, "of a resource that serves nothing").unwrap();
    drop(Host::builder(folder.path()).open().unwrap());
    assert_eq!(read(&file), deployment);
    assert!(!stale.exists());
    fs::remove_dir_all(folder.path().join("deployments/current")).unwrap();
    drop(Host::builder(folder.path()).open().unwrap());
    assert_eq!(read(&file), deployment);
}

#[test]
fn a_file_that_cannot_be_published_is_said_and_follows_later() {
    let folder = TempDir::new().unwrap();
    let guest = support::guest_path("tenant-workflow").display().to_string();
    let run = || support::cli::run(folder.path(), &["run", &guest]);
    assert_eq!(run().code, Some(0));
    let current = folder.path().join("deployments/current");
    fs::remove_dir_all(&current).unwrap();
    fs::write(&current, "in the way").unwrap();
    let second = run();
    assert_eq!(second.code, Some(0), "the deployment is on record: {}", second.stderr);
    assert!(second.stderr.contains("cannot publish what resources serve to"), "{}", second.stderr);
    fs::remove_file(&current).unwrap();
    drop(Host::builder(folder.path()).open().unwrap());
    let [_, last] = deployments(folder.path()).try_into().unwrap();
    assert_eq!(read(&served(folder.path(), &last)), last);
}

/// Takes a folder back to format 8, which kept deployments as files: the folder of their records.
fn as_format_8(folder: &Path) -> PathBuf {
    formats::take_back(folder, 8);
    let records = folder.join("deployments/records");
    fs::create_dir(&records).unwrap();
    records
}

#[test]
fn what_format_8_kept_as_files_becomes_rows_once() {
    let folder = TempDir::new().unwrap();
    let first = deployed(folder.path());
    let second = deployed(folder.path());
    let records = as_format_8(folder.path());
    // The second was cut between the pointer and its record.
    fs::write(records.join("one.json"), serde_json::to_vec(&first).unwrap()).unwrap();
    fs::write(served(folder.path(), &second), serde_json::to_vec(&second).unwrap()).unwrap();

    let both = [first.clone(), second.clone()];
    assert_eq!(deployments(folder.path()), both, "a folder that is only read is read in the newest format");
    assert!(records.exists());
    let host = Host::builder(folder.path()).open().unwrap();
    assert_eq!(deployments(folder.path()), both);
    let live = host.store().live_deployment(&second.tenant, &second.resource).wait().unwrap();
    assert_eq!(live, Some(second));
    assert!(!records.exists(), "one truth is left");
}

#[test]
fn a_damaged_record_of_format_8_is_named_and_nothing_is_changed() {
    let folder = TempDir::new().unwrap();
    let deployment = deployed(folder.path());
    let records = as_format_8(folder.path());
    fs::write(records.join("one.json"), "{").unwrap();
    let Err(error) = Host::builder(folder.path()).open() else { panic!("opened") };
    assert!(error.to_string().contains("records/one.json"), "{error}");
    fs::write(records.join("one.json"), serde_json::to_vec(&deployment).unwrap()).unwrap();
    drop(Host::builder(folder.path()).open().unwrap());
    assert_eq!(deployments(folder.path()), [deployment]);
}
