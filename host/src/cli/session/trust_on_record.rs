//! The deciders of a folder, as recorded.

use crate::cli::options::data_dir::Data;
use crate::cli::output::{complain, hint};
use engine::trust::Trust;
use std::io::Write;
use store::{FolderError, StoreError};
use workflow::TenantId;

/// An empty set of deciders, if the folder does not exist yet.
pub(crate) fn none_yet(error: anyhow::Error) -> anyhow::Result<Trust> {
    match error.downcast_ref() {
        Some(StoreError::Folder(FolderError::NoData(_))) => Ok(Trust::default()),
        _ => Err(error),
    }
}

/// The deciders, as last recorded.
pub(crate) fn read(data: &Data) -> anyhow::Result<Trust> {
    let (_folder, store) = data.read()?;
    let mut trust = Trust::default();
    trust.extend(&store.acts(0).wait()?)?;
    Ok(trust)
}

/// Prints on standard error the freezes in force, of these tenants or of all.
pub(crate) fn print_freezes(data: &Data, trust: &Trust, concerns: impl Fn(&TenantId) -> bool) {
    let concerned = trust.freezes().filter(|freeze| freeze.tenant.as_ref().is_none_or(&concerns));
    concerned.for_each(|freeze| complain(&hint::complete(data, &freeze.to_string())));
}

/// Prints the change that the first decider makes.
pub(crate) fn tell_of_the_first(out: &mut impl Write) -> anyhow::Result<()> {
    Ok(writeln!(out, "from now on people decide here: demo decisions and demo receipts no longer count")?)
}
