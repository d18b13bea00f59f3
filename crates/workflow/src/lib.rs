//! The durable core: journal entries in, the next turn out.
//!
//! A guest sends commands ([`Command`]); the core answers from the journal if it can, and otherwise names the next
//! action ([`Turn`]). The shell around it performs that action, appends the [`Entry`] that records it, and asks again:
//!
//! ```text
//!   entries ──fold──► Replay ◄──apply── entry ◄── the shell did it
//!                       │                            ▲
//!   command, now ─next─► Turn::Return(outcome)       │   already in the journal
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
//! 1. *One table.* [`Replay::apply`] decides which entry may follow which. It guards appending and loading alike, and
//!    an entry that it does not know is illegal.
//! 2. *Intent before effect.* [`Live::Effect`] is only ever answered after [`Entry::Redeemed`] has been applied.
//! 3. *A completed call never runs again.* [`Replay::next`] returns the recorded result, or reports a [`Divergence`].

#![forbid(unsafe_code)]

mod command;
mod entry;
mod escape;
mod id;
mod limits;
mod replay;
mod table;
mod turn;
mod types;

pub use command::event::{Event, EventNumber};
pub use command::recorded::{PreparedCommand, RecordedCommand};
pub use command::step::{Backoff, Retry, StepConfig};
pub use command::{
    Action, Alarm, Artifact, ArtifactFacts, Call, Command, Expectation, Invocation, Measure, Sleep, Start,
};
pub use entry::Entry;
pub use escape::{Clipped, Escaped, Quoted, QuotedWhole, is_visible};
pub use id::{ActorId, EventType, InstanceId, InvalidId, ReceiptId, RequestId, TenantId};
pub use limits::{Limits, names as limit_names};
pub use replay::Replay;
pub use replay::respond::Divergence;
pub use replay::status::Status;
pub use table::{Illegal, Unknown, Unsettled};
pub use turn::wait::{Pending, Wait};
pub use turn::{Approval, Begun, Live, Outcome, Performance, Ready, Turn};
pub use types::{CallMode, Check, Effect, Failure, Finding};
