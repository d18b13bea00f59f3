//! Random programs, and random entries with ugly text in them.

use crate::common::program::{Op, Program, Startable, Try};
use crate::common::{action, at, failure};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use receipt::{Decision, Digest, Timestamp};
use workflow::{
    Action, ArtifactFacts, Backoff, CallMode, Check, Effect, Entry, EventType, Failure, Finding, ReceiptId,
    RecordedCommand, RequestId, StepConfig,
};

/// Any program of the size that a person would write.
pub(crate) fn program() -> impl Strategy<Value = Program> {
    vec(op(), 0..5).prop_map(Program)
}

fn op() -> impl Strategy<Value = Op> {
    let leaf = prop_oneof![
        4 => (world_action(), 0_usize..3).prop_map(|(action, times)| Op::Act { action, times }),
        1 => world_action().prop_map(|action| Op::Forge { action }),
        1 => Just(Op::Tangle),
        2 => waited().prop_map(Op::Wait),
        1 => Just(Op::Act { action: Action { resource: String::new(), ..action() }, times: 1 }),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let fails = option::weighted(0.2, Just(failure("broken", "it broke")));
        // Few names, so that one name is used again and again; the empty one is not acceptable.
        let name = select(vec!["build", "test", "build", ""]);
        let step = (name, vec(inner.clone(), 0..4), fails).prop_map(|(name, body, fails)| Op::Step {
            name: name.to_owned(),
            body,
            fails,
        });
        let started = prop_oneof![2 => tried(inner), 3 => waited()];
        prop_oneof![
            2 => step,
            1 => vec(started.clone(), 0..4).prop_map(Op::All),
            1 => vec(started, 1..4).prop_map(Op::Race),
        ]
    })
}

/// A call that a guest can wait for at once.
fn waited() -> impl Strategy<Value = Startable> {
    // Few lengths, so that some things end at the same time.
    let ms = select(vec![0_u64, 10, 20, 1000, 10_000, 20_000]);
    prop_oneof![
        ms.clone().prop_map(Startable::Sleep),
        (select(vec!["sent", "sent.too", "never", "no type"]), ms)
            .prop_map(|(event_type, ms)| Startable::Event(event_type, ms)),
        world_action().prop_map(Startable::Approval),
    ]
}

fn tried(inner: impl Strategy<Value = Op>) -> impl Strategy<Value = Startable> {
    let attempt = prop_oneof![
        4 => Just(Try::Fails),
        2 => select(vec![0, 10, 10_000]).prop_map(Try::FailsFor),
        1 => Just(Try::GivesUp),
        1 => select(vec![9, 11]).prop_map(Try::Takes),
        1 => Just(Try::Mumbles),
    ];
    let backoff = select(vec![Backoff::Constant, Backoff::Linear, Backoff::Exponential]);
    let config = (0_u32..4, select(vec![0_u64, 10, 10_000]), backoff)
        .prop_map(|(retries, delay_ms, backoff)| StepConfig { retries, delay_ms, backoff, timeout_ms: 10 });
    (config, vec(attempt, 0..4), vec(inner, 0..3)).prop_map(|(config, attempts, body)| Startable::Step {
        config,
        attempts,
        body,
    })
}

fn world_action() -> impl Strategy<Value = Action> {
    let words = (
        select(vec!["approve", "approve", "approve", "deny", "lapse", "withdraw"]),
        select(vec!["spend", "spend", "spend", "refuse"]),
        select(vec!["succeed", "fail", "unknown"]),
    );
    words.prop_map(|(decision, gate, effect)| Action {
        resource: format!("world:{decision}/{gate}/{effect}"),
        ..action()
    })
}

/// Text that people would rather not see: control, direction, invisible, quoting, and everything else.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let nasty = select(vec![
        '\n',
        '\r',
        '\0',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '\u{ad}',
        '\u{200b}',
        '\u{2028}',
        '\u{2029}',
        '\u{202e}',
        '\u{2066}',
        '\u{feff}',
        '\u{3164}',
        '\u{e0041}',
        '"',
        '\\',
        '\'',
        'a',
        ' ',
    ]);
    vec(prop_oneof![nasty, any::<char>()], 0..12).prop_map(String::from_iter)
}

pub(crate) fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

