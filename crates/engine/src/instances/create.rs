//! Loading a component and creating instances of it.

use crate::runtime::state::Host;
use crate::{Error, ids, limits, text_limits};
use receipt::{Digest, PersonId};
use sandbox::Program;
use std::sync::Arc;
use store::{Create, Fact, InstanceKey, Store, Write};
use workflow::{ActorId, Entry, Status, TenantId};

/// A component that has been loaded, and its bytes.
#[derive(Clone)]
pub struct Workflow {
    program: Program,
    pub(crate) bytes: Arc<[u8]>,
}

impl Workflow {
    /// The component's digest, size and imports.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The component's bytes.
    #[must_use]
    pub fn bytes(&self) -> Arc<[u8]> {
        Arc::clone(&self.bytes)
    }

    /// The entry that records that an instance runs it.
    pub(crate) fn loaded(&self) -> Entry {
        self.code().loaded()
    }

    fn code(&self) -> LoadedCode {
        let (digest, imports) = (self.program.digest(), self.program.imports().to_vec());
        LoadedCode { digest, imports, bytes: Arc::clone(&self.bytes) }
    }
}

/// The bytes of a component or a bundle, and their digest, which is computed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentBytes {
    digest: Digest,
    bytes: Arc<[u8]>,
}

impl ComponentBytes {
    /// The digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }
}

impl<T: Into<Arc<[u8]>>> From<T> for ComponentBytes {
    fn from(bytes: T) -> Self {
        let bytes = bytes.into();
        Self { digest: Digest::of(&bytes), bytes }
    }
}

impl Default for ComponentBytes {
    fn default() -> Self {
        Self::from([])
    }
}

/// The recorded properties of a component, compiled or not.
pub(crate) struct LoadedCode {
    pub(crate) digest: Digest,
    imports: Vec<String>,
    bytes: Arc<[u8]>,
}

impl LoadedCode {
    fn loaded(&self) -> Entry {
        let (component, bytes, imports) = (self.digest, self.bytes.len() as u64, self.imports.clone());
        Entry::Loaded { component, bytes, imports }
    }
}

/// The input of a new instance.
#[derive(Debug, Clone)]
pub struct Start {
    /// The tenant that owns it.
    pub tenant: TenantId,
    /// On whose behalf it acts.
    pub actor: ActorId,
    /// The person who is responsible for the actor, and never decides about its requests.
    pub operator: Option<PersonId>,
    /// The submitter, who never decides about its requests.
    pub submitter: Option<PersonId>,
    /// The workflow's name.
    pub name: String,
    /// The parameters, as JSON text.
    pub params: String,
}

impl Start {
    /// An instance without a responsible person.
    #[must_use]
    pub fn new(tenant: TenantId, actor: ActorId, name: impl Into<String>, params: impl Into<String>) -> Self {
        Self { tenant, actor, operator: None, submitter: None, name: name.into(), params: params.into() }
    }
}

impl Host {
    /// Checks and compiles a component, or finds it compiled. Blocks the calling thread. The size is checked against
    /// the largest `component-bytes` of any tenant here, and against the tenant's own in [`load_for`](Self::load_for)
    /// and [`start`](Self::start).
    ///
    /// # Errors
    /// The component is not a workflow, or imports functions that a workflow may not have.
    pub fn load(&self, bytes: Vec<u8>) -> Result<Workflow, Error> {
        let program = self.0.programs.of_bytes(Digest::of(&bytes), &bytes)?;
        Ok(Workflow { program, bytes: bytes.into() })
    }

