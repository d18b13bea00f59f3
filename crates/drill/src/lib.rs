//! The attack suite: attacks by a hostile tenant, by a hostile approval side and on the data folder, and the expected
//! refusal of each.
//!
//! It ships with the host, so that an operator can run it on the production machine (`pp-host drill`). Every attack
//! runs on a real [`Host`](engine::Host) in a temporary folder, with limits small enough that the whole suite takes
//! seconds. Wherever an attacker's code runs, a neighbour of another tenant runs on the same host at the same time, and
//! must finish its work.
//!
//! ```no_run
//! let drill = drill::Drill::new();
//! for attack in drill::attacks() {
//!     let verdict = drill.run(&attack);
//!     println!("{} {}", attack.name(), if verdict.held() { "held" } else { "BROKEN" });
//! }
//! ```

mod approval;
mod fixture;
mod guests;
mod operator;

pub use fixture::authenticator;

use engine::capability::Deployment;
use fixture::ending::{Ending, Refusal};
use fixture::target::Target;
use fixture::{Fixture, Setup};
use sandbox::Compiler;
use std::fmt;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use tempfile::TempDir;

/// Why an attack could not be tried. This is not a refusal: the attack counts as not held.
type SetupError = Box<dyn std::error::Error + Send + Sync>;

/// One attack.
#[derive(Debug, Clone)]
pub struct Attack {
    name: &'static str,
    tries: &'static str,
    attacker: Attacker,
    refusal: Refusal,
    method: Method,
}

/// The attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attacker {
    /// A tenant, with the component that it hands in.
    Guest,
    /// An attacker who reaches the deciding side, or its input.
    Approval,
    /// An attacker who reaches the data folder, or the machine's clock.
    Operator,
}

/// The way to try it.
#[derive(Debug, Clone, Copy)]
enum Method {
    /// The drill passes these bytes to the loader.
    Load(fn() -> Result<Vec<u8>, SetupError>),
    /// The hostile guest runs with these parameters; without them, with its own name as the attack.
    Hostile(LimitProfile, Option<&'static str>),
    /// A workflow in JavaScript whose `run` has this body.
    Script(fn() -> String),
    /// A core module runs inside `frame.wat`.
    Raw(LimitProfile, &'static str),
    /// On a host that other attacks use too: the attack touches only its own data.
    Shared(fn(&Fixture) -> Result<Ending, SetupError>),
    /// On hosts that it makes itself.
    Apart(fn() -> Result<Ending, SetupError>),
    /// On a host of its own, with this setup.
    Alone(fn() -> Setup, fn(Fixture) -> Result<Ending, SetupError>),
}

/// The limits that a guest is expected to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LimitProfile {
    /// Few of everything.
    Tight,
    /// Unlimited fuel, and two seconds of time.
    Clock,
}

/// The result of an attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    held: bool,
    message: String,
    unapproved: Vec<Deployment>,
}

/// The evidence to judge an attack by.
struct AttackEvidence {
    ending: Ending,
    /// The target of the host that was attacked.
    target: Arc<Target>,
    unapproved: Vec<Deployment>,
}

impl Attack {
    /// The attack's name, for the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The attack in one line.
    #[must_use]
    pub fn tries(&self) -> &'static str {
        self.tries
    }

    /// The attacker.
    #[must_use]
    pub fn attacker(&self) -> Attacker {
        self.attacker
    }

    /// The refusal that it has to meet with, in words.
    #[must_use]
    pub fn refusal(&self) -> String {
        self.refusal.to_string()
    }
}

impl Verdict {
    /// Whether the attack met the expected refusal, and no neighbour was harmed.
    #[must_use]
    pub fn held(&self) -> bool {
        self.held
    }

    /// Deployments that the target has recorded and that no approval covers. It is the target's own record, not the journal.
    #[must_use]
    pub fn unapproved(&self) -> &[Deployment] {
        &self.unapproved
    }

    /// The host's message, or a description of what succeeded. It may repeat an attacker's words: show it with
    /// [`workflow::Escaped`].
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl Verdict {
    fn broken(message: String) -> Self {
        Self { held: false, message, unapproved: Vec::new() }
    }
}

impl AttackEvidence {
    /// The end, and the target's records at that time. The folder exists until they have been read.
    fn after(
        (_folder, target): (Arc<TempDir>, Arc<Target>),
        ending: Result<Ending, SetupError>,
    ) -> Result<Self, SetupError> {
        let unapproved = target.unapproved()?;
        Ok(Self { ending: ending?, target, unapproved })
    }

