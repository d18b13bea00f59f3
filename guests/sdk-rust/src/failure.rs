//! Failures: what the journal records of them, and what happens to a step that fails.

use crate::bindings::permission_protocol::tenant::workflow;
use crate::tries::millis;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::fmt;
use std::fmt::Display;
use std::time::Duration;

/// A failure of a step or of the workflow, with a name for programs and a message for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A short name for the kind of failure: `invalid-params`.
    pub name: String,
    /// What went wrong.
    pub message: String,
}

/// Makes a failure with this name.
pub fn failure(name: &str, message: impl Display) -> Failure {
    Failure { name: name.to_owned(), message: message.to_string() }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl std::error::Error for Failure {}

impl From<workflow::Failure> for Failure {
    fn from(workflow::Failure { name, message }: workflow::Failure) -> Self {
        Self { name, message }
    }
}

impl From<Failure> for workflow::Failure {
    fn from(Failure { name, message }: Failure) -> Self {
        Self { name, message }
    }
}

impl From<workflow::StepError> for Failure {
    fn from(error: workflow::StepError) -> Self {
        match error {
            workflow::StepError::Rejected(message) => failure("step-rejected", message),
            workflow::StepError::Failed(failure) => failure.into(),
        }
    }
}

/// Why an attempt of a step failed, and whether the step is tried again.
///
/// `?` and `into()` convert every type that implements `Display`; the step is then tried again as its [`Tries`](crate::Tries) say. A [`Failure`]
/// keeps its name; any other type becomes a failure with the name `step-failed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    failure: Failure,
    retry: Option<Retry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    After(Duration),
    Never,
}

impl Fault {
    /// Another attempt would not help: the step fails, however many attempts are left.
    pub fn never(error: impl Display + 'static) -> Self {
        Self { retry: Some(Retry::Never), ..Self::from(error) }
    }

    /// The step is tried again after `delay`, if an attempt is left, whatever the step's own delay is.
    pub fn after(delay: Duration, error: impl Display + 'static) -> Self {
        Self { retry: Some(Retry::After(delay)), ..Self::from(error) }
    }

    /// Ends the attempt with this failure. Returns the recorded failure, which later runs get too.
    pub(crate) fn report(&self, attempt: workflow::Attempt) -> Failure {
        let failure = self.failure.clone().into();
        let recorded = match self.retry {
            None => workflow::Attempt::fail(attempt, &failure),
            Some(Retry::Never) => workflow::Attempt::fail_with(attempt, &failure, workflow::Retry::Never),
            Some(Retry::After(delay)) => {
                workflow::Attempt::fail_with(attempt, &failure, workflow::Retry::After(millis(delay)))
            }
        };
        recorded.into()
    }
}

impl<E: Display + 'static> From<E> for Fault {
    fn from(error: E) -> Self {
        let named = (&error as &dyn Any).downcast_ref::<Failure>().cloned();
        Self { failure: named.unwrap_or_else(|| failure("step-failed", error)), retry: None }
    }
}

/// The JSON that the journal records for a value.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| failure("invalid-result", error))
}

/// The value of recorded JSON.
pub(crate) fn parse<T: DeserializeOwned>(output: &str) -> Result<T, Failure> {
    serde_json::from_str(output).map_err(|error| failure("invalid-result", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_its_name_on_the_way_through_a_step() {
        let named = Fault::from(failure("sold-out", "no lamps"));
        assert_eq!((named.failure, named.retry), (failure("sold-out", "no lamps"), None));
        assert_eq!(Fault::from("no lamps").failure, failure("step-failed", "no lamps"));
        let never = Fault::never(failure("sold-out", "no lamps"));
        assert_eq!((never.failure.name.as_str(), never.retry), ("sold-out", Some(Retry::Never)));
        let after = Fault::after(Duration::from_secs(1), "later");
        assert_eq!(after.retry, Some(Retry::After(Duration::from_secs(1))));
    }

    #[test]
    fn a_failure_says_its_name_and_what_went_wrong() {
        assert_eq!(failure("sold-out", "no lamps").to_string(), "sold-out: no lamps");
        let rejected = Failure::from(workflow::StepError::Rejected("too long".to_owned()));
        assert_eq!(rejected, failure("step-rejected", "too long"));
    }
}
