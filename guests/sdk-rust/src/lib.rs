//! What a workflow in Rust is written with: the types of the world in `wit/`, and steps as closures.
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
//! A closure that is given to [`Step::run`] runs once. When the host stops the workflow and runs it again from its first line, the
//! recorded result is returned instead. Everything else that a workflow asks for is recorded in the same way.
//!
//! - [`Step::run`] tries work once, [`Step::run_with`] again and again; [`Fault`] says that another try would not help.
//! - [`Step::sleep`], [`Step::sleep_until`] and [`Step::wait_for_event`] wait for up to a year, and nothing runs meanwhile.
//! - Each of them has a form that starts it and goes on ([`Step::start`] and its like). It answers with a [`Pending`]; [`all`], [`join`],
//!   [`race`] and [`any`] wait for several.
//! - [`pp::require_approval`] asks for permission; [`deploy::deploy`] acts on it.
//! - [`Step::with_rollback`] says how a step is undone should the workflow fail.

/// The bindings as generated from `wit/`, for what this crate does not wrap.
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

/// A workflow: implement this, and export it with [`workflow!`].
pub trait Workflow {
    /// The workflow itself. Its result is kept with the instance.
    ///
    /// # Errors
    /// Whatever the workflow reports as its own failure. The steps that were begun [`with a rollback`](Step::with_rollback) are then
    /// undone, the last first.
    fn run(event: Event, step: Step<'_>) -> Result<Value, Failure>;
}

/// Used by [`workflow!`].
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
