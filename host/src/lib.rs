//! Runs tenant workflows durably in a sandbox, and lets nothing consequential happen without a verified receipt.
//!
//! ```no_run
//! use host::Host;
//! use host::Start;
//! use host::Status;
//! use host::authority::DemoDecider;
//! use host::authority::Judgement;
//! use receipt::Decision;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::builder("data").observe(|fact| println!("{}", fact.entry)).open()?;
//! let workflow = host.load(std::fs::read("guest.wasm")?)?;
//! let start = Start { tenant: "acme".parse()?, actor: "agent:builder".parse()?, name: "deploy".into(), params: "{}".into() };
//! let instance = host.start(&workflow, start)?;
//!
//! // The workflow runs until it asks for permission; then it is parked and costs nothing but disk.
//! while let Status::Waiting(wait) = host.drive(&instance).await? {
//!     let Some(request) = wait.request() else { continue };
//!     println!("{}", host.request(request)?);
//!     let by = DemoDecider::new("operator".parse()?);
//!     host.decide(request, &Judgement { decision: Decision::Approved, by, reason: None })?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The rooms: [`sandbox`] runs guests, [`authority`] asks and signs, [`capability`] verifies and acts, [`store`] remembers; [`limits`] names
//! every bound and says who has which. They know
//! nothing of each other but what `docs/architecture.md` allows; this crate's root puts them together.

pub mod authority;
mod builder;
pub mod capability;
mod clock;
pub mod drill;
mod drive;
mod durable;
mod entropy;
mod error;
mod inner;
pub mod limits;
mod programs;
pub mod sandbox;
pub mod store;
pub mod trust;

pub use builder::Builder;
pub use clock::Clock;
pub use clock::SystemClock;
pub use entropy::NoEntropy;
pub use entropy::random_bytes;
pub use error::Error;

/// The capability behind a guest's `deploy`. A guest cannot choose it.
pub const DEPLOY: &str = "cloudflare.dynamic-worker.deploy";

pub use store::Fact;
pub use store::InstanceKey;
pub use workflow::Status;

use authority::Judgement;
use authority::Request;
use drive::Driver;
use drive::Shared;
use drive::Stop;
use inner::Inner;
use inner::Reins;
use receipt::Digest;
use sandbox::End;
use sandbox::Event;
use sandbox::Program;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use store::Batch;
use store::Place;
use store::Store;
use store::StoredReceipt;
use workflow::ActorId;
use workflow::Entry;
use workflow::RequestId;
use workflow::TenantId;

/// A host: one data folder, one sandbox, one issuer.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

/// A component that has been loaded, and its bytes.
#[derive(Clone)]
pub struct Workflow {
    program: Program,
    bytes: Arc<[u8]>,
}

impl Workflow {
    /// What is known of it: digest, size, imports.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }
}

/// What an instance is started with.
#[derive(Debug, Clone)]
pub struct Start {
    /// Whom it belongs to.
    pub tenant: TenantId,
    /// On whose behalf it acts.
    pub actor: ActorId,
    /// The workflow's name.
    pub name: String,
    /// The parameters, as JSON text.
    pub params: String,
}

impl Host {
    /// A host over this data folder, with default settings.
    #[must_use]
    pub fn builder(data: impl AsRef<Path>) -> Builder {
        Builder::new(data.as_ref().to_owned())
    }

    /// Checks and compiles a component, or finds it compiled. Blocks for as long as that takes. Its size is judged by the largest `component-bytes` of any tenant here, and by the tenant's own
    /// in [`load_for`](Self::load_for) and [`start`](Self::start).
    ///
    /// # Errors
    /// When it is not a workflow, or imports what a workflow may not have.
    pub fn load(&self, bytes: Vec<u8>) -> Result<Workflow, Error> {
        let program = self.0.program(Digest::of(&bytes), &bytes)?;
        Ok(Workflow { program, bytes: bytes.into() })
    }

