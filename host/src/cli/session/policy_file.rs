//! The policy in a data folder: its file, in either language.

use crate::cli::options::data_dir::Data;
use crate::cli::options::limit::is_absent;
use anyhow::{Context as _, bail};
use std::io;
use std::path::{Path, PathBuf};

/// The policy's file in the data folder, in each of the languages.
const FILES: [&str; 2] = ["policy.toml", "policy.cedar"];

/// The policy of the data folder, if it has one.
pub(crate) fn load(data: &Data) -> anyhow::Result<Option<Box<dyn policy::Policy>>> {
    // The file's owner and mode are checked: an account that can write to the file decides what is allowed.
    find(data)?.map(|file| parse(&file, store::ownership::read_to_string(&file))).transpose()
}

/// The file of the policy, if it exists. A file that cannot be inspected, or a link without a target, counts as
/// present: without a policy, one person could approve what the policy denies.
pub(crate) fn find(data: &Data) -> anyhow::Result<Option<PathBuf>> {
    let files = FILES.iter().map(|name| data.path.join(name)).filter(|file| !is_absent(file));
    let files: Vec<_> = files.collect();
    match files.as_slice() {
        [] => Ok(None),
        [file] => Ok(Some(file.clone())),
        _ => bail!("there are both {} and {} in {data}: keep one and remove the other", FILES[0], FILES[1]),
    }
}

pub(crate) fn parse(file: &Path, text: io::Result<String>) -> anyhow::Result<Box<dyn policy::Policy>> {
    let text = text.with_context(|| format!("cannot read the policy {}", file.display()))?;
    let wrong = || format!("the policy {} cannot be used", file.display());
    match file.extension().is_some_and(|extension| extension == "cedar") {
        true => cedar(&text).with_context(wrong),
        false => Ok(Box::new(policy::Toml::parse(&text).with_context(wrong)?)),
    }
}

#[cfg(feature = "cedar")]
fn cedar(text: &str) -> anyhow::Result<Box<dyn policy::Policy>> {
    Ok(Box::new(policy::Cedar::parse(text)?))
}

#[cfg(not(feature = "cedar"))]
fn cedar(_: &str) -> anyhow::Result<Box<dyn policy::Policy>> {
    bail!("this pp-host was built without Cedar: build it with --features cedar, or write the policy in TOML")
}
