//! Workflows that a tenant has uploaded: by content, in a folder of the tenant's own.
//!
//! An upload is refused when the tenant's uploads and stored data together would exceed `stored-bytes`. The growth of
//! instances does not count uploads. An instance stores its component in the journal, so a backup of
//! the journal is complete without the uploads.

use crate::access::{About, Principal, Right};
use crate::api::guard::check;
use crate::instances::ComponentBytes;
use crate::{Error, Host};
use receipt::Digest;
use sandbox::Inspection;
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};
use std::{fs, io};
use store::{FolderError, Medium, StoreError, Usage, files};
use workflow::TenantId;

/// The folder's name in the data folder.
const FOLDER: &str = "uploads";

/// The most uploads of a tenant. A program with more uploads each time instead of referring to its upload.
const MOST: u64 = 1_000;

impl Host {
    /// Stores a workflow for a tenant, and returns its description. Uploading the same bytes again has the same result.
    ///
    /// # Errors
    /// The principal has no right to upload, the bytes are not a workflow, or there is no room for it.
    pub fn upload_as(
        &self,
        principal: &Principal,
        tenant: &TenantId,
        component: &[u8],
    ) -> Result<Inspection, Error> {
        check(&*self.0.journals.store, principal, Right::Submit, About::Tenant(tenant))?;
        let inspection = self.inspect_for(tenant, component)?;
        let usage = self.0.journals.store.usage(tenant).wait()?;
        self.keep_upload(tenant, (&inspection.digest, component), usage).map(|()| inspection)
    }

    /// Stores an upload unless its file has these bytes. A damaged file is replaced, and so it is not counted.
    fn keep_upload(
        &self,
        tenant: &TenantId,
        (digest, component): (&Digest, &[u8]),
        usage: Usage,
    ) -> Result<(), Error> {
        let _alone = self.change_uploads();
        let path = self.place_of(tenant, digest);
        if files::has_bytes(&path, component).map_err(|error| failed(&path, error))? {
            return Ok(());
        }
        let mut kept = self.uploads(tenant)?;
        kept.retain(|(other, _)| other != digest);
        let stored_bytes = usage.stored_bytes + kept.iter().map(|(_, bytes)| bytes).sum::<u64>();
        let growth = Usage { stored_bytes: component.len() as u64, ..Usage::default() };
        let quotas = self.limits(tenant).quotas;
        quotas.check(tenant, &Usage { stored_bytes, ..usage }, &growth).map_err(StoreError::from)?;
        if kept.len() as u64 >= MOST {
            return Err(Error::TooManyUploads(tenant.clone(), MOST));
        }
        files::replace(&path, component, 0o600).map_err(|error| failed(&path, error))
    }

    /// A workflow that a tenant has uploaded.
    ///
    /// # Errors
    /// The principal has no right to create instances of the workflow, or the workflow does not exist.
    pub fn uploaded_as(
        &self,
        principal: &Principal,
        tenant: &TenantId,
        digest: &Digest,
    ) -> Result<ComponentBytes, Error> {
        check(&*self.0.journals.store, principal, Right::Submit, About::Tenant(tenant))?;
        let path = self.place_of(tenant, digest);
        match fs::read(&path).map(ComponentBytes::from) {
            Ok(component) if component.digest() == *digest => Ok(component),
            Ok(_) => Err(StoreError::Damaged(format!("{} is not what its name says", path.display())).into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::NoWorkflow(tenant.clone(), *digest))
            }
            Err(error) => Err(failed(&path, error)),
        }
    }

    /// The workflows that a tenant has uploaded, with their sizes, by their digests.
    ///
    /// # Errors
    /// The principal has no right to see the uploads, or they cannot be read.
    pub fn uploads_as(&self, principal: &Principal, tenant: &TenantId) -> Result<Vec<(Digest, u64)>, Error> {
        check(&*self.0.journals.store, principal, Right::SeeInstances, About::Tenant(tenant))?;
        self.uploads(tenant)
    }

    /// Deletes an upload, also a damaged one. Instances that were created with it continue.
    ///
    /// # Errors
    /// The principal has no right to delete the upload, or it does not exist.
    pub fn forget_upload_as(
        &self,
        principal: &Principal,
        tenant: &TenantId,
        digest: &Digest,
    ) -> Result<(), Error> {
        check(&*self.0.journals.store, principal, Right::Submit, About::Tenant(tenant))?;
        let _alone = self.change_uploads();
        let path = self.place_of(tenant, digest);
        fs::remove_file(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoWorkflow(tenant.clone(), *digest),
            _ => failed(&path, error),
        })
    }

    /// Describes a component and its imports, without running it.
    ///
    /// # Errors
    /// The workflow is larger than the tenant may have, or the bytes are not a workflow.
    pub fn inspect_for(&self, tenant: &TenantId, component: &[u8]) -> Result<Inspection, Error> {
        self.limits(tenant).sandbox.check_component(component.len())?;
        let mut inspection = self.0.programs.sandbox.inspect(component);
        match std::mem::replace(&mut inspection.verdict, Ok(())) {
            Ok(()) => Ok(inspection),
            Err(error) => Err(error.into()),
        }
    }

    /// Locks the uploads for one change at a time: a file has one writer, and the count stays valid until the upload is
    /// stored.
    fn change_uploads(&self) -> MutexGuard<'_, ()> {
        self.0.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn uploads(&self, tenant: &TenantId) -> Result<Vec<(Digest, u64)>, Error> {
        let folder = self.0.journals.folder.path().join(FOLDER).join(tenant.as_str());
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| failed(&folder, error))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failed(&folder, error))?;
            // A file that is being written has another kind of name.
            let Some(digest) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            found.push((digest, entry.metadata().map_err(|error| failed(&folder, error))?.len()));
        }
        found.sort_by_key(|(digest, _)| *digest);
        Ok(found)
    }

    fn place_of(&self, tenant: &TenantId, digest: &Digest) -> PathBuf {
        self.0.journals.folder.path().join(FOLDER).join(tenant.as_str()).join(digest.to_string())
    }
}

fn failed(path: &std::path::Path, error: io::Error) -> Error {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => StoreError::Full(Medium::Folder),
        _ => FolderError::Unusable { path: path.to_owned(), error }.into(),
    }
    .into()
}
