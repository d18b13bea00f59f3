//! What a caller notices of others who mean harm: how long its requests take, and how much memory the server takes meanwhile.

use crate::client::{Served, ask};
use crate::{FOLLOWERS, Latencies, Outcome};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Hostile callers that send something from time to time.
const SLOW: usize = 1_000;

/// The time in which each of them sends once.
const PACE: Duration = Duration::from_secs(2);

/// Events that make a follower's instance busy; together more than the system buffers for a connection whose other end does not read.
const EVENTS: usize = 64;
const EVENT_BYTES: usize = 16 << 10;

/// One kind of hostile caller.
struct Attack {
    name: &'static str,
    callers: usize,
    /// What each of them sends first.
    opening: String,
    /// What each of them sends every [`PACE`].
    next: &'static str,
    /// Meanwhile the instance that they follow, which is not the measured one, gets events.
    makes_events: bool,
}

pub(crate) fn print(served: &Served, requests: usize) -> Outcome<()> {
    let body = "POST /api/v1/receipts/verify";
    let attacks = [
        Attack {
            name: "idle connections",
            callers: FOLLOWERS,
            opening: String::new(),
            next: "",
            makes_events: false,
        },
        Attack {
            name: "heads that never end",
            callers: SLOW,
            opening: served.head("GET /healthz"),
            next: "A: b\r\n",
            makes_events: false,
        },
        Attack {
            name: "bodies a byte at a time",
            callers: SLOW,
            opening: format!(
                "{}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{",
                served.head(body)
            ),
            next: " ",
            makes_events: false,
        },
        Attack {
            name: "followers that never read",
            callers: SLOW,
            opening: served.get("/v1/instances/noisy/events"),
            next: "",
            makes_events: true,
        },
    ];
    let requests = requests / 4;
    ask(&mut served.connect()?, &served.post("noisy"))?;
    for attack in &attacks {
        // Before and after, because the machine is not equally fast all the time.
        let before = measure(served, requests)?;
        let beside = beside(served, attack, requests)?;
        let memory = served.memory()? >> 20;
        let after = measure(served, requests)?;
        println!(
            "GET instance beside {} {}: {beside}; without: p99 {:.0} and {:.0} µs ({:.1} ×, at most 2); the server takes {memory} MiB",
            attack.callers,
            attack.name,
            before.p99,
            after.p99,
            2.0 * beside.p99 / (before.p99 + after.p99)
        );
    }
    Ok(())
}

/// The latencies of one caller's requests during an attack.
fn beside(served: &Served, attack: &Attack, requests: usize) -> Outcome<Latencies> {
    let mut hostile = Vec::with_capacity(attack.callers);
    for _ in 0..attack.callers {
        let mut connection = served.connect()?.into_inner();
        connection.write_all(attack.opening.as_bytes())?;
        hostile.push(connection);
    }
    if attack.makes_events {
        let (mut connection, text) = (served.connect()?, "x".repeat(EVENT_BYTES));
        for _ in 0..EVENTS {
            ask(&mut connection, &served.event("noisy", &text))?;
        }
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let attacker = scope.spawn(|| attack.go_on(&mut hostile, &done));
        let measured = measure(served, requests);
        done.store(true, Ordering::Relaxed);
        attacker.join().map_err(|_| "the attacker panicked")?;
        measured
    })
}

impl Attack {
    /// Sends in turn on each connection. The server may have closed some: that is its defence.
    fn go_on(&self, connections: &mut [TcpStream], done: &AtomicBool) {
        if self.next.is_empty() || connections.is_empty() {
            return;
        }
        let pause = PACE / u32::try_from(connections.len()).unwrap_or(u32::MAX);
        for at in (0..connections.len()).cycle() {
            if done.load(Ordering::Relaxed) {
                return;
            }
            let _ = connections[at].write_all(self.next.as_bytes());
            std::thread::sleep(pause);
        }
    }
}

/// One caller's requests over one connection, for as many requests as asked and for no less than [`PACE`].
fn measure(served: &Served, requests: usize) -> Outcome<Latencies> {
    let mut connection = served.connect()?;
    let request = served.get("/v1/instances/first");
    let (begun, mut times) = (Instant::now(), Vec::with_capacity(requests));
    while times.len() < requests || begun.elapsed() < PACE {
        times.push(ask(&mut connection, &request)?);
    }
    Ok(Latencies::of(times, begun.elapsed()))
}
