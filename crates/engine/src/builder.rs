//! Settings of a host, and the assembly of its parts.

use crate::capability::{Artifacts, Capability, Registry, built_in};
use crate::issuer::{Issuer, Keyring, LocalIssuer, RemoteIssuer, own_account};
use crate::limits::Settings;
use crate::runtime::capabilities::Capabilities;
use crate::runtime::claims::{BootTime, ClaimTable, TTL};
use crate::runtime::governance::{AuthorityChangeHandler, Governance};
use crate::runtime::hosts;
use crate::runtime::journals::{FactHandler, Journals};
use crate::runtime::lease::LeaseTable;
use crate::runtime::previews::Previews;
use crate::runtime::programs::ProgramCache;
use crate::runtime::publisher::{BackgroundErrorHandler, Publisher};
use crate::runtime::remote_authority;
use crate::runtime::slots::RunSlots;
use crate::runtime::state::{DriveSpanHandler, HostState, InstanceErrorHandler};
use crate::runtime::wakeups::Wakeups;
use crate::{Clock, Error, Host, StoreLocation, SystemClock, ids};
use policy::Policy;
use receipt::{Digest, KeySet, Scope};
use sandbox::{Compiler, Sandbox, SandboxLimits};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use store::{DataFolder, Fact, HostSigner, InstanceKey, Quotas, Store};
use workflow::Limits;

/// Settings of a host. Every one has a default.
pub struct Builder {
    data: PathBuf,
    location: StoreLocation,
    absent: AbsentFolder,
    scope: Option<Scope>,
    policy: Option<Box<dyn Policy>>,
    settings: Settings,
    authority: Option<PathBuf>,
    authority_account: u32,
    on_authority_change: AuthorityChangeHandler,
    compiler: Compiler,
    clock: Box<dyn Clock>,
    on_fact: Option<FactHandler>,
    on_drive_span: DriveSpanHandler,
    on_instance_error: InstanceErrorHandler,
    on_background_error: BackgroundErrorHandler,
    capabilities: Vec<Box<dyn Capability>>,
    wrap: Wrap,
}

/// The treatment of a missing data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AbsentFolder {
    Make,
    Refuse,
}

type Wrap = Box<dyn FnOnce(Box<dyn Store>) -> Box<dyn Store>>;

impl Host {
    /// A host over this data folder, with default settings.
    #[must_use]
    pub fn builder(data: impl AsRef<Path>) -> Builder {
        Builder::new(data.as_ref().to_owned())
    }
}

impl Builder {
    pub(crate) fn new(data: PathBuf) -> Self {
        Self {
            data,
            location: StoreLocation::Folder,
            absent: AbsentFolder::Make,
            scope: None,
            policy: None,
            settings: Settings::default(),
            authority: None,
            authority_account: own_account(),
            on_authority_change: Box::new(|_| {}),
            compiler: Compiler::default(),
            clock: Box::new(SystemClock),
            on_fact: None,
            on_drive_span: Box::new(|_, _| {}),
            on_instance_error: Box::new(|_, _| {}),
            on_background_error: Arc::new(|_| {}),
            capabilities: Vec::new(),
            wrap: Box::new(|store| store),
        }
    }

    /// The location of the durable state. Default: in the data folder.
    #[must_use]
    pub fn store(mut self, location: StoreLocation) -> Self {
        self.location = location;
        self
    }

    /// Refuses a folder that has no data. Default: a missing folder is made.
    #[must_use]
    pub fn existing(mut self) -> Self {
        self.absent = AbsentFolder::Refuse;
        self
    }

    /// The scope of receipts that count. Default: production if there are people or a policy, otherwise demo.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// The policy that allows, asks about or denies actions. Default: every action asks one person.
    #[must_use]
    pub fn policy(mut self, policy: Box<dyn Policy>) -> Self {
        self.policy = Some(policy);
        self
    }

    /// The socket of the process that holds the issuer's keys (`pp-host authority`). Default: they are in the data folder, and this process
    /// signs.
    #[must_use]
    pub fn authority(mut self, socket: PathBuf) -> Self {
        self.authority = Some(socket);
        self
    }

    /// The account, by its number, under which that process runs. Another account's process on the socket is refused.
    /// Default: the account of this process.
    #[must_use]
    pub fn authority_account(mut self, account: u32) -> Self {
        self.authority_account = account;
        self
    }

    /// Called with every change at that authority, as a line of text: its keys, and its operators' acts about who may
    /// decide.
    #[must_use]
    pub fn on_authority_change(mut self, handler: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_authority_change = Box::new(handler);
        self
    }

