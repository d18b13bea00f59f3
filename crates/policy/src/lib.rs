//! Policies: a question about one action in, a ruling out.
//!
//! A policy decides whether a risky action is allowed, needs people's approval first, or is denied. The [`Question`]
//! has the facts that the host measured, and none of the workflow's claims; the [`Ruling`] has the answer and the rules
//! that led to it. The same question is asked twice: when the action is requested, without any approval, and when its
//! receipt is spent, with the approvals that have been verified.
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
//! 1. *Pure.* The ruling depends only on the policy's text and the question: no clock, no IO, no state.
//! 2. *Monotone.* An additional approval never turns `allow` into another answer, and never turns `ask` into `deny`.
//! 3. *Sufficient.* An `ask` becomes `allow` exactly when one of its quorums is met.
//! 4. *People are counted, not entries.* The order of approvals does not matter, one person twice is one person, and a
//!    person counts only for the roles that the person has.
//! 5. *Deny wins.* No rule overrules one that denies.
//! 6. *No guessing.* A text that is not understood in full is refused. A policy whose evaluation fails denies.

#[cfg(feature = "cedar")]
mod cedar;
mod error;
mod grammar;
mod people;
mod question;
mod rules;
mod ruling;

#[cfg(feature = "cedar")]
pub use cedar::Cedar;
pub use error::{PolicyError, PolicyErrorKind, Suggestion, Warning};
pub use grammar::name::{InvalidName, RuleId};
pub use grammar::value::{InvalidValue, parse_duration, show_duration};
pub use people::Approver;
pub use question::{Artifact, Component, Environment, Novelty, Question, UnknownEnvironment};
pub use rules::{Toml, ask_one};
pub use ruling::demand::Demand;
pub use ruling::explanation::{Considered, Explanation, Mismatch, RuleOutcome};
pub use ruling::{Answer, AnswerKind, Ask, KeyClass, Need, Quorum, Ruling, TooManyPeople};

pub use receipt::{PersonId, Role};

pub(crate) use grammar::pattern::Pattern;

use receipt::Digest;
use std::collections::BTreeSet;

/// The longest text of a policy, in bytes. A thousand rules take a tenth of it.
pub const MOST_TEXT: usize = 1 << 20;

/// The longest message of a denial, in bytes: the receipt has it as the reason.
pub const MOST_MESSAGE: usize = receipt::MAX_REASON_LEN;

/// A policy: it decides whether an action may go ahead.
pub trait Policy: Send + Sync {
    /// Answers the question.
    fn rule(&self, question: &Question<'_>) -> Ruling;

    /// Answers the question, with each rule's part in the answer.
    fn explain(&self, question: &Question<'_>) -> Explanation;

    /// SHA-256 of the policy's exact text.
    fn digest(&self) -> Digest;

    /// The policy version that receipts have: the engine, and the first 16 hexadecimal digits of the text's digest.
    fn version(&self) -> String;

    /// Every role that the policy asks for, so that roles without holders can be reported.
    fn roles(&self) -> BTreeSet<Role>;

    /// The requirements of its rules, so that those that cannot be met can be reported.
    fn demands(&self) -> Vec<Demand>;

    /// Parts of the text that are valid and probably mistakes.
    fn warnings(&self) -> &[Warning];
}

/// The version of a policy of this engine and text.
fn version(engine: &str, digest: &Digest) -> String {
    let digits = digest.to_string();
    format!("{engine}:{}", digits.get(..16).unwrap_or(&digits))
}
