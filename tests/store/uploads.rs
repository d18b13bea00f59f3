//! Uploads that change at the same time, and uploads whose files are damaged.

use crate::support;
use crate::support::compiled;
use engine::api::Principal;
use engine::{Builder, Error, Host};
use receipt::Digest;
use std::fs;
use std::path::PathBuf;
use std::sync::Barrier;
use store::{Quotas, StoreError};
use tempfile::TempDir;
use workflow::TenantId;

struct Uploads {
    folder: TempDir,
    host: Host,
    tenant: TenantId,
}

impl Uploads {
    fn with(settings: impl FnOnce(Builder) -> Builder) -> Self {
        let folder = TempDir::new().unwrap();
        compiled::put_guests(folder.path());
        let host = settings(Host::builder(folder.path())).open().unwrap();
        Self { folder, host, tenant: "acme".parse().unwrap() }
    }

    fn upload(&self, component: &[u8]) -> Result<Digest, Error> {
        let uploaded = self.host.upload_as(&Principal::own(), &self.tenant, component);
        uploaded.map(|inspection| inspection.digest)
    }

    fn forget(&self, digest: &Digest) -> Result<(), Error> {
        self.host.forget_upload_as(&Principal::own(), &self.tenant, digest)
    }

    fn content(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let uploaded = self.host.uploaded_as(&Principal::own(), &self.tenant, digest);
        uploaded.map(|component| component.bytes().to_vec())
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.path().join("uploads/acme").join(digest.to_string())
    }
}

/// Runs both at once, and returns both results.
fn together<T: Send>(one: impl FnOnce() -> T + Send, other: impl FnOnce() -> T + Send) -> (T, T) {
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            barrier.wait();
            one()
        });
        barrier.wait();
        let second = other();
        (first.join().unwrap(), second)
    })
}

#[test]
fn equal_uploads_at_once_are_one_whole_upload() {
    let (uploads, component) = (Uploads::with(|builder| builder), support::guest("tenant-workflow"));
    for _ in 0..50 {
        let upload = || uploads.upload(&component).unwrap();
        let (digest, same) = together(upload, upload);
        assert_eq!((digest, uploads.content(&digest).unwrap().len()), (same, component.len()));
        uploads.forget(&digest).unwrap();
        assert!(matches!(uploads.content(&digest), Err(Error::NoWorkflow(..))));
    }
}

#[test]
fn a_damaged_upload_is_repaired_by_the_same_upload_and_can_be_deleted() {
    let component = support::guest("tenant-workflow");
    // There is no room for a second upload of this size.
    let stored_bytes = component.len() as u64;
    let uploads = Uploads::with(|builder| builder.quotas(Quotas { stored_bytes, ..Quotas::default() }));
    let digest = uploads.upload(&component).unwrap();
    for damaged in [&component[..component.len() / 2], &vec![0; component.len()]] {
        fs::write(uploads.path(&digest), damaged).unwrap();
        assert!(matches!(uploads.content(&digest), Err(Error::Store(StoreError::Damaged(_)))));
        uploads.upload(&component).unwrap();
        assert_eq!(uploads.content(&digest).unwrap(), component);
    }
    fs::write(uploads.path(&digest), b"").unwrap();
    uploads.forget(&digest).unwrap();
    assert!(matches!(uploads.forget(&digest), Err(Error::NoWorkflow(..))));
}

#[test]
fn uploads_at_once_do_not_exceed_what_may_be_kept() {
    let (one, mut other) = (support::guest("tenant-workflow"), support::guest("tenant-workflow"));
    // A custom section makes another component of the same code.
    other.extend([0, 3, 1, b'v', 1]);
    let stored_bytes = other.len() as u64;
    let uploads = Uploads::with(|builder| builder.quotas(Quotas { stored_bytes, ..Quotas::default() }));
    uploads.host.load(other.clone()).unwrap();
    for _ in 0..50 {
        let (first, second) = together(|| uploads.upload(&one), || uploads.upload(&other));
        match (first, second) {
            (Ok(kept), Err(Error::Store(StoreError::Quota(over))))
            | (Err(Error::Store(StoreError::Quota(over))), Ok(kept)) => {
                assert_eq!(over.name, "stored-bytes");
                uploads.forget(&kept).unwrap();
            }
            both => panic!("{both:?}"),
        }
    }
}
