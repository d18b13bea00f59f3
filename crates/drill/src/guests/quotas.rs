//! A tenant's attacks on its quotas: to be faster than they are counted, and to keep data that is not counted.

use crate::fixture::{ATTACKER, Fixture, HOSTILE, Setup};
use crate::{Attack, Attacker, Ending, Method, Refusal, SetupError};
use receipt::Decision;
use std::sync::Barrier;
use store::Quotas;
use workflow::Entry;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        Attack {
            name: "requests-at-once",
            tries: "Has 32 instances ask at the same moment, when the tenant may ask five times an hour.",
            attacker: Attacker::Guest,
            refusal: Refusal::Words("5 requests of 32 were made"),
            method: Method::Alone(five_an_hour, ask_at_once),
        },
        Attack {
            name: "artifact-without-room",
            tries: "Deploys on a genuine receipt when the tenant has no room for the artifact.",
            attacker: Attacker::Guest,
            refusal: Refusal::Words("limit stored-bytes reached"),
            method: Method::Alone(Setup::tight, without_room),
        },
    ]
}

/// One byte is missing. Nothing may be on disk, and the receipt must remain usable.
fn without_room(fixture: Fixture) -> Result<Ending, SetupError> {
    // Nothing but the artifact is recorded between its approval and its use.
    let (key, request) = fixture.parked(ATTACKER, HOSTILE, r#"{"attack":"plain"}"#)?;
    let receipt = fixture.decide(&request, Decision::Approved)?;
    let artifact = fixture.host().request(&receipt.request)?.artifact.ok_or("it deploys nothing")?;
    let used = fixture.host().store().usage(&key.tenant).wait()?.stored_bytes;
    let fixture = fixture.reopened_under(|setup| setup.quotas.stored_bytes = used + artifact.bytes - 1)??;
    let ending = Ending::of(fixture.drive(&key).map(|status| format!("{status:?}")));
    let spent = fixture.entries(&key)?.iter().any(|entry| matches!(entry, Entry::Redeemed { .. }));
    let kept =
        fixture.data().join("deployments").join("artifacts").join(artifact.sha256.to_string()).exists();
    Ok(match spent || kept {
        true => Ending::Through(format!("the receipt was spent: {spent}; the artifact was kept: {kept}")),
        false => ending,
    })
}

fn five_an_hour() -> Setup {
    Setup { quotas: Quotas { requests_per_hour: 5, ..Quotas::default() }, ..Setup::tight() }
}

fn ask_at_once(fixture: Fixture) -> Result<Ending, SetupError> {
    const AT_ONCE: usize = 32;
    let asks = r#"{"attack":"asks"}"#;
    let keys = (0..AT_ONCE).map(|_| fixture.start(ATTACKER, HOSTILE, asks)).collect::<Result<Vec<_>, _>>()?;
    let (barrier, at) = (Barrier::new(AT_ONCE), &fixture);
    std::thread::scope(|scope| {
        for key in &keys {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                at.drive(key)
            });
        }
    });
    let (mut made, mut told) = (0, 0);
    for entry in keys.iter().map(|key| fixture.entries(key)).collect::<Result<Vec<_>, _>>()?.concat() {
        match entry {
            Entry::Requested { .. } => made += 1,
            Entry::Rejected { message, .. } if message.contains("requests-per-hour") => told += 1,
            _ => {}
        }
    }
    let words = format!("{made} requests of {AT_ONCE} were made, {told} were told why not");
    Ok(Ending::check(made == 5 && told == AT_ONCE - 5, words))
}
