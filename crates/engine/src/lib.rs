//! Runs tenant workflows durably in a sandbox, and performs no consequential action without a verified receipt.
//!
//! [`Host`] is the entry point; `docs/embedding.md` has a program that uses it.
//!
//! Modules; each may use only those below it:
//!
//! ```text
//! control                  the socket through which other processes operate a host
//! api                      every operation and query as a value
//! schedule, instances, approvals    when instances run; commands on one instance; requests and decisions
//! drive                    one instance running
//! runtime                  the host: the state that drives, signals and the schedule share
//! issuer, capability       the private keys; the gate and the capabilities behind it
//! trust, limits, history   who may decide; every bound; an instance's past for people
//! storage                  opening the durable state, whichever database keeps it
//! access                   who may ask for which operation
//! ```

mod access;
pub mod api;
mod approvals;
mod builder;
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
mod storage;
mod text_limits;
pub mod trust;
mod unix_connections;

pub use api::{MovedState, ReadOnlyHost};
pub use approvals::{AssertionRequest, Invite, SignOutcome, Waiting};
pub use builder::Builder;
pub use clock::{Clock, SystemClock};
pub use error::Error;
pub use ids::{NoEntropy, random_bytes};
pub use instances::{Start, Workflow};
pub use process::forbid_core_dumps;
pub use runtime::state::Host;
pub use sandbox::DEPLOY;
pub use schedule::WorkerOptions;
pub use storage::{
    ArtifactsUrl, Copied, InvalidArtifactsUrl, InvalidStoreUrl, StoreLocation, StoreUrl, back_up,
};
pub use store::{Fact, InstanceKey};
pub use text_limits::TooLong;
pub use workflow::Status;
// The crates of the interface above, so that an embedding program depends on this crate alone, and has the same
// versions.
pub use {policy, receipt, sandbox, store, tokio, workflow};

/// The program in `docs/embedding.md`, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Embedding;
