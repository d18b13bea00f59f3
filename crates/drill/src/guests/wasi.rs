//! WASI through the hostile guest (`guests/hostile/src/wasi.rs` and `files.rs`): every call of every interface that is linked.

use crate::Refusal::{Answers, Ends};
use crate::fixture::Fixture;
use crate::guests::guest;
use crate::{Attack, Ending, Method, Refusal, SetupError, fixture};
use serde_json::Value;

/// A call on a file, by its name. There is no file, so the handle is invalid.
macro_rules! file {
    ($call:literal, $tries:literal) => {
        guest(concat!("wasi-file-", $call), $tries, Ends("boundary", "unknown handle"))
    };
}

pub(crate) fn attacks() -> Vec<Attack> {
    [surroundings(), streams(), chance(), time(), files(), network()].concat()
}

fn surroundings() -> Vec<Attack> {
    vec![
        guest(
            "files",
            "Reads, writes and lists files, through its standard library.",
            Answers(&[r#""list":"refused"#, r#""read":"refused"#, r#""write":"refused"#]),
        ),
        guest(
            "environment",
            "Reads the environment, the arguments and the input.",
            Answers(&[r#"{"arguments":0,"stdin":0,"variables":0}"#]),
        ),
        guest(
            "wasi-environment",
            "The same by direct calls of WASI, and the working directory.",
            Answers(&[r#"{"arguments":0,"folder":null,"variables":0}"#]),
        ),
        guest("wasi-directories", "Asks for preopened directories.", Answers(&[r#""directories":0"#])),
        guest(
            "wasi-terminals",
            "Asks for a terminal.",
            Answers(&[r#"{"error":false,"input":false,"output":false}"#]),
        ),
        guest("wasi-exit", "Exits with success in the middle of its work.", Ends("exited", "exit(0)")),
        guest("wasi-exit-code", "Exits with a code of its own.", Ends("exited", "exit(7)")),
        guest("exit", "Exits.", Ends("exited", "exit(1)")),
    ]
}

/// The interfaces of the network (`network.rs` of the hostile guest): nothing is behind them.
fn network() -> Vec<Attack> {
    vec![
        guest(
            "network-sockets",
            "Opens sockets.",
            Answers(&[
                r#"[{"Err":"access-denied"},{"Err":"access-denied"},{"Err":"access-denied"},{"Err":"access-denied"}]"#,
            ]),
        ),
        guest(
            "network-names",
            "Looks up names, one of which carries a secret.",
            Answers(&[
                r#"[{"Err":"access-denied"},{"Err":"access-denied"},{"Err":"access-denied"},{"Err":"access-denied"},{"Err":"access-denied"}]"#,
            ]),
        ),
        guest("network-forged-socket", "Connects a socket that it made up.", NO_SOCKET),
        guest("network-forged-datagram", "Passes the handle of a network as a socket.", NO_SOCKET),
        guest(
            "network-http",
            "Builds a request as far as possible, and sends it.",
            Answers(&[
                r#""headers":[false,false],"kept":0,"said":null,"sent":{"Err":"ErrorCode::HttpRequestDenied"},"settings":[false,false,false,false],"timeout":false"#,
            ]),
        ),
        guest(
            "network-http-answer",
            "Answers a request that it did not receive.",
            Answers(&[r#"{"body":false,"code":0,"status":false}"#]),
        ),
        guest("network-forged-response", "Passes a request as its response.", NO_SOCKET),
        guest("network-handles", "Holds a million headers.", Ends("limit-exceeded", "limit handles reached")),
        guest(
            "network-header",
            "Passes a header of eight megabytes.",
            Ends("limit-exceeded", "limit call-bytes reached"),
        ),
    ]
}

const NO_SOCKET: Refusal = Ends("boundary", "wrong type");

fn streams() -> Vec<Attack> {
    vec![
        guest("wasi-input", "Reads 16 exabytes of input.", Answers(&["Closed"])),
        guest(
            "wasi-streams",
            "Makes every other call on input and output streams.",
            Answers(&[
                r#""closed":[true,true,true,true,true]"#,
                r#""ready":true"#,
                r#""taken":[true,true,true,true,true,true]"#,
            ]),
        ),
        guest("wasi-write", "Writes a megabyte without asking for room.", Answers(&["survived"])),
        guest("wasi-zeroes", "Has the host write a terabyte of zeroes.", Ends("boundary", "zeroes")),
        guest("wasi-zeroes-at-once", "The same with a blocking call.", Ends("boundary", "zeroes")),
        guest("wasi-poll-nothing", "Waits for nothing at all.", Ends("boundary", "empty poll list")),
    ]
}

fn chance() -> Vec<Attack> {
    vec![
        guest("wasi-random", "Asks for a terabyte of random bytes.", Ends("boundary", "exceeds limit 65536")),
        guest(
            "wasi-insecure-random",
            "The same from the insecure source.",
            Ends("boundary", "exceeds limit 65536"),
        ),
        guest(
            "wasi-numbers",
            "Draws from every source of random numbers, before a pause and after it.",
            Answers(&[r#""same":true"#]),
        ),
        guest(
            "chance",
            "Draws random numbers in a step, to detect a run that skips the step.",
            Answers(&["behind"]),
        ),
    ]
}

fn time() -> Vec<Attack> {
    vec![
        guest("wasi-clock", "Measures time.", Answers(&[r#"{"ticks":1,"wall moved":false}"#])),
        guest(
            "wasi-resolution",
            "Asks for the resolution of the clocks.",
            Answers(&[r#"{"monotonic":1,"wall":1000000}"#]),
        ),
        Attack {
            method: Method::Shared(clock),
            ..guest(
                "clock",
                "Compares time and random numbers of a resumed run with the first run's.",
                Refusal::Words("the same chance, and a clock that only went on"),
            )
        },
        guest("sleep", "Sleeps for an hour, which takes no time.", Answers(&["survived"])),
        guest("wasi-wait", "Waits for 584 years, which takes no time.", Answers(&["survived"])),
        guest(
            "instants",
            "Reads a nanosecond clock in a step, to detect a run that skips the step.",
            Answers(&[r#""slept":36"#]),
        ),
    ]
}

/// The guest looks before a decision and after it: time has passed, and that is all.
fn clock(fixture: &Fixture) -> Result<Ending, SetupError> {
    let ending = fixture.among_neighbours(fixture::HOSTILE, r#"{"attack":"clock"}"#)?;
    let said = ending.to_string();
    let told = said.find('{').and_then(|start| said.get(start..)).unwrap_or_default();
    let Ok(told) = serde_json::from_str::<Value>(told) else { return Ok(ending) };
    let now = |look: &str| told[look]["now"].as_str().and_then(|now| now.parse::<u64>().ok());
    let same_chance =
        told["first"]["chance"].is_string() && told["first"]["chance"] == told["again"]["chance"];
    Ok(match same_chance && now("first").is_some() && now("first") <= now("again") {
        true => Ending::Refused(format!("the same chance, and a clock that only went on; {ending}")),
        false => Ending::Through(said),
    })
}

/// Every call of `wasi:filesystem/types`, and the two that take an error.
fn files() -> Vec<Attack> {
    vec![
        guest(
            "wasi-descriptor",
            "Opens a file with a made-up directory handle.",
            Ends("boundary", "unknown handle"),
        ),
        file!("read-via-stream", "Reads a file as a stream."),
        file!("write-via-stream", "Writes a file as a stream."),
        file!("append-via-stream", "Appends to a file."),
        file!("read", "Reads a terabyte of a file."),
        file!("write", "Writes to a file."),
        file!("read-directory", "Lists a directory."),
        file!("read-directory-entry", "Reads the next entry of a directory."),
        file!("get-flags", "Asks for the flags of a file."),
        file!("get-type", "Asks for the type of a file."),
        file!("stat", "Asks for the metadata of a file."),
        file!("stat-at", "Asks for the metadata of a file by its path."),
        file!("readlink-at", "Reads where a link leads."),
        file!("is-same-object", "Compares two files."),
        file!("metadata-hash", "Asks for a file's fingerprint."),
        file!("metadata-hash-at", "Asks for a file's fingerprint by its path."),
        file!("advise", "Gives advice on what it will read next."),
        file!("set-size", "Makes a file an exabyte long."),
        file!("set-times", "Changes a file's times."),
        file!("set-times-at", "Changes a file's times by its path."),
        file!("sync", "Has a file written to disk."),
        file!("sync-data", "Has a file's content written to disk."),
        file!("open-at", "Creates a file."),
        file!("create-directory-at", "Makes a directory."),
        file!("remove-directory-at", "Removes a directory."),
        file!("unlink-file-at", "Deletes a file."),
        file!("rename-at", "Moves a file."),
        file!("link-at", "Links to a file."),
        file!("symlink-at", "Makes a link to the root."),
        file!("error-code", "Asks for the code of an error that did not occur."),
        file!("error-words", "Asks for the message of an error that did not occur."),
    ]
}
