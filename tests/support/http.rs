//! A host that is served in this process, and a minimal client, which sends a test's bytes unchanged.

use super::cli;
use engine::limits::HttpLimits;
use engine::{Builder, Host, WorkerOptions};
use serde_json::Value;
use server::{Feed, Server, ServerOptions, SiteUrl};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// A host, its worker and its server. All end when it is dropped.
pub struct Served {
    pub folder: TempDir,
    pub host: Host,
    pub port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The stable code of a problem.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        problem["code"].as_str().unwrap().to_owned()
    }
}

impl Served {
    pub fn begin() -> Self {
        Self::begin_with(TempDir::new().unwrap(), |builder| builder, HttpLimits::default(), None)
    }

    pub fn begin_with(
        folder: TempDir,
        build: impl FnOnce(Builder) -> Builder,
        limits: HttpLimits,
        url: Option<SiteUrl>,
    ) -> Self {
        let feed = Feed::default();
        let observed = feed.clone();
        let builder =
            crate::support::storage::builder(folder.path()).on_fact(move |fact| observed.fact(fact));
        let host = build(builder).open().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let component_bytes = (16 << 20).min(limits.body_memory_bytes.try_into().unwrap());
        let options = ServerOptions { url, limits, component_bytes, tls: None, problems: |_| {} };
        let server = Server::new(listener, host.clone(), feed, options).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (begun, listening) = std::sync::mpsc::channel();
        let working = host.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            let control = working.listen().unwrap();
            begun.send(()).unwrap();
            runtime.unwrap().block_on(async move {
                let work = working.work(WorkerOptions::default(), std::future::pending());
                tokio::select! {
                    worked = work => worked.unwrap(),
                    served = server.run(async { drop(stopped.await) }) => served.unwrap(),
                }
            });
            drop(control);
        });
        listening.recv().unwrap();
        Self { folder, host, port, stop: Some(stop), thread: Some(thread) }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The authority under which it is reached.
    pub fn authority(&self) -> String {
        format!("localhost:{}", self.port)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Sends these bytes on a connection of their own, and reads all that comes back.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // A client that is cut off has received everything until then.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("Host: {}\r\n", self.authority());
        }
        if !body.is_empty() || method != "GET" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let sent = [head.as_bytes(), b"\r\n", body].concat();
        parse(&self.raw(&sent))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub fn get_as(&self, token: &str, path: &str) -> Answer {
        self.send("GET", path, &[("Authorization", &format!("Bearer {token}"))], b"")
    }

    pub fn post_as(&self, token: &str, path: &str, body: &Value) -> Answer {
        let headers = [("Authorization", &*format!("Bearer {token}")), ("Content-Type", "application/json")];
        self.send("POST", path, &headers, body.to_string().as_bytes())
    }

    /// Runs a command while it serves, through its control socket.
    pub fn cli(&self, arguments: &[&str]) -> cli::Ran {
        let ran = cli::run(self.path(), arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
        ran
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "the server panicked");
        }
    }
}

/// A complete HTTP/1.1 answer.
pub fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<_> = lines
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect();
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked { unchunk(body) } else { body.to_owned() };
    Answer { status, headers, body }
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole += &rest[..length];
        body = rest[length..].strip_prefix("\r\n").unwrap();
    }
    whole
}
