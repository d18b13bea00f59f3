//! What a workflow in Rust is written with: the types of the world in `wit/`, and steps as closures.
//!
//! ```ignore
//! struct Greet;
//!
//! impl Workflow for Greet {
//!     fn run(event: Event, step: Step) -> Result<Value, Failure> {
//!         let name: String = step.run("ask for the name", || Ok("Ada".to_owned()))?;
//!         Ok(json!({ "greeting": format!("Hello, {name}") }))
//!     }
//! }
//!
//! guest_sdk::workflow!(Greet);
//! ```
//!
//! A closure that is given to [`Step::run`] runs once. When the host stops the workflow and runs it again from its first line, the
//! recorded result is returned instead.

/// The bindings as generated from `wit/`, for what this crate does not wrap.
pub mod bindings {
    #![expect(missing_docs, reason = "generated")]

    wit_bindgen::generate!({
        path: "../wit",
        world: "tenant-workflow",
        pub_export_macro: true,
        default_bindings_module: "guest_sdk::bindings",
    });
}

pub use bindings::permission_protocol::tenant::deploy;
pub use bindings::permission_protocol::tenant::pp;
pub use bindings::permission_protocol::tenant::workflow::Event;
pub use bindings::permission_protocol::tenant::workflow::Failure;
pub use serde_json;

use bindings::permission_protocol::tenant::workflow;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Display;

/// A workflow: implement this, and export it with [`workflow!`].
pub trait Workflow {
    /// The workflow itself. Its result is kept with the instance.
    ///
    /// # Errors
    /// Whatever the workflow reports as its own failure.
    fn run(event: Event, step: Step<'_>) -> Result<Value, Failure>;
}

/// The hand that records durable work.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a>(&'a workflow::Step);

impl<'a> Step<'a> {
    /// Used by [`workflow!`].
    #[doc(hidden)]
    #[must_use]
    pub fn new(step: &'a workflow::Step) -> Self {
        Self(step)
    }

    /// The handle itself, for beginning and ending steps by hand.
    #[must_use]
    pub fn raw(self) -> &'a workflow::Step {
        self.0
    }

    /// Runs `work` once and records how it ended; later runs of the workflow get the record.
    ///
    /// # Errors
    /// When the work fails, or the host does not accept the step. The failure is the same on every run.
    pub fn run<T, E>(self, name: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, Failure>
    where
        T: Serialize + DeserializeOwned,
        E: Display,
    {
        let attempt = match self.0.begin(name)? {
            workflow::Begun::Done(output) => return parse(&output),
            workflow::Begun::Run(attempt) => attempt,
        };
        let output = work().map_err(|error| failure("step-failed", error)).and_then(|value| to_json(&value));
        match output {
            Ok(output) => {
                workflow::Attempt::complete(attempt, &output)?;
                // Through JSON the first time too, so that the first run sees what every later run will see.
                parse(&output)
            }
            // What was recorded, so that the first run sees what every later run will see.
            Err(failure) => Err(workflow::Attempt::fail(attempt, &failure)),
        }
    }
}

/// A failure of this name.
pub fn failure(name: &str, message: impl Display) -> Failure {
    Failure { name: name.to_owned(), message: message.to_string() }
}

impl From<workflow::StepError> for Failure {
    fn from(error: workflow::StepError) -> Self {
        match error {
            workflow::StepError::Rejected(message) => failure("step-rejected", message),
            workflow::StepError::Failed(failure) => failure,
        }
    }
}

fn to_json<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| failure("invalid-result", error))
}

fn parse<T: DeserializeOwned>(output: &str) -> Result<T, Failure> {
    serde_json::from_str(output).map_err(|error| failure("invalid-result", error))
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
                ) -> Result<String, $crate::Failure> {
                    <$workflow as $crate::Workflow>::run(event, $crate::Step::new(step))
                        .map(|value| value.to_string())
                }
            }

    $crate::bindings::export!(Entrypoint with_types_in $crate::bindings);
        };
    };
}
