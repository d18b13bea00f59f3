//! A shell that performs the core's turns in a world made of words: an action's resource determines its outcome.
//!
//! `world:approve/spend/succeed` is approved, passes the gate and succeeds. The words may also be `deny` or `lapse`,
//! `refuse`, and `fail` or `unknown`. The shell can die on any append: its deed is then done and its entry not written.

use super::place::{Places, check_answered};
use super::program::{Guest, Program, Seen};
use super::{Ask as _, about, at, origin, request_id};
use receipt::{Decision, Digest, Timestamp};
use workflow::{
    Call, Check, Divergence, Effect, Entry, Failure, Invocation, Limits, Live, Outcome, RecordedCommand,
    Replay, RequestId, Status, Turn,
};

/// Why a drive ended before the program did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stop {
    Parked,
    Died,
    /// The guest broke a rule, and the instance has ended with this.
    Broke(Failure),
    Diverged(Box<Divergence>),
}

/// A host in miniature, for one drive.
pub(crate) struct Shell {
    replay: Replay,
    journal: Vec<Entry>,
    /// All deeds that the core asked for, in order.
    deeds: Vec<Turn>,
    /// The number of entries that it can still write before it dies.
    life: usize,
    now: Timestamp,
    around: Around,
}

/// The other events of an instance during a drive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Around {
    Nothing,
    /// Before every write, another writer was faster.
    News,
}

/// One drive and its end.
pub(crate) struct Drive {
    pub(crate) before: usize,
    pub(crate) journal: Vec<Entry>,
    pub(crate) deeds: Vec<Turn>,
    pub(crate) bodies: Vec<Call>,
    pub(crate) places: Places,
    pub(crate) end: Result<Vec<Seen>, Stop>,
}

/// All drives of one instance until it ended.
pub(crate) struct Run {
    pub(crate) journal: Vec<Entry>,
    pub(crate) drives: Vec<Drive>,
    /// What the guest saw until it returned, or the rule that it broke.
    pub(crate) end: Result<Vec<Seen>, Stop>,
}

/// Drives `program` once on `journal`; the shell dies when it tries to write more than `life` entries.
pub(crate) fn drive(program: &Program, journal: &[Entry], limits: Limits, life: usize) -> Drive {
    drive_at(clock(journal), program, journal, limits, (life, Around::Nothing))
}

fn drive_at(
    now: Timestamp,
    program: &Program,
    journal: &[Entry],
    limits: Limits,
    (life, around): (usize, Around),
) -> Drive {
    let replay = Replay::fold(journal, limits).unwrap();
    let mut shell = Shell { replay, journal: journal.to_vec(), deeds: Vec::new(), life, now, around };
    let mut guest = Guest::new(&mut shell);
    let end = guest.run(program);
    let bodies = std::mem::take(&mut guest.bodies);
    let places = std::mem::take(&mut guest.places);
    Drive { before: journal.len(), journal: shell.journal, deeds: shell.deeds, bodies, places, end }
}

/// Drives `program` on `journal` until it ends. The first drives die after the numbers of entries in `lives`.
pub(crate) fn run(program: &Program, journal: &[Entry], lives: &[usize]) -> Run {
    run_within(&Limits::default(), program, journal, lives)
}

/// The same within other limits.
pub(crate) fn run_within(limits: &Limits, program: &Program, journal: &[Entry], lives: &[usize]) -> Run {
    run_amid(Around::Nothing, limits, program, journal, lives)
}

/// The same while other things happen.
pub(crate) fn run_amid(
    around: Around,
    limits: &Limits,
    program: &Program,
    journal: &[Entry],
    lives: &[usize],
) -> Run {
    let (mut journal, mut drives) = (journal.to_vec(), Vec::new());
    let mut lives = lives.iter().copied();
    let mut now = clock(&journal);
    loop {
        let life = lives.next().unwrap_or(usize::MAX);
        let drive = drive_at(now, program, &journal, limits.clone(), (life, around));
        let end = drive.end.clone();
        journal = drive.journal.clone();
        drives.push(drive);
        match end {
            Ok(_) | Err(Stop::Broke(_)) => return Run { journal, drives, end },
            Err(Stop::Parked) => now = wait(now, &mut journal),
            Err(Stop::Died) => now = clock(&journal),
            Err(Stop::Diverged(divergence)) => panic!("{divergence}"),
        }
    }
}

