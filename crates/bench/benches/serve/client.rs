//! A server in a process of its own, and callers of it.

use crate::{FOLLOWERS, Latencies, Outcome};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// The server in a process of its own, as its client sees it.
pub(crate) struct Served {
    child: Child,
    input: ChildStdin,
    lines: BufReader<ChildStdout>,
    port: u16,
    token: String,
    workflow: String,
}

impl Served {
    pub(crate) fn begin(folder: &Path, words: &[String]) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(words).arg("--server").arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let [port, token, workflow] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err("the server ended".into());
        };
        let (port, token, workflow) = (port.parse()?, token.to_owned(), workflow.to_owned());
        Ok(Self { child, input, lines, port, token, workflow })
    }

    /// The times of operations that the server's process makes without HTTP.
    pub(crate) fn direct(&mut self, name: &str, numbers: Range<usize>) -> Outcome<Vec<Duration>> {
        writeln!(self.input, "{name} {} {}", numbers.start, numbers.end)?;
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        let times = line.split_whitespace().map(|nanos| nanos.parse().map(Duration::from_nanos));
        times.collect::<Result<_, _>>().map_err(|_| line.into())
    }

    pub(crate) fn head(&self, line: &str) -> String {
        let Self { port, token, .. } = self;
        format!("{line} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {token}\r\n")
    }

    pub(crate) fn get(&self, path: &str) -> String {
        format!("{}\r\n", self.head(&format!("GET {path}")))
    }

    pub(crate) fn post(&self, id: &str) -> String {
        let body = format!(r#"{{"workflow":"{}","id":"{id}","params":{{}}}}"#, self.workflow);
        self.with_body("POST /v1/instances", &body)
    }

    /// A request that sends an event with a text.
    pub(crate) fn event(&self, instance: &str, text: &str) -> String {
        let body = format!(r#"{{"type":"note","payload":"{text}"}}"#);
        self.with_body(&format!("POST /v1/instances/{instance}/events"), &body)
    }

    fn with_body(&self, line: &str, body: &str) -> String {
        let head = self.head(line);
        format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    pub(crate) fn connect(&self) -> Outcome<BufReader<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        Ok(BufReader::new(stream))
    }

    /// Sends so many requests over so many connections, one after the other on each.
    pub(crate) fn measure(
        &self,
        connections: usize,
        requests: usize,
        request: impl Fn(usize) -> String + Sync,
    ) -> Outcome<Latencies> {
        let (each, ready) = (requests / connections, Barrier::new(connections + 1));
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..connections)
                .map(|client| {
                    let (ready, request) = (&ready, &request);
                    scope.spawn(move || -> Outcome<Vec<Duration>> {
                        let connected = self.connect();
                        ready.wait();
                        let mut connection = connected?;
                        let mut times = Vec::with_capacity(each);
                        for number in 0..each {
                            times.push(ask(&mut connection, &request(client * each + number))?);
                        }
                        Ok(times)
                    })
                })
                .collect();
            ready.wait();
            let begun = Instant::now();
            let mut times = Vec::with_capacity(requests);
            for client in clients {
                times.extend(client.join().map_err(|_| "a client panicked")??);
            }
            Ok(Latencies::of(times, begun.elapsed()))
        })
    }

    /// Bytes of the server's memory that each of many followers takes whose instance does nothing.
    pub(crate) fn followers(&self) -> Outcome<u64> {
        let follow = self.get("/v1/instances/first/events");
        let before = self.memory()?;
        let mut held = Vec::with_capacity(FOLLOWERS);
        for _ in 0..FOLLOWERS {
            let mut connection = self.connect()?;
            connection.get_mut().write_all(follow.as_bytes())?;
            let mut line = String::new();
            while !line.starts_with("data:") {
                line.clear();
                if connection.read_line(&mut line)? == 0 {
                    return Err("a stream ended".into());
                }
            }
            held.push(connection.into_inner());
        }
        let grown = self.memory()?.saturating_sub(before);
        drop(held);
        Ok(grown / FOLLOWERS as u64)
    }

    /// Bytes of memory that the server has resident.
    pub(crate) fn memory(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The time from a request to the end of its answer.
pub(crate) fn ask(connection: &mut BufReader<TcpStream>, request: &str) -> Outcome<Duration> {
    let since = Instant::now();
    connection.get_mut().write_all(request.as_bytes())?;
    answer(connection)?;
    Ok(since.elapsed())
}

/// Reads a whole answer, which has to be a success.
fn answer(connection: &mut BufReader<TcpStream>) -> Outcome<()> {
    let (mut line, mut head, mut length) = (String::new(), String::new(), 0);
    while line != "\r\n" {
        line.clear();
        if connection.read_line(&mut line)? == 0 {
            return Err("the connection ended".into());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    match head.starts_with("HTTP/1.1 2") {
        true => Ok(()),
        false => Err(format!("{head}{}", String::from_utf8_lossy(&body)).into()),
    }
}