pub(crate) fn artifact_facts() -> impl Strategy<Value = ArtifactFacts> {
    (text(), digest(), any::<u64>()).prop_map(|(name, sha256, bytes)| ArtifactFacts { name, sha256, bytes })
}

fn asked() -> impl Strategy<Value = RecordedCommand> {
    prop_oneof![
        text().prop_map(|name| RecordedCommand::Step { name }),
        text().prop_map(|name| RecordedCommand::Sleep { name }),
        (text(), text()).prop_map(|(name, event_type)| RecordedCommand::Event { name, event_type }),
        (text(), text(), digest()).prop_map(|(capability, resource, action)| RecordedCommand::Approval {
            capability,
            resource,
            action
        }),
        (text(), text(), artifact_facts(), receipt()).prop_map(
            |(capability, resource, artifact, receipt)| {
                RecordedCommand::Perform { capability, resource, artifact, receipt }
            }
        ),
    ]
}

fn failures() -> impl Strategy<Value = Failure> {
    (text(), text()).prop_map(|(name, message)| Failure { name, message })
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![(0_i64..1_000_000_000_000).prop_map(at), any::<i64>().prop_map(Timestamp::from_millis)]
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        (text(), time(), time()).prop_map(|(output, started_at, finished_at)| Effect::Succeeded {
            output,
            started_at,
            finished_at
        }),
        (text(), time(), time()).prop_map(|(message, started_at, finished_at)| Effect::Failed {
            message,
            started_at,
            finished_at
        }),
        text().prop_map(|message| Effect::Unknown { message }),
    ]
}

fn request() -> impl Strategy<Value = RequestId> {
    "[A-Za-z0-9_-]{1,100}".prop_map(|id| id.parse().unwrap())
}

fn receipt() -> impl Strategy<Value = ReceiptId> {
    "[A-Za-z0-9_-]{1,100}".prop_map(|id| id.parse().unwrap())
}

fn decision() -> impl Strategy<Value = Decision> {
    select(vec![Decision::Approved, Decision::Denied])
}

fn check() -> impl Strategy<Value = Check> {
    select(crate::entries::CHECKS.to_vec())
}

/// Any entry at all, also ones that no guest could bring about.
pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![beginning_or_end(), step(), wait(), course(), authority(), action_taken()]
}

fn beginning_or_end() -> impl Strategy<Value = Entry> {
    prop_oneof![
        (digest(), any::<u64>(), vec(text(), 0..3)).prop_map(|(component, bytes, imports)| Entry::Loaded {
            component,
            bytes,
            imports
        }),
        (
            "[a-z]{1,9}",
            "[a-z:@/.]{1,9}",
            text(),
            text(),
            digest(),
            option::of(person()),
            option::of(person())
        )
            .prop_map(|(tenant, actor, workflow, params, seed, operator, submitter)| {
                Entry::Started {
                    tenant: tenant.parse().unwrap(),
                    actor: actor.parse().unwrap(),
                    workflow,
                    params,
                    seed,
                    operator,
                    submitter,
                }
            }),
        text().prop_map(|output| Entry::Completed { output }),
        failures().prop_map(|failure| Entry::Failed { failure }),
    ]
}

fn person() -> impl Strategy<Value = receipt::PersonId> {
    "[a-z]{1,9}".prop_map(|name| name.parse().unwrap())
}

fn step() -> impl Strategy<Value = Entry> {
    prop_oneof![
        (any::<u32>(), text(), option::of(config()), mode())
            .prop_map(|(call, name, config, mode)| { Entry::StepStarted { call, name, config, mode } }),
        (any::<u32>(), any::<u32>(), failures(), time()).prop_map(|(call, attempt, failure, retry_at)| {
            Entry::AttemptFailed { call, attempt, failure, retry_at }
        }),
        (any::<u32>(), any::<u32>()).prop_map(|(call, attempt)| Entry::AttemptStarted { call, attempt }),
        (any::<u32>(), text()).prop_map(|(call, output)| Entry::StepCompleted { call, output }),
        (any::<u32>(), failures()).prop_map(|(call, failure)| Entry::StepFailed { call, failure }),
        (any::<u32>(), asked(), text()).prop_map(|(call, asked, message)| Entry::Rejected {
            call,
            asked,
            message
        }),
    ]
}