/// A run that nothing disturbs.
pub(crate) fn run_straight(program: &Program) -> Run {
    run(program, &origin(), &[])
}

/// The time in a world that only advances while an instance waits: the latest time that an ended wait has reached.
fn clock(journal: &[Entry]) -> Timestamp {
    let mut due = std::collections::BTreeMap::new();
    let mut now = at(0);
    for entry in journal {
        let ended = match entry {
            Entry::SleepStarted { call, until, .. } | Entry::WaitStarted { call, until, .. } => {
                due.insert(call.to_string(), *until);
                None
            }
            Entry::AttemptFailed { call, retry_at, .. } => {
                due.insert(call.to_string(), *retry_at);
                None
            }
            Entry::Requested { request, expires_at, .. } => {
                due.insert(request.to_string(), *expires_at);
                None
            }
            Entry::SleepEnded { call }
            | Entry::WaitTimedOut { call }
            | Entry::AttemptStarted { call, .. } => due.get(&call.to_string()),
            Entry::Lapsed { request } => due.get(request.as_str()),
            Entry::EventReceived { at, .. } => Some(at),
            _ => None,
        };
        now = ended.copied().unwrap_or(now).max(now);
    }
    now
}

/// The world answers the first wait that it can; where it cannot, time passes.
fn wait(now: Timestamp, journal: &mut Vec<Entry>) -> Timestamp {
    let Status::Waiting(wait) = super::fold(journal).status() else { panic!("nothing waits") };
    if let Some(request) = wait.requests().find(|request| !word(journal, request, 0).starts_with("lapse")) {
        decide(journal, request.clone());
        return now;
    }
    let mut types = wait.event_types();
    if let Some(event_type) = types.find(|event_type| event_type.as_str().starts_with("sent")) {
        let is_sent = |entry: &&Entry| matches!(entry, Entry::EventReceived { event_type, .. } if event_type.as_str() != NEWS);
        let sent = journal.iter().filter(is_sent).count();
        let (event_type, payload) = (event_type.clone(), sent.to_string());
        journal.push(Entry::EventReceived { event_type, payload, at: now });
        return now;
    }
    wait.due().unwrap()
}

/// The type of events without a wait.
const NEWS: &str = "news";

fn later(than: Timestamp, ms: u64) -> Timestamp {
    Timestamp::from_millis(than.as_millis() + i64::try_from(ms).unwrap())
}

/// A decision about a request, signed at once.
fn decide(journal: &mut Vec<Entry>, request: RequestId) {
    let decision = match word(journal, &request, 0).as_str() {
        // Two have to agree.
        "approve" => {
            if !journal
                .iter()
                .any(|entry| matches!(entry, Entry::Signed { request: signed, .. } if *signed == request))
            {
                journal.push(about::signed(request.clone(), Decision::Approved));
            }
            Decision::Approved
        }
        "deny" => Decision::Denied,
        "withdraw" => return journal.push(about::withdrawn(request)),
        other => panic!("{other} is no decision"),
    };
    let receipt = request.as_str().replace("request", "receipt").parse().unwrap();
    journal.extend([about::decided(request.clone(), decision), about::issued(request, receipt, decision)]);
}

/// One of the words in the resource of a request.
fn word(journal: &[Entry], wanted: &RequestId, index: usize) -> String {
    let resource = journal.iter().find_map(|entry| match entry {
        Entry::Requested { request, asked: RecordedCommand::Approval { resource, .. }, .. }
            if request == wanted =>
        {
            Some(resource)
        }
        _ => None,
    });
    nth(resource.unwrap(), index)
}

fn nth(resource: &str, index: usize) -> String {
    resource.trim_start_matches("world:").split('/').nth(index).unwrap_or_default().to_owned()
}