    /// [`load`](Self::load), for a tenant whose bytes are not worth compiling when they are more than it may have.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_for(&self, tenant: &TenantId, bytes: Vec<u8>) -> Result<Workflow, Error> {
        self.0.settings.of(tenant).sandbox.check_component(bytes.len())?;
        self.load(bytes)
    }

    /// Creates an instance. It runs when it is driven.
    ///
    /// # Errors
    /// When the parameters are not JSON, the tenant has what it may have, or the instance cannot be written.
    pub fn start(&self, workflow: &Workflow, start: Start) -> Result<InstanceKey, Error> {
        let limits = self.0.settings.of(&start.tenant);
        limits.workflow.check_params(&start.params).map_err(Error::Params)?;
        limits.sandbox.check_component(workflow.bytes.len())?;
        let key = InstanceKey { tenant: start.tenant.clone(), instance: entropy::id("wf_")? };
        let component = workflow.program.digest();
        let entries = [
            Entry::Loaded {
                component,
                bytes: workflow.program.bytes(),
                imports: workflow.program.imports().to_vec(),
            },
            Entry::Started {
                tenant: start.tenant,
                actor: start.actor,
                workflow: start.name,
                params: start.params,
                seed: Digest::from_bytes(entropy::random_bytes()?),
                operator: None,
                submitter: None,
            },
        ];
        let (component, at) = ((&component, &*workflow.bytes), self.0.now()?);
        for fact in self.0.store.create(&key, component, at, &entries, &limits.quotas)? {
            self.0.observe(&fact);
        }
        Ok(key)
    }

    /// Runs an instance until it ends or waits. A first run, a resume and the recovery after a crash are this one call.
    ///
    /// # Errors
    /// When the host cannot go on, or the workflow took another path than its journal. The journal stands; drive again.
    pub async fn drive(&self, key: &InstanceKey) -> Result<Status, Error> {
        let _reins = Reins::take(&self.0, key)?;
        let (origin, replay) = self.0.read(key)?;
        match replay.status() {
            status if status.can_run() => {}
            Status::Waiting(wait) if wait.due() <= Some(self.0.now()?) => {}
            // Nothing that the guest could do would change anything.
            settled => return Ok(settled),
        }
        let program = self.program_of(origin.component).await?;
        let event = Event {
            payload: origin.params.clone(),
            started_at: origin.started_at,
            seed: origin.seed,
            instance: key.instance.to_string(),
            workflow: origin.workflow.clone(),
        };
        let limits = self.0.settings.of(&key.tenant);
        let quotas = limits.quotas;
        let driver = Driver { inner: Arc::clone(&self.0), origin: Arc::new(origin), replay, quotas };
        let driver = Arc::new(Mutex::new(driver));
        let handler = Box::new(Shared(Arc::clone(&driver)));
        let drive = self.0.sandbox.run(&program, event, &limits.sandbox, handler).await;
        let mut driver = driver.lock().unwrap_or_else(PoisonError::into_inner);
        match drive.end {
            End::Returned(result) => driver.finish(Ok(result))?,
            End::Broke(failure) => driver.finish(Err(failure))?,
            End::Halted(halt) => match halt.downcast::<Stop>().map(|stop| *stop) {
                Ok(Stop::Waiting) => {}
                Ok(Stop::Broke(failure)) => driver.finish(Err(failure))?,
                Ok(Stop::Error(error)) => return Err(error),
                Err(other) => return Err(Error::Internal(other.to_string())),
            },
        }
        if !drive.output.is_empty() {
            let output = format!("[drive of {}]\n{}\n", self.0.now()?, drive.output.trim_end());
            self.0.store.keep_output(key, &output)?;
        }
        Ok(driver.replay.status())
    }

    /// Loading may take as long as compiling does; that is no work for a thread on which others are driven.
    async fn program_of(&self, component: Digest) -> Result<Program, Error> {
        if let Some(program) = self.0.programs.get(&component) {
            return Ok(program);
        }
        let inner = Arc::clone(&self.0);
        let loaded = tokio::task::spawn_blocking(move || inner.program_of(&component)).await;
        loaded.map_err(|error| Error::Internal(error.to_string()))?
    }

    /// What an operator should know of how this host had to be set up. Nothing, if all is well.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.0.sandbox.note()
    }

    /// A request, as an approver sees it.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn request(&self, id: &RequestId) -> Result<Request, Error> {
        self.0.request(id).map(|(_, request)| request)
    }

    /// Decides a request: signs the receipt and records both. Drive the instance afterwards.
    ///
    /// # Errors
    /// When the request does not wait for a decision, the decider may not decide it, or the receipt cannot be signed. Nothing has
    /// been decided then.
    pub fn decide(&self, id: &RequestId, judgement: &Judgement) -> Result<StoredReceipt, Error> {
        let (key, request) = self.0.request(id)?;
        let (_, mut replay) = self.0.read(&key)?;
        let not_waiting = |state| Error::NotWaiting { request: id.clone(), state };
        match replay.is_pending(id) {
            true => {}
            false if replay.status().has_ended() => return Err(not_waiting("its instance has ended")),
            false => return Err(not_waiting("it was decided, withdrawn or has lapsed")),
        }
        if judgement.by.name() == &request.actor {
            return Err(Error::SelfApproval(request.actor.to_string(), id.clone()));
        }
        if self.0.now()? >= request.expires_at {
            return Err(not_waiting("it has lapsed; drive the instance, which will be told"));
        }
        let (issued, receipt) = self.0.issue(&request, judgement)?;
        let decided = Entry::Decided {
            request: id.clone(),
            decision: judgement.decision,
            decider: judgement.by.id(),
            reason: judgement.reason.clone(),
        };
        let (entries, after) = ([decided, issued], replay.len());
        for entry in &entries {
            replay.apply(entry).map_err(|illegal| Error::Journal { key: key.clone(), illegal })?;
        }
        let place = Place { key: &key, after, at: self.0.now()? };
        for fact in self
            .0
            .store
            .append(place, Batch { entries: &entries, receipt: Some(&receipt), ..Batch::default() })?
        {
            self.0.observe(&fact);
        }
        Ok(receipt)
    }

    /// How an instance stands, without driving it.
    ///
    /// # Errors
    /// When there is no such instance, or its journal is damaged.
    pub fn status(&self, key: &InstanceKey) -> Result<Status, Error> {
        self.0.read(key).map(|(_, replay)| replay.status())
    }

    /// Every fact in order: of one instance, or of all.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn audit(&self, key: Option<&InstanceKey>) -> Result<Vec<Fact>, Error> {
        Ok(self.0.store.facts(key)?)
    }

    /// A tenant's limits here.
    #[must_use]
    pub fn limits(&self, tenant: &TenantId) -> limits::Limits {
        self.0.settings.of(tenant)
    }

    /// The durable state, to read.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.0.store
    }
}
