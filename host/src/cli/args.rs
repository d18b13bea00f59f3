//! What a workflow is given on the command line: its component, JSON, and on whose behalf it acts.

use crate::cli::data_dir::TENANT;
use anyhow::Context as _;
use clap::Args;
use receipt::PersonId;
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use workflow::{ActorId, TenantId};

/// JSON as it stands there, or `@` and the file that has it.
#[derive(Debug, Clone)]
pub(crate) struct Json(String);

impl FromStr for Json {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl Json {
    /// The text. Whether it is JSON is for the host to say.
    pub(crate) fn text(&self, what: &str) -> anyhow::Result<String> {
        match self.0.strip_prefix('@') {
            Some(path) => fs::read_to_string(path).with_context(|| format!("cannot read {what} from {path}")),
            None => Ok(self.0.clone()),
        }
    }
}

/// A workflow, and what an instance of it is started with.
#[derive(Debug, Args)]
pub(crate) struct Workflow {
    /// The component.
    pub(crate) guest: PathBuf,

    /// The parameters: JSON, or @FILE to read them from a file.
    #[arg(long, value_name = "JSON|@FILE", default_value = "{}")]
    pub(crate) params: Json,

    /// Whom the workflow belongs to.
    #[arg(long, default_value = TENANT)]
    pub(crate) tenant: TenantId,

    /// On whose behalf it acts.
    #[arg(long, default_value = "agent:local")]
    pub(crate) actor: ActorId,

    /// The person who answers for the actor. Never decides about its requests.
    #[arg(long, value_name = "NAME")]
    pub(crate) operator: Option<PersonId>,

    /// The person who submits this. Never decides about its requests.
    #[arg(long, value_name = "NAME")]
    pub(crate) submitter: Option<PersonId>,

    /// The workflow's name. Default: the component's file name.
    #[arg(long, alias = "name", value_name = "NAME")]
    workflow_name: Option<String>,
}

impl Workflow {
    /// The component's bytes.
    pub(crate) fn component(&self) -> anyhow::Result<Vec<u8>> {
        component(&self.guest)
    }

    /// The workflow's name.
    pub(crate) fn name(&self) -> String {
        let stem = || self.guest.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.workflow_name.clone().unwrap_or_else(stem)
    }
}

/// A component's bytes.
pub(crate) fn component(guest: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(guest).with_context(|| format!("cannot read {}", guest.display()))
}