impl Shell {
    /// Answers a guest as the host does: the loop around [`Replay::next`].
    pub(crate) fn answer(&mut self, command: &workflow::Command) -> Result<Outcome, Stop> {
        self.answer_after(0, command)
    }

    /// The same, asked `ms` milliseconds later. The next command is asked at the earlier time again.
    pub(crate) fn answer_after(&mut self, ms: u64, command: &workflow::Command) -> Result<Outcome, Stop> {
        let now = later(self.now, ms);
        let before = (self.replay.position(), self.journal.len());
        loop {
            let turn = self.replay.ask(command, now).map_err(diverged)?;
            let position = self.replay.position();
            assert!(matches!(turn, Turn::Return(_)) || position == before.0, "{turn:?} is no answer yet");
            match turn {
                Turn::Return(outcome) => {
                    check_answered(&self.journal, before, position, &outcome);
                    return Ok(outcome);
                }
                Turn::Wait(_) => return Err(Stop::Parked),
                Turn::Break(failure) => {
                    self.append(Entry::Failed { failure: failure.clone() })?;
                    return Err(Stop::Broke(failure));
                }
                Turn::Record(entry) => {
                    self.deeds.push(Turn::Record(entry.clone()));
                    self.append(entry)?;
                }
                Turn::Do(live) => {
                    self.deeds.push(Turn::Do(live.clone()));
                    let entry = self.carry_out(live);
                    self.append(entry)?;
                }
            }
        }
    }

    /// The guest's position in the journal.
    pub(crate) fn position(&self) -> usize {
        self.replay.position()
    }

    /// Records the guest's own end.
    pub(crate) fn finish(&mut self, result: &Result<String, Failure>) -> Result<(), Stop> {
        let entry = self.replay.finish(result).map_err(diverged)?;
        self.append(entry)
    }

    fn append(&mut self, entry: Entry) -> Result<(), Stop> {
        self.life = self.life.checked_sub(1).ok_or(Stop::Died)?;
        self.replay.apply(&entry).unwrap();
        if self.around == Around::News {
            self.hear_news(&entry);
        }
        self.journal.push(entry);
        Ok(())
    }

    /// Signals arrive before the entry that is about to be written.
    fn hear_news(&mut self, unwritten: &Entry) {
        let (event_type, payload) = (NEWS.parse().unwrap(), "{}".to_owned());
        self.journal.push(Entry::EventReceived { event_type, payload, at: self.now });
        let unwritten = std::slice::from_ref(unwritten);
        self.replay = self.replay.caught_up(&self.journal, unwritten).unwrap().unwrap();
    }

    fn carry_out(&self, live: Live) -> Entry {
        match live {
            Live::Request { call, asked, action, mode } => {
                let artifact = action.artifact.map(|artifact| artifact.facts().clone());
                let input_hash = action.capability;
                Entry::Requested {
                    call,
                    request: request_id(call),
                    asked,
                    artifact,
                    input_hash,
                    expires_at: later(self.now, 1000),
                    mode,
                }
            }
            Live::Redeem { call, asked, invocation } => self.redeem(call, asked, &invocation),
            Live::Effect { call, invocation, .. } => {
                let effect = self.effect(&invocation);
                Entry::Performed { call, receipt: invocation.receipt, effect }
            }
            Live::Attest { call, receipt, .. } => about::attested(call, receipt),
        }
    }

    fn redeem(&self, call: Call, asked: RecordedCommand, invocation: &Invocation) -> Entry {
        let receipt = invocation.receipt.clone();
        let spent =
            |entry: &Entry| matches!(entry, Entry::Redeemed { receipt: spent, .. } if *spent == receipt);
        let known =
            |entry: &Entry| matches!(entry, Entry::Issued { receipt: known, .. } if *known == receipt);
        let check = match nth(&invocation.resource, 1).as_str() {
            _ if self.journal.iter().any(spent) => Check::Redemption,
            _ if !self.journal.iter().any(known) => Check::Verification,
            "spend" => {
                let idempotency_key = Digest::of(receipt.as_str().as_bytes());
                return Entry::Redeemed { call, asked, receipt, idempotency_key };
            }
            _ => Check::Scope,
        };
        Entry::Refused { call, asked, check, message: "no".to_owned() }
    }

