//! A workflow's arguments on the command line: its component, parameters, tenant and actor.

pub(crate) mod file_limits;
mod jsonc;
pub(crate) mod signing_key;
pub(crate) mod source;

use crate::cli::commands::arguments::file_limits::FileLimits;
use crate::cli::options::data_dir::{Data, TENANT};
use clap::Args;
use engine::Error;
use engine::api::{ComponentBytes, Submit};
use receipt::PersonId;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use workflow::{ActorId, InstanceId, TenantId, limit_names};

/// JSON text, or `@` and the file that contains it.
#[derive(Debug, Clone)]
pub(crate) struct JsonArg(String);

impl FromStr for JsonArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl JsonArg {
    /// The text as the parameters of an instance. Checked here too: before a component is compiled for them.
    pub(crate) fn params(&self, file_limits: &FileLimits) -> anyhow::Result<String> {
        let limits = &file_limits.limits().workflow;
        let params = self.text("the parameters", limits.result_bytes, limit_names::RESULT_BYTES)?;
        limits.check_params(&params).map_err(Error::Params)?;
        Ok(params)
    }

    /// The text as the payload of an event. The host checks that it is JSON.
    pub(crate) fn event(&self, file_limits: &FileLimits) -> anyhow::Result<String> {
        self.text("the event", file_limits.limits().workflow.event_bytes, limit_names::EVENT_BYTES)
    }

    fn text(&self, what: &str, most: usize, limit: &str) -> anyhow::Result<String> {
        match self.0.strip_prefix('@') {
            Some(path) => file_limits::text(Path::new(path), what, most, limit),
            None => Ok(self.0.clone()),
        }
    }
}

/// A workflow, and the input of its instance.
#[derive(Debug, Args)]
pub(crate) struct Workflow {
    /// The workflow: TypeScript, JavaScript, a folder of them, or a component.
    pub(crate) guest: PathBuf,

    /// The class to run, if the main module exports several workflows.
    #[arg(long, value_name = "NAME")]
    class: Option<String>,

    /// The parameters: JSON, or @FILE to read them from a file.
    #[arg(long, value_name = "JSON|@FILE", default_value = "{}")]
    params: JsonArg,

    /// The tenant that owns the workflow.
    #[arg(long, default_value = TENANT)]
    pub(crate) tenant: TenantId,

    /// On whose behalf it acts.
    #[arg(long, default_value = "agent:local")]
    actor: ActorId,

    /// The person who answers for the actor. Never decides about its requests.
    #[arg(long, value_name = "NAME")]
    operator: Option<PersonId>,

    /// The person who submits this. Never decides about its requests.
    #[arg(long, value_name = "NAME")]
    submitter: Option<PersonId>,

    /// The workflow's name. Default: the name of the file or the folder.
    #[arg(long, alias = "name", value_name = "NAME")]
    workflow_name: Option<String>,
}

impl Workflow {
    /// The bytes of the component, or of the bundle that the source text makes; and the parameters.
    pub(crate) fn read(&self, data: &Data, file_limits: &FileLimits) -> anyhow::Result<(Vec<u8>, String)> {
        let params = self.params.params(file_limits)?;
        Ok((component(&self.guest, self.class.as_deref(), data, file_limits)?, params))
    }

    /// The instance to be created, of this code.
    pub(crate) fn submission(
        &self,
        id: Option<InstanceId>,
        params: String,
        component: ComponentBytes,
    ) -> Submit {
        let Self { tenant, actor, operator, submitter, .. } = self;
        Submit {
            id,
            tenant: tenant.clone(),
            actor: actor.clone(),
            operator: operator.clone(),
            submitter: submitter.clone(),
            name: self.name(),
            params,
            component,
        }
    }

    /// The workflow's name.
    pub(crate) fn name(&self) -> String {
        self.workflow_name.clone().unwrap_or_else(|| usual_name(&self.guest))
    }
}

/// The name of a folder, also if its path is `.`; or the name of a file, without its ending.
fn usual_name(guest: &Path) -> String {
    let real = guest.file_name().is_none().then(|| guest.canonicalize().ok()).flatten();
    let guest = real.as_deref().unwrap_or(guest);
    let name = if guest.is_dir() { guest.file_name() } else { guest.file_stem() };
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// The bytes of a component, or of the bundle that source text makes.
pub(crate) fn component(
    guest: &Path,
    class: Option<&str>,
    data: &Data,
    file_limits: &FileLimits,
) -> anyhow::Result<Vec<u8>> {
    if source::is_source(guest) {
        return Ok(source::bundle(guest, class, data, file_limits)?.bytes());
    }
    source::refuse_dialect(guest)?;
    file_limits.code(guest, 0)
}