    /// Every tenant's limits, from a settings file or a command line. A limit that they do not set has its value from
    /// [`limits`](Self::limits), [`sandbox`](Self::sandbox) and [`quotas`](Self::quotas).
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The bounds on a workflow's calls and records.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.base().workflow = limits;
        self
    }

    /// The bounds on a drive.
    #[must_use]
    pub fn sandbox(mut self, limits: SandboxLimits) -> Self {
        self.settings.base().sandbox = limits;
        self
    }

    /// The bounds on what a tenant stores.
    #[must_use]
    pub fn quotas(mut self, quotas: Quotas) -> Self {
        self.settings.base().quotas = quotas;
        self
    }

    /// The process that compiles components. Default: this process, which a hostile component can then exhaust in time
    /// and memory.
    #[must_use]
    pub fn compiler(mut self, compiler: Compiler) -> Self {
        self.compiler = compiler;
        self
    }

    /// Another clock than the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Called with every fact, after it is on disk and before any further step. A fact that is being written while its
    /// instance is unwound from outside is on disk without a call: the complete record is [`Host::audit`].
    #[must_use]
    pub fn on_fact(mut self, handler: impl Fn(&Fact) + Send + Sync + 'static) -> Self {
        self.on_fact = Some(Box::new(handler));
        self
    }

    /// Called with the span of each drive before the drive begins, for example to place the span in a trace of its instance.
    #[must_use]
    pub fn on_drive_span(
        mut self,
        handler: impl Fn(&InstanceKey, &tracing::Span) + Send + Sync + 'static,
    ) -> Self {
        self.on_drive_span = Box::new(handler);
        self
    }

    /// Called with each error of an instance that no caller waits for: in [`Host::work`].
    #[must_use]
    pub fn on_instance_error(
        mut self,
        handler: impl Fn(&InstanceKey, &Error) + Send + Sync + 'static,
    ) -> Self {
        self.on_instance_error = Box::new(handler);
        self
    }

    /// Called when the host's work in the background fails, with a line of text: when the files of live deployments cannot be written, unneeded
    /// artifacts cannot be removed, or claims cannot be renewed. Each is retried until it succeeds.
    #[must_use]
    pub fn on_background_error(mut self, handler: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_background_error = Arc::new(handler);
        self
    }

    /// Adds a capability, for actions on the resources that it acts on. It replaces a capability of the same name.
    #[must_use]
    pub fn capability(mut self, capability: impl Capability + 'static) -> Self {
        self.capabilities.push(Box::new(capability));
        self
    }

    /// Wraps the host's store, for example in a test double that fails on demand.
    #[must_use]
    pub fn wrap_store(mut self, wrap: impl FnOnce(Box<dyn Store>) -> Box<dyn Store> + 'static) -> Self {
        self.wrap = Box::new(wrap);
        self
    }

    /// Opens the data folder, or creates a new one. In a folder that has data, no missing part is created again.
    ///
    /// # Errors
    /// The folder, the journal or the keys cannot be used, or one of them is missing and the others exist.
    pub fn open(mut self) -> Result<Host, Error> {
        let folder = match self.absent {
            AbsentFolder::Make => self.location.own_folder(&self.data)?,
            AbsentFolder::Refuse => self.location.own_existing_folder(&self.data)?,
        };
        let wrap = std::mem::replace(&mut self.wrap, Box::new(|store| store));
        let store: Arc<dyn Store> = Arc::from(wrap(self.location.open(&folder)?));
        folder.check_keys()?;
        let (issuer, keys) = self.issuer(&folder, &*store)?;
        folder.finish()?;
        let claims = self.claims(&folder, &*store, &keys)?;
        let artifacts = Artifacts::new(&folder.deployments()).shared_in(self.location.blobs()?);
        let artifacts = Arc::new(artifacts);
        let mut registry = Registry::default();
        built_in(&artifacts).into_iter().chain(self.capabilities).for_each(|one| registry.add(one));
        let largest = self.settings.largest().sandbox;
        let loaded = largest.load.cached_programs;
        let sandbox = Sandbox::new(largest)?.compiled_by(self.compiler).cached_in(&folder.cache())?;
        let sandbox = sandbox.engines_in(&folder.engines());
        let wakeups = Arc::<Wakeups>::default();
        let state = HostState {
            publisher: Publisher::start(
                Arc::clone(&store),
                &folder.deployments(),
                Arc::clone(&artifacts),
                Arc::clone(&self.on_background_error),
            )?,
            artifacts,
            on_background_error: self.on_background_error,
            programs: ProgramCache::new(sandbox, loaded),
            previews: Previews::default(),
            governance: Governance {
                issuer,
                governed: self.policy.is_some() || self.authority.is_some(),
                policy: self.policy.unwrap_or_else(|| Box::new(policy::ask_one())),
                required_scope: self.scope,
                trust: Mutex::default(),
                on_authority_change: self.on_authority_change,
            },
            capabilities: Capabilities::new(keys, registry),
            leases: LeaseTable::new(Arc::clone(&wakeups)),
            claims,
            slots: RunSlots::new(),
            wakeups,
            on_instance_error: self.on_instance_error,
            on_drive_span: self.on_drive_span,
            uploads: Mutex::default(),
            journals: Journals {
                store,
                clock: self.clock,
                on_fact: self.on_fact,
                settings: self.settings,
                folder,
            },
        };
        state.governance.adopt_policy(&state.journals)?;
        Ok(Host(Arc::new(state)))
    }
    /// The signer, and the keys that verify its signatures.
    fn issuer(&self, folder: &DataFolder, store: &dyn Store) -> Result<(Box<dyn Issuer>, KeySet), Error> {
        if let Some(socket) = &self.authority {
            let remote = RemoteIssuer::at(socket, self.authority_account);
            let keys = remote_authority::join(&remote, folder, store, &self.on_authority_change)?;
            return Ok((Box::new(remote), keys));
        }
        let seeds = [ids::random_bytes()?, ids::random_bytes()?];
        let keyring = Keyring::open(&folder.keys(), &seeds, self.clock.now())?;
        let keys = keyring.keys.clone();
        Ok((Box::new(LocalIssuer::with(keyring)), keys))
    }

    /// The initial claims of this host: all, forever, for a folder; none if it shares the state with other hosts.
    fn claims(&self, folder: &DataFolder, store: &dyn Store, keys: &KeySet) -> Result<ClaimTable, Error> {
        let claims = ClaimTable::new();
        if self.location == StoreLocation::Folder {
            claims.renewed(BootTime::now(), &store.renew(TTL).wait()?);
            return Ok(claims);
        }
        let signs = if self.authority.is_some() { HostSigner::Authority } else { HostSigner::Own };
        hosts::register(store, folder, signs(Digest::of(keys.to_json().as_bytes())))?;
        Ok(claims)
    }
}
