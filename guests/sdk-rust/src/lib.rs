//! The SDK for workflows in Rust: the types of the world in `wit/`, and steps as closures.
//!
//! ```no_run
//! # use guest_sdk::{Event, Failure, Step, Workflow, serde_json::{Value, json}};
//! # use std::time::Duration;
//! struct Greet;
//!
//! impl Workflow for Greet {
//!     fn run(event: Event, step: Step<'_>) -> Result<Value, Failure> {
//!         let name: String = step.run("ask for the name", || Ok::<_, Failure>("Ada".to_owned()))?;
//!         step.sleep("let it sink in", Duration::from_secs(3600))?;
//!         Ok(json!({ "greeting": format!("Hello, {name}") }))
//!     }
//! }
//!
//! guest_sdk::workflow!(Greet);
//! ```
//!
//! [`Step::run`] runs its closure once. When the host stops the workflow and runs it again from its first line, [`Step::run`] returns the
//! recorded result instead. The journal records every other call of a workflow in the same way.
//!
//! - [`Step::run`] tries the work once, [`Step::run_with`] several times; a [`Fault`] can say that another attempt would not help.
//! - [`Step::sleep`], [`Step::sleep_until`] and [`Step::wait_for_event`] wait for up to a year, and nothing runs meanwhile.
//! - Each of them has a form that starts the operation and returns at once ([`Step::start`], [`Step::start_sleep`] and others). That form
//!   returns a [`Pending`]; [`all`], [`join`], [`race`] and [`any`] wait for several.
//! - [`pp::require_approval`] asks for permission; [`deploy::deploy`] acts on it.
//! - [`Step::with_rollback`] registers how to undo a step if the workflow fails.

/// The bindings generated from `wit/`, for functions that this crate does not wrap.
pub mod bindings {
    #![expect(missing_docs, reason = "generated")]

    wit_bindgen::generate!({
        path: "../../wit",
        world: "tenant-workflow",
        pub_export_macro: true,
        default_bindings_module: "guest_sdk::bindings",
    });
}

pub mod deploy;
mod event;
mod failure;
mod pending;
pub mod pp;
mod rollback;
mod step;
mod tries;

pub use bindings::permission_protocol::tenant::workflow::Event;
pub use event::{Received, WaitError};
pub use failure::{Failure, Fault, failure};
pub use pending::{Pending, Won, all, any, join, race, try_all};
pub use rollback::{Undo, WithRollback};
pub use serde_json;
pub use step::Step;
pub use tries::{Backoff, Tries};

use bindings::permission_protocol::tenant::workflow;
use rollback::Rollbacks;
use serde_json::Value;

/// A workflow: implement this trait, and export the type with [`workflow!`].
pub trait Workflow {
    /// Runs the workflow. The host keeps the result with the instance.
    ///
    /// # Errors
    /// The workflow's own failure. The steps that were begun [`with a rollback`](Step::with_rollback) are then undone, the last first.
    fn run(event: Event, step: Step<'_>) -> Result<Value, Failure>;
}

/// Runs a workflow and its rollbacks; [`workflow!`] calls this.
///
/// # Errors
/// The workflow's own failure.
#[doc(hidden)]
pub fn enter<W: Workflow>(event: Event, step: &workflow::Step) -> Result<String, workflow::Failure> {
    let rollbacks = Rollbacks::default();
    let step = Step::new(step, &rollbacks);
    W::run(event, step).map(|value| value.to_string()).map_err(|failure| {
        rollbacks.undo(step, &failure);
        failure.into()
    })
}

/// Exports a [`Workflow`] as the component's entry point.
#[macro_export]
macro_rules! workflow {
    ($workflow:ty) => {
        const _: () = {
            struct Entrypoint;

            impl $crate::bindings::exports::permission_protocol::tenant::entrypoint::Guest for Entrypoint {
                fn run(
                    event: $crate::Event,
                    step: &$crate::bindings::permission_protocol::tenant::workflow::Step,
                ) -> Result<String, $crate::bindings::permission_protocol::tenant::workflow::Failure>
                {
                    $crate::enter::<$workflow>(event, step)
                }
            }

    $crate::bindings::export!(Entrypoint with_types_in $crate::bindings);
        };
    };
}
