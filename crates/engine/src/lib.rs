//! Runs tenant workflows durably in a sandbox, and lets nothing consequential happen without a verified receipt.
//!
//! ```no_run
//! use engine::Host;
//! use engine::Start;
//! use engine::Status;
//! use engine::issuer::DemoDecider;
//! use engine::issuer::Judgement;
//! use receipt::Decision;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::builder("data").observe(|fact| println!("{}", fact.entry)).open()?;
//! let workflow = host.load(std::fs::read("guest.wasm")?)?;
//! let (tenant, actor) = ("acme".parse()?, "agent:builder".parse()?);
//! let start = Start::new(tenant, actor, "deploy", "{}");
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
//! Modules, each knowing only those below it:
//!
//! ```text
//! control                  the socket through which other processes operate a host
//! api                      every operation and query as a value
//! schedule, instances, approvals    what runs when; what is done to one instance; requests and decisions
//! drive                    one instance running
//! state, runtime           what they share
//! issuer, capability       the private keys; the gate and what is behind it
//! trust, limits, history   who may decide; every bound; an instance's past for people
//! access                   who may ask for which operation
//! ```

mod access;
pub mod api;
mod approvals;
mod builder;
mod callers;
pub mod capability;
mod clock;
pub mod control;
mod drive;
mod error;
pub mod history;
pub mod ids;
mod instances;
pub mod issuer;
pub mod limits;
mod process;
mod runtime;
mod schedule;
mod state;
pub mod trust;
mod words;

pub use api::ReadOnlyHost;
pub use approvals::{AssertionRequest, Invite, Recorded, Waiting};
pub use builder::Builder;
pub use clock::{Clock, SystemClock};
pub use error::Error;
pub use ids::{NoEntropy, random_bytes};
pub use instances::{Start, Workflow};
pub use process::forbid_core_dumps;
pub use sandbox::DEPLOY;
pub use schedule::WorkerOptions;
pub use state::Host;
pub use store::{Fact, InstanceKey};
pub use words::TooLong;
pub use workflow::Status;