    /// Driven again under the same idempotency key the world answers the same, as a target should. Only the time passes.
    fn effect(&self, invocation: &Invocation) -> Effect {
        let now = at(i64::try_from(self.deeds.len()).unwrap());
        let message = "that is all we know".to_owned();
        match nth(&invocation.resource, 2).as_str() {
            "succeed" => Effect::Succeeded {
                output: format!("{:?}", invocation.receipt.as_str()),
                started_at: now,
                finished_at: now,
            },
            "fail" => Effect::Failed { message, started_at: now, finished_at: now },
            _ => Effect::Unknown { message },
        }
    }
}

fn diverged(divergence: Divergence) -> Stop {
    Stop::Diverged(Box::new(divergence))
}

/// The facts of a journal that do not depend on when they came about.
pub(crate) fn facts(journal: &[Entry]) -> Vec<Entry> {
    let timeless = |effect: &Effect| match effect.clone() {
        Effect::Succeeded { output, .. } => {
            Effect::Succeeded { output, started_at: at(0), finished_at: at(0) }
        }
        Effect::Failed { message, .. } => Effect::Failed { message, started_at: at(0), finished_at: at(0) },
        unknown => unknown,
    };
    let fact = |entry: &Entry| match entry {
        Entry::Performed { call, receipt, effect } => {
            Entry::Performed { call: *call, receipt: receipt.clone(), effect: timeless(effect) }
        }
        other => other.clone(),
    };
    journal.iter().map(fact).collect()
}

/// A drive must not repeat a deed of the journal that it began with.
pub(crate) fn check_drive(drive: &Drive) {
    let (before, written) = drive.journal.split_at(drive.before);
    let signed = |entry: &Entry| matches!(entry, Entry::Decided { .. } | Entry::Issued { .. });
    assert!(!written.iter().any(signed), "a drive decides nothing and signs no decision: {written:#?}");
    let ended = |body: &Call| {
        before.iter().any(|entry| {
            matches!(entry, Entry::StepCompleted { call, .. } | Entry::StepFailed { call, .. } if call == body)
        })
    };
    assert!(!drive.bodies.iter().any(ended), "a completed step ran again: {:?} on {before:#?}", drive.bodies);
    for deed in &drive.deeds {
        if let Turn::Do(Live::Effect { call: acting, interrupted, .. }) = deed {
            let performed = |entry: &Entry| matches!(entry, Entry::Performed { call, .. } if call == acting);
            assert!(!before.iter().any(performed), "an effect ran again: {deed:?} on {before:#?}");
            let redeemed = |entry: &Entry| matches!(entry, Entry::Redeemed { call, .. } if call == acting);
            assert_eq!(*interrupted, before.iter().any(redeemed), "{deed:?} on {before:#?}");
        }
    }
    check_interrupted(drive);
    assert_eq!(unique(&drive.deeds), drive.deeds.len(), "a deed was asked for twice: {:#?}", drive.deeds);
}

/// Every intent without an end in the journal comes back as an interrupted effect, if the guest gets that far.
fn check_interrupted(drive: &Drive) {
    let before = &drive.journal[..drive.before];
    let open = before.iter().rev().find_map(|entry| match entry {
        Entry::Redeemed { call, .. } => Some(*call),
        _ => None,
    });
    let Some(open) = open else { return };
    let performed =
        before.iter().any(|entry| matches!(entry, Entry::Performed { call, .. } if *call == open));
    let again = |deed: &&Turn| matches!(deed, Turn::Do(Live::Effect { call, .. }) if *call == open);
    let expected = usize::from(!performed);
    assert_eq!(drive.deeds.iter().filter(again).count(), expected, "call #{open} on {before:#?}");
}

fn unique(deeds: &[Turn]) -> usize {
    deeds.iter().map(|deed| format!("{deed:?}")).collect::<std::collections::BTreeSet<_>>().len()
}
