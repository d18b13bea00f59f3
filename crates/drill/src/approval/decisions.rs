//! The approval side through its front door: who decides what, when, and about whose instance.

use crate::fixture::{ATTACKER, Fixture, Setup, VICTIM, judgement};
use crate::{Attack, Attacker, Ending, Method, Refusal, SetupError};
use engine::issuer::DemoDecider;
use engine::trust::Act;
use engine::{Error, Status};
use receipt::Decision;
use std::thread;
use store::InstanceKey;
use workflow::{Check, TenantId};

const NO_INSTANCE: &str = "there is no instance";

pub(crate) fn attacks() -> Vec<Attack> {
    [asking(), timing(), strangers()].concat()
}

fn asking() -> Vec<Attack> {
    vec![
        shared(
            "self-approval",
            "The agent that acts approves itself.",
            "cannot decide or review it",
            self_approval,
        ),
        shared(
            "resume-without-decision",
            "Resumes a waiting workflow again and again.",
            "it still waits",
            undecided,
        ),
        shared(
            "invented-request",
            "Approves a request that was never made.",
            "there is no request",
            |fixture| {
                Ok(Ending::of(
                    fixture.decide(&"apr_invented".parse()?, Decision::Approved).map(|receipt| receipt.id),
                ))
            },
        ),
        shared("decided-twice", "Approves a denied request.", "does not wait for a decision", decided_twice),
        shared(
            "decided-after-the-end",
            "Approves after the workflow has ended without the decision.",
            "does not wait for a decision: denied",
            late,
        ),
        shared(
            "decisions-at-once",
            "Sixteen decisions about one request at the same instant.",
            "1 of 16 counted",
            at_once,
        ),
    ]
}

fn timing() -> Vec<Attack> {
    vec![
        alone(
            "stale-receipt",
            "Uses an approval sixteen minutes later.",
            Refusal::Gate(Check::Expiry),
            |fixture| {
                let (key, _) = fixture.approved(VICTIM)?;
                fixture.move_clock(16);
                fixture.ran(&key)
            },
        ),
        alone(
            "stale-request",
            "Approves a request after a day.",
            Refusal::Words("it has lapsed"),
            |fixture| {
                let (_, request) = fixture.victim()?;
                fixture.move_clock(24 * 60);
                Ok(Ending::of(fixture.decide(&request, Decision::Approved).map(|receipt| receipt.id)))
            },
        ),
        Attack {
            method: Method::Alone(Setup::tight, |fixture| {
                let (key, _) = fixture.approved(VICTIM)?;
                // From now on people decide.
                let (decider, roles) = ("alice".parse()?, ["release".parse()?].into());
                fixture
                    .host()
                    .record_act("operator", Act::DeciderAdded { decider, roles, tenants: [].into() })?;
                fixture.ran(&key)
            }),
            ..alone(
                "demo-for-production",
                "Uses a demo receipt where people decide.",
                Refusal::Gate(Check::Scope),
                |_| Err("this runs under other terms".into()),
            )
        },
    ]
}

