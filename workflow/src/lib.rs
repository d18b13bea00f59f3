//! The durable core: journal entries in, the next turn out.
//!
//! A guest asks for things ([`Command`]); the core answers from the journal where it can, and otherwise says what has to be done
//! ([`Turn`]). The shell around it does exactly that, appends the [`Entry`] that says so and asks again:
//!
//! ```text
//!   entries ──fold──► Replay ◄──apply── entry ◄── the shell did it
//!                       │                            ▲
//!   command, now ─next─► Turn::Return(outcome)       │   already in the journal: hand it back
//!                      Turn::Wait(what)              │   park: the guest is unwound
//!                      Turn::Record(entry) ──────────┤   append, apply, ask again
//!                      Turn::Do(live) ───────────────┘   perform, append, apply, ask again
//!                      Turn::Break(failure)              end the instance: it broke a rule of its journal
//! ```
//!
//! ### The core does no IO
//!
//! No clock, no storage, no randomness, no WebAssembly: time and identifiers come in with the entries. A first run, a resume and
//! the recovery after a crash are therefore the same code with a shorter or longer journal, and every interleaving can be tested
//! by cutting a `Vec`.
//!
//! ### Invariants
//!
//! 1. *One table.* [`Replay::apply`] decides which entry may follow which; it guards appending and loading alike, and what it does
//!    not know is illegal.
//! 2. *Intent before effect.* [`Live::Effect`] is only ever answered after [`Entry::Redeemed`] has been applied.
//! 3. *A completed call never runs again.* [`Replay::next`] hands back what is recorded, or reports a [`Divergence`].

#![forbid(unsafe_code)]

mod answer;
mod asked;
mod attempt;
mod call;
mod command;
mod entry;
mod event;
mod id;
mod limits;
mod line;
mod part;
mod replay;
mod status;
mod step;
mod table;
mod text;
mod trail;
mod turn;
mod wait;

pub use answer::Divergence;
pub use asked::Asked;
pub use command::Action;
pub use command::Alarm;
pub use command::Artifact;
pub use command::ArtifactFacts;
pub use command::Call;
pub use command::Command;
pub use command::Expectation;
pub use command::Invocation;
pub use command::Sleep;
pub use command::Start;
pub use entry::Entry;
pub use event::Event;
pub use event::EventNumber;
pub use id::ActorId;
pub use id::EventType;
pub use id::InstanceId;
pub use id::InvalidId;
pub use id::ReceiptId;
pub use id::RequestId;
pub use id::TenantId;
pub use limits::Limits;
pub use limits::names as limit_names;
pub use part::Check;
pub use part::Effect;
pub use part::Failure;
pub use part::Finding;
pub use part::Manner;
pub use replay::Replay;
pub use status::Status;
pub use step::Backoff;
pub use step::Retry;
pub use step::StepConfig;
pub use table::Illegal;
pub use table::Unknown;
pub use table::Unsettled;
pub use text::Clipped;
pub use text::Escaped;
pub use text::Quoted;
pub use text::is_visible;
pub use turn::Approval;
pub use turn::Begun;
pub use turn::Live;
pub use turn::Outcome;
pub use turn::Performance;
pub use turn::Ready;
pub use turn::Turn;
pub use wait::Pending;
pub use wait::Wait;