    fn verdict(self, refusal: Refusal) -> Verdict {
        let Self { ending, target, unapproved } = self;
        let held = unapproved.is_empty() && refusal.is_met_by(&ending) && refusal.allows(&ending, &target);
        let done = unapproved.iter().map(|deployment| format!("; {} was not approved", deployment.id));
        Verdict { held, message: ending.to_string() + &done.collect::<String>(), unapproved }
    }
}

impl fmt::Display for Attacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guest => "guest",
            Self::Approval => "approval",
            Self::Operator => "operator",
        })
    }
}

/// Every attack: guests first, from loading to running, then the approval side, then the operator's.
#[must_use]
pub fn attacks() -> Vec<Attack> {
    [
        guests::loading::attacks(),
        guests::raw::attacks(),
        guests::attacks(),
        guests::started_calls::attacks(),
        guests::quotas::attacks(),
        guests::scripts::attacks(),
        guests::wasi::attacks(),
        guests::spoofed_text::attacks(),
        approval::decisions::attacks(),
        approval::people::attacks(),
        approval::passkeys::attacks(),
        operator::planted::attacks(),
        approval::precedents::attacks(),
        approval::authority::attacks(),
        operator::attacks(),
    ]
    .concat()
}

/// Every attack as a Markdown table, for `docs/threat-model.md`.
#[must_use]
pub fn table() -> String {
    let mut table = "| Attack | By | Tries | Refused |\n| --- | --- | --- | --- |\n".to_owned();
    for attack in attacks() {
        let Attack { name, tries, attacker, refusal, .. } = attack;
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| `{name}` | {attacker} | {tries} | {refusal} |");
    }
    table
}

/// Hosts to be attacked.
#[derive(Default)]
pub struct Drill {
    tight: OnceLock<Result<Fixture, String>>,
    clock: OnceLock<Result<Fixture, String>>,
    compiler: Compiler,
}

impl Drill {
    /// A drill. Its hosts are made when the first attack needs them, and are gone with it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The process in which its hosts compile. Default: this process.
    #[must_use]
    pub fn compiled_by(mut self, compiler: Compiler) -> Self {
        self.compiler = compiler;
        self
    }

    /// Tries one attack. Blocks the thread, and may be called where a Tokio runtime runs.
    #[must_use]
    pub fn run(&self, attack: &Attack) -> Verdict {
        let tried = std::thread::scope(|scope| scope.spawn(|| self.try_it(attack)).join());
        match tried {
            Ok(Ok(tried)) => tried.verdict(attack.refusal),
            Ok(Err(obstacle)) => Verdict::broken(format!("could not be tried: {obstacle}")),
            Err(_) => Verdict::broken("the host panicked".to_owned()),
        }
    }

    fn try_it(&self, attack: &Attack) -> Result<AttackEvidence, SetupError> {
        let on = |profile: LimitProfile, tries: &dyn Fn(&Fixture) -> Result<Ending, SetupError>| {
            let fixture = self.fixture(profile)?;
            AttackEvidence::after(fixture.scene(), tries(fixture))
        };
        match attack.method {
            Method::Load(bytes) => on(LimitProfile::Tight, &|fixture| {
                Ok(Ending::of(fixture.host().load(bytes()?).map(|_| "the component was loaded")))
            }),
            Method::Hostile(profile, params) => {
                let own = format!(r#"{{"attack":"{}"}}"#, attack.name);
                on(profile, &|fixture| fixture.among_neighbours(fixture::HOSTILE, params.unwrap_or(&own)))
            }
            Method::Script(body) => on(LimitProfile::Tight, &|fixture| {
                fixture.among_neighbours(&guests::scripts::workflow(&body())?, "{}")
            }),
            Method::Raw(profile, module) => {
                on(profile, &|fixture| fixture.among_neighbours(&guests::raw::component(module)?, "{}"))
            }
            Method::Shared(tries) => on(LimitProfile::Tight, &tries),
            Method::Apart(tries) => {
                let folder = Arc::new(TempDir::with_prefix("pp-host-drill-")?);
                let target = Arc::new(Target::new(folder.path().to_owned()));
                AttackEvidence::after((folder, target), tries())
            }
            Method::Alone(setup, tries) => {
                let fixture = Fixture::new(self.setup(setup))?;
                AttackEvidence::after(fixture.scene(), tries(fixture))
            }
        }
    }

    fn setup(&self, setup: fn() -> Setup) -> Setup {
        Setup { compiler: self.compiler.clone(), ..setup() }
    }

    fn fixture(&self, profile: LimitProfile) -> Result<&Fixture, SetupError> {
        let (fixture, setup) = match profile {
            LimitProfile::Tight => (&self.tight, Setup::tight as fn() -> Setup),
            LimitProfile::Clock => (&self.clock, Setup::clock as fn() -> Setup),
        };
        let made =
            fixture.get_or_init(|| Fixture::new(self.setup(setup)).map_err(|obstacle| obstacle.to_string()));
        made.as_ref().map_err(|obstacle| obstacle.clone().into())
    }
}