fn wait() -> impl Strategy<Value = Entry> {
    let call = any::<u32>;
    prop_oneof![
        (call(), text(), time(), mode()).prop_map(|(call, name, until, mode)| Entry::SleepStarted {
            call,
            name,
            until,
            mode
        }),
        call().prop_map(|call| Entry::SleepEnded { call }),
        (call(), text(), event_type(), time(), mode()).prop_map(|(call, name, event_type, until, mode)| {
            Entry::WaitStarted { call, name, event_type, until, mode }
        }),
        (call(), call()).prop_map(|(call, event)| Entry::WaitMatched { call, event }),
        call().prop_map(|call| Entry::WaitTimedOut { call }),
        (event_type(), text(), time()).prop_map(|(event_type, payload, at)| Entry::EventReceived {
            event_type,
            payload,
            at
        }),
        vec(call(), 0..40).prop_map(|calls| Entry::Awaiting { calls }),
        call().prop_map(|call| Entry::Delivered { call }),
    ]
}

fn course() -> impl Strategy<Value = Entry> {
    prop_oneof![
        text().prop_map(|by| Entry::Paused { by }),
        text().prop_map(|by| Entry::Resumed { by }),
        (any::<u32>(), text()).prop_map(|(call, message)| Entry::Diverged { call, message }),
        (any::<u32>(), text()).prop_map(|(from, by)| Entry::Restarted { from, by }),
        (text(), option::of(text())).prop_map(|(by, reason)| Entry::Terminated { by, reason }),
        (any::<u32>(), select(vec![Finding::Succeeded, Finding::Failed]), text(), option::of(text()))
            .prop_map(|(call, finding, by, reason)| Entry::Resolved { call, finding, by, reason }),
    ]
}

fn config() -> impl Strategy<Value = StepConfig> {
    let backoff = select(vec![Backoff::Constant, Backoff::Linear, Backoff::Exponential]);
    (any::<u32>(), any::<u64>(), backoff, any::<u64>()).prop_map(
        |(retries, delay_ms, backoff, timeout_ms)| StepConfig { retries, delay_ms, backoff, timeout_ms },
    )
}

fn mode() -> impl Strategy<Value = CallMode> {
    select(vec![CallMode::Blocking, CallMode::Started])
}

fn event_type() -> impl Strategy<Value = EventType> {
    "[A-Za-z0-9_.:-]{1,100}".prop_map(|text| text.parse().unwrap())
}

fn authority() -> impl Strategy<Value = Entry> {
    prop_oneof![
        (any::<u32>(), request(), asked(), option::of(artifact_facts()), text(), time(), mode()).prop_map(
            |(call, request, asked, artifact, input_hash, expires_at, mode)| Entry::Requested {
                call,
                request,
                asked,
                artifact,
                input_hash,
                expires_at,
                mode,
            }
        ),
        (request(), decision(), text(), option::of(text())).prop_map(
            |(request, decision, decider, reason)| { Entry::Decided { request, decision, decider, reason } }
        ),
        (request(), receipt(), decision(), text(), time(), text()).prop_map(
            |(request, receipt, decision, key_id, expires_at, document)| Entry::Issued {
                request,
                receipt,
                decision,
                key_id,
                expires_at,
                document,
            }
        ),
        request().prop_map(|request| Entry::Lapsed { request }),
        (request(), decision(), text(), text(), text()).prop_map(
            |(request, decision, decider, key_id, envelope)| Entry::Signed {
                request,
                decision,
                decider,
                key_id,
                envelope,
            }
        ),
        (request(), text(), option::of(text())).prop_map(|(request, by, reason)| Entry::Withdrawn {
            request,
            by,
            reason
        }),
    ]
}

fn action_taken() -> impl Strategy<Value = Entry> {
    prop_oneof![
        (any::<u32>(), asked(), receipt(), digest()).prop_map(|(call, asked, receipt, idempotency_key)| {
            Entry::Redeemed { call, asked, receipt, idempotency_key }
        }),
        (any::<u32>(), asked(), check(), text()).prop_map(|(call, asked, check, message)| Entry::Refused {
            call,
            asked,
            check,
            message
        }),
        (any::<u32>(), receipt(), effect()).prop_map(|(call, receipt, effect)| Entry::Performed {
            call,
            receipt,
            effect
        }),
        (any::<u32>(), receipt(), text(), text()).prop_map(|(call, receipt, key_id, document)| {
            Entry::Attested { call, receipt, key_id, document }
        }),
    ]
}
