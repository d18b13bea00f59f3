//! Policies: a question about one action in, a ruling out.
//!
//! Before a risky action a policy is asked whether it may go ahead, has to be approved by people first, or may not happen at all.
//! The [`Question`] holds what the host measured, and nothing that a workflow says about itself; the [`Ruling`] holds the answer and
//! the rules that led to it. The same question is asked twice: when the action is requested, without any approval, and when its
//! receipt is spent, with the approvals that were verified by then.
//!
//! ```
//! use policy::{Answer, Component, Environment, Novelty, Policy, Question, Toml};
//!
//! let policy = Toml::parse(r#"
//!     [[rule]]
//!     id = "production"
//!     environment = "production"
//!     then = "ask"
//!     role = "release"
//!     approvals = 2
//! "#)?;
//! # let (tenant, actor) = ("acme".parse()?, "agent:builder".parse()?);
//! let question = Question {
//!     tenant: &tenant,
//!     actor: &actor,
//!     capability: "cloudflare.dynamic-worker.deploy",
//!     resource: "cloudflare://workers/acme/app",
//!     environment: Environment::Production,
//!     artifact: None,
//!     component: Component { sha256: receipt::Digest::of(b"the component"), novelty: Novelty::New },
//!     approvals: &[],
//! };
//! let ruling = policy.rule(&question);
//! assert_eq!(ruling.to_string(), "ask 2 of release by production");
//! assert!(matches!(ruling.answer, Answer::Ask(_)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! There are two engines behind one trait, [`Policy`]: [`Toml`], a list of rules, and with the feature `cedar` the Cedar language.
//!
//! # Invariants
//!
//! Both engines are held to these by one test suite.
//!
//! 1. *Pure.* The ruling depends on the policy's text and the question: no clock, no IO, no state.
//! 2. *Monotone.* An approval more never turns `allow` into anything else, and never turns `ask` into `deny`.
//! 3. *What is asked for is what is enough.* An `ask` becomes `allow` exactly when one of its quorums is met.
//! 4. *People are counted, not entries.* The order of approvals does not matter; one person twice is one person; who lacks the role
//!    does not count for it.
//! 5. *Deny wins.* No rule overrules one that denies.
//! 6. *Nothing is guessed.* A text that is not understood in full is no policy. A policy that fails at a question denies.

#[cfg(feature = "cedar")]
mod cedar;
mod demand;
mod error;
mod explanation;
mod name;
mod pattern;
mod people;
mod question;
mod rules;
mod ruling;
mod value;

#[cfg(feature = "cedar")]
pub use cedar::Cedar;
pub use demand::Demand;
pub use error::{PolicyError, Problem, Suggestion, Warning};
pub use explanation::{Considered, Explanation, Fate, Mismatch};
pub use name::{InvalidName, RuleId};
pub use people::Approver;
pub use question::{Artifact, Component, Environment, Novelty, Question, UnknownEnvironment};
pub use rules::{Toml, ask_one};
pub use ruling::{Answer, Ask, KeyClass, Need, Quorum, Ruling, Says, TooManyPeople};
pub use value::{InvalidValue, parse_duration, show_duration};

pub use receipt::{PersonId, Role};

pub(crate) use pattern::Pattern;

use receipt::Digest;
use std::collections::BTreeSet;

/// The longest text of a policy, in bytes. A thousand rules take a tenth of it.
pub const MOST_TEXT: usize = 1 << 20;

/// The longest message of a denial, in bytes: it stands in a receipt as the reason.
pub const MOST_MESSAGE: usize = receipt::MAX_REASON_LEN;

/// A policy: it decides whether an action may go ahead.
pub trait Policy: Send + Sync {
    /// Answers the question.
    fn rule(&self, question: &Question<'_>) -> Ruling;

    /// Answers the question, and says of each rule why it did or did not decide.
    fn explain(&self, question: &Question<'_>) -> Explanation;

    /// SHA-256 of the policy's exact text.
    fn digest(&self) -> Digest;

    /// What stands in a receipt as the policy's version: the engine, and the first 16 hexadecimal digits of the text's digest.
    fn version(&self) -> String;

    /// Every role that the policy asks for, so that a role without holders can be reported.
    fn roles(&self) -> BTreeSet<Role>;

    /// What its rules want of the place where it governs, so that what cannot be met there can be reported.
    fn demands(&self) -> Vec<Demand>;

    /// What in the text is allowed and probably not meant.
    fn warnings(&self) -> &[Warning];
}

/// The version of a policy of this engine and text.
fn version(engine: &str, digest: &Digest) -> String {
    let digits = digest.to_string();
    format!("{engine}:{}", digits.get(..16).unwrap_or(&digits))
}
