//! What a caller notices of others who mean harm: how long its requests take, and how much memory the server takes meanwhile.

use crate::client::{Served, ask};
use crate::{FOLLOWERS, Outcome, figures};
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
}

pub(crate) fn print(served: &Served, requests: usize) -> Outcome<()> {
    let body = "POST /api/v1/receipts/verify";
    let attacks = [
        Attack { name: "no attack", callers: 0, opening: String::new(), next: "" },
        Attack { name: "idle connections", callers: FOLLOWERS, opening: String::new(), next: "" },
        Attack {
            name: "heads that never end",
            callers: SLOW,
            opening: served.head("GET /healthz"),
            next: "A: b\r\n",
        },
        Attack {
            name: "bodies a byte at a time",
            callers: SLOW,
            opening: format!(
                "{}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{",
                served.head(body)
            ),
            next: " ",
        },
        Attack {
            name: "followers that never read",
            callers: SLOW,
            opening: served.get("/v1/instances/first/events"),
            next: "",
        },
    ];
    for attack in &attacks {
        println!(
            "GET instance beside {} {}: {}",
            attack.callers,
            attack.name,
            beside(served, attack, requests)?
        );
    }
    Ok(())
}

/// The latencies of one caller's requests during an attack, and the server's memory at its end.
fn beside(served: &Served, attack: &Attack, requests: usize) -> Outcome<String> {
    let mut hostile = Vec::with_capacity(attack.callers);
    for _ in 0..attack.callers {
        let mut connection = served.connect()?.into_inner();
        connection.write_all(attack.opening.as_bytes())?;
        hostile.push(connection);
    }
    let done = AtomicBool::new(false);
    let measured = std::thread::scope(|scope| {
        let attacker = scope.spawn(|| attack.go_on(&mut hostile, &done));
        let measured = measure(served, attack, requests);
        done.store(true, Ordering::Relaxed);
        attacker.join().map_err(|_| "the attacker panicked")?;
        measured
    })?;
    Ok(format!("{measured}, the server takes {} MiB", served.memory()? >> 20))
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
fn measure(served: &Served, attack: &Attack, requests: usize) -> Outcome<String> {
    let mut connection = served.connect()?;
    if attack.name.starts_with("followers") {
        let text = "x".repeat(EVENT_BYTES);
        for _ in 0..EVENTS {
            ask(&mut connection, &served.event("first", &text))?;
        }
    }
    let request = served.get("/v1/instances/first");
    let (begun, mut times) = (Instant::now(), Vec::with_capacity(requests));
    while times.len() < requests || begun.elapsed() < PACE {
        times.push(ask(&mut connection, &request)?);
    }
    Ok(figures(times, begun.elapsed()))
}