fn strangers() -> Vec<Attack> {
    vec![
        shared("other-tenant-drives", "Drives another tenant's instance.", NO_INSTANCE, |fixture| {
            Ok(Ending::of(fixture.drive(&as_attacker(fixture)?).map(|status| format!("{status:?}"))))
        }),
        shared(
            "other-tenant-looks",
            "Asks for the state of another tenant's instance.",
            NO_INSTANCE,
            |fixture| {
                Ok(Ending::of(
                    fixture.host().status(&as_attacker(fixture)?).map(|status| format!("{status:?}")),
                ))
            },
        ),
        shared("other-tenant-audits", "Reads another tenant's journal.", NO_INSTANCE, |fixture| {
            Ok(Ending::of(fixture.host().audit(Some(&as_attacker(fixture)?)).map(|facts| facts.len())))
        }),
        shared(
            "other-tenant-logs",
            "Reads the output of another tenant's instance.",
            NO_INSTANCE,
            |fixture| {
                Ok(Ending::of(
                    fixture.host().store().output(&as_attacker(fixture)?).wait().map_err(Error::from),
                ))
            },
        ),
        shared(
            "tenant-of-tricks",
            "Takes a name that looks like another tenant's, or like a path.",
            "is not a tenant",
            |_| {
                let tricks = ["acme\u{200b}", "аcme", "../acme", "acme/x", "acme\0", "", "acme "];
                let refused = tricks.map(|name| name.parse::<TenantId>().map_err(Error::from).map(|_| name));
                let mut endings = refused.map(Ending::of).into_iter();
                Ok(endings
                    .find(|ending| matches!(ending, Ending::Through(_)))
                    .unwrap_or_else(|| Ending::of("../acme".parse::<TenantId>().map_err(Error::from))))
            },
        ),
    ]
}

fn shared(
    name: &'static str,
    tries: &'static str,
    words: &'static str,
    method: fn(&Fixture) -> Result<Ending, SetupError>,
) -> Attack {
    Attack {
        name,
        tries,
        attacker: Attacker::Approval,
        refusal: Refusal::Words(words),
        method: Method::Shared(method),
    }
}

fn alone(
    name: &'static str,
    tries: &'static str,
    refusal: Refusal,
    method: fn(Fixture) -> Result<Ending, SetupError>,
) -> Attack {
    Attack { name, tries, attacker: Attacker::Approval, refusal, method: Method::Alone(Setup::tight, method) }
}

fn self_approval(fixture: &Fixture) -> Result<Ending, SetupError> {
    let (_, request) = fixture.victim()?;
    let mut own = judgement(Decision::Approved)?;
    own.by = DemoDecider::new("agent:builder".parse()?);
    Ok(Ending::of(fixture.host().decide(&request, &own).map(|receipt| receipt.id)))
}

fn undecided(fixture: &Fixture) -> Result<Ending, SetupError> {
    let (key, _) = fixture.victim()?;
    for _ in 0..5 {
        let status = fixture.drive(&key)?;
        if !matches!(status, Status::Waiting(_)) {
            return Ok(Ending::Through(format!("{status:?}")));
        }
    }
    Ok(Ending::Refused("it still waits, after being driven five times".to_owned()))
}

fn decided_twice(fixture: &Fixture) -> Result<Ending, SetupError> {
    let (_, request) = fixture.victim()?;
    fixture.decide(&request, Decision::Denied)?;
    Ok(Ending::of(fixture.decide(&request, Decision::Approved).map(|receipt| receipt.id)))
}

fn late(fixture: &Fixture) -> Result<Ending, SetupError> {
    let (key, request) = fixture.victim()?;
    fixture.finish(&key, Decision::Denied)?;
    Ok(Ending::of(fixture.decide(&request, Decision::Approved).map(|receipt| receipt.id)))
}

fn at_once(fixture: &Fixture) -> Result<Ending, SetupError> {
    let (_, request) = fixture.victim()?;
    let won = thread::scope(|scope| {
        let decide = |number: u8| {
            let decision = if number.is_multiple_of(2) { Decision::Approved } else { Decision::Denied };
            let request = &request;
            scope.spawn(move || fixture.decide(request, decision).is_ok())
        };
        let deciders: Vec<_> = (0..16).map(decide).collect();
        deciders.into_iter().filter_map(|decider| decider.join().ok()).filter(|won| *won).count()
    });
    Ok(Ending::check(won == 1, format!("{won} of 16 counted")))
}

/// The victim's instance, under the attacker's name.
fn as_attacker(fixture: &Fixture) -> Result<InstanceKey, SetupError> {
    let (victim, _) = fixture.victim()?;
    Ok(InstanceKey { tenant: ATTACKER.parse()?, instance: victim.instance })
}