    /// Like [`load`](Self::load), but checks the tenant's `component-bytes` first.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_for(&self, tenant: &TenantId, bytes: Vec<u8>) -> Result<Workflow, Error> {
        self.0.journals.settings.of(tenant).sandbox.check_component(bytes.len())?;
        self.load(bytes)
    }

    /// A component that is not compiled yet: it is refused now if that needs no compiling, otherwise when the
    /// instance is driven.
    pub(crate) fn code_for(&self, tenant: &TenantId, component: ComponentBytes) -> Result<LoadedCode, Error> {
        let ComponentBytes { digest, bytes } = component;
        self.0.journals.settings.of(tenant).sandbox.check_component(bytes.len())?;
        let imports = match self.0.programs.get(&digest) {
            Some(program) => program.imports().to_vec(),
            None => self.0.programs.sandbox.imports_of(digest, &bytes)?,
        };
        Ok(LoadedCode { digest, imports, bytes })
    }

    /// Creates an instance. It runs when it is driven.
    ///
    /// # Errors
    /// When the parameters are not JSON, the tenant has reached a quota, or the instance cannot be written.
    pub fn start(&self, workflow: &Workflow, start: Start) -> Result<InstanceKey, Error> {
        let instance = ids::id("wf_", self.0.now()?)?;
        let key = InstanceKey { tenant: start.tenant.clone(), instance };
        self.start_as(&key, &workflow.code(), start).map(|()| key)
    }

    /// [`start`](Self::start), without blocking a thread during the write.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub async fn create(&self, workflow: &Workflow, start: Start) -> Result<InstanceKey, Error> {
        let instance = ids::id("wf_", self.0.now()?)?;
        let key = InstanceKey { tenant: start.tenant.clone(), instance };
        let create = self.to_create(&key, &workflow.code(), start)?;
        let stamp = self.0.journals.store.create(&create).await?;
        self.0.journals.report(stamp, &key, 0, &create.entries);
        self.0.wakeups.notify(&key);
        Ok(key)
    }

    /// [`start`](Self::start), under the given name.
    pub(crate) fn start_as(&self, key: &InstanceKey, code: &LoadedCode, start: Start) -> Result<(), Error> {
        let create = self.to_create(key, code, start)?;
        let stamp = self.0.journals.store.write_here(Write::Create(&create))?;
        self.0.journals.report(stamp, key, 0, &create.entries);
        self.0.wakeups.notify(key);
        Ok(())
    }

    fn to_create(&self, key: &InstanceKey, code: &LoadedCode, start: Start) -> Result<Create, Error> {
        let limits = self.0.journals.settings.of(&start.tenant);
        text_limits::check_workflow(&start.name)?;
        limits.workflow.check_params(&start.params).map_err(Error::Params)?;
        limits.sandbox.check_component(code.bytes.len())?;
        let entries = vec![
            code.loaded(),
            Entry::Started {
                tenant: start.tenant,
                actor: start.actor,
                workflow: start.name,
                params: start.params,
                seed: Digest::from_bytes(ids::random_bytes()?),
                operator: start.operator,
                submitter: start.submitter,
            },
        ];
        let (component, at) = ((code.digest, Arc::clone(&code.bytes)), self.0.now()?);
        Ok(Create { key: key.clone(), component, at, entries, quotas: limits.quotas })
    }

    /// Whether this host has made its data folder.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.0.journals.folder.is_new()
    }

    /// A note for the operator on how this host had to be configured. `None` if there is none.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.0.programs.sandbox.note()
    }

    /// The state of an instance, without driving it.
    ///
    /// # Errors
    /// There is no such instance, or its journal is damaged.
    pub fn status(&self, key: &InstanceKey) -> Result<Status, Error> {
        self.0.load(key).map(|loaded| loaded.replay.status())
    }

    /// Every fact in order: of one instance, or of all.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn audit(&self, key: Option<&InstanceKey>) -> Result<Vec<Fact>, Error> {
        Ok(self.0.journals.store.facts(key).wait()?)
    }

    /// A tenant's limits here.
    #[must_use]
    pub fn limits(&self, tenant: &TenantId) -> limits::Limits {
        self.0.journals.settings.of(tenant)
    }

    /// Whether several hosts share the durable state. A shared store answers over a network.
    #[must_use]
    pub fn shares_store(&self) -> bool {
        self.0.claims.are_shared()
    }

    /// The durable state, to read.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.0.journals.store
    }
}
