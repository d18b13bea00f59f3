//! Notices of requests, to a real command and a real receiver that fail, hang and recover, also when the process is killed.

use crate::support::cli;
use crate::support::serving::Serving;
use crate::support::tls::CertificateAuthority;
use crate::support::until;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tempfile::TempDir;

const SECRET: [u8; 32] = [7; 32];

/// A receiver's behaviour on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Does {
    Take,
    Answer(u16),
    /// Reads the notice and never answers.
    Hang,
    /// Does not even read.
    Ignore,
}

/// A received notice.
struct Received {
    head: Vec<(String, String)>,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        &self.head.iter().find(|(found, _)| found == name).unwrap().1
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A receiver in this process. The test sends it the behaviour for each connection in advance.
struct Hook {
    port: u16,
    does: Sender<Does>,
    received: Receiver<Received>,
}

impl Hook {
    fn new(accept: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (does, orders) = channel();
        let (notices, received) = channel();
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for order in orders {
                let Some(notice) = receive(&listener, &accept, order, &mut held) else { return };
                if notice.is_some_and(|notice| notices.send(notice).is_err()) {
                    return;
                }
            }
        });
        Self { port, does, received }
    }

    fn plain() -> Self {
        Self::new(|stream| Box::new(stream))
    }

    fn next(&self, does: Does) -> Received {
        self.does.send(does).unwrap();
        self.received.recv_timeout(Duration::from_secs(120)).unwrap()
    }
}

/// Does with a connection what the order says. Where the sender gives up before it is answered, it comes again: the order is for that connection.
/// `None` where no connection comes any more.
fn receive(
    listener: &TcpListener,
    accept: &impl Fn(TcpStream) -> Box<dyn Stream>,
    order: Does,
    held: &mut Vec<Box<dyn Stream>>,
) -> Option<Option<Received>> {
    loop {
        let (stream, _) = listener.accept().ok()?;
        if order == Does::Ignore {
            held.push(Box::new(stream));
            return Some(None);
        }
        let mut stream = accept(stream);
        let notice = read(&mut *stream);
        let status = match order {
            Does::Answer(status) => status,
            _ => 204,
        };
        if order == Does::Hang {
            held.push(stream);
            return Some(Some(notice));
        }
        let head = "Location: https://elsewhere.example\r\nContent-Length: 0\r\n";
        let answered = write!(stream, "HTTP/1.1 {status} Word\r\n{head}\r\n").and_then(|()| stream.flush());
        if answered.is_ok() {
            return Some(Some(notice));
        }
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

fn read(stream: &mut dyn Stream) -> Received {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0);
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    assert_eq!(lines[0], "POST /hooks?for=pp HTTP/1.1");
    let head: Vec<_> = lines[1..]
        .iter()
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        })
        .collect();
    let length = head.iter().find(|(name, _)| name == "content-length").unwrap().1.parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Received { head, body: String::from_utf8(body).unwrap() }
}

/// HMAC written from its specification, independent of the code that signs.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(key).for_each(|(block, key)| *block ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

/// A folder with these settings.
fn folder(settings: &str) -> TempDir {
    let data = TempDir::new().unwrap();
    let secret = cli::write(data.path(), "secret", &format!("whsec_{}\n", STANDARD.encode(SECRET)));
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    cli::write(data.path(), "pp-host.toml", &settings.replace("SECRET", &secret));
    data
}

fn webhook(hook: &Hook) -> String {
    let port = hook.port;
    format!("[notify.webhook]\nurl = \"http://localhost:{port}/hooks?for=pp\"\nsecret-file = \"SECRET\"\n")
}

fn submit(data: &Path, id: &str) {
    let submitted = cli::run(data, &["submit", cli::GUEST, "--id", id]);
    assert_eq!(submitted.code, Some(0), "{}", submitted.stderr);
}

/// Waits until the instance has that status.
fn stands(data: &Path, id: &str, status: &str) {
    let status = format!("status     {status}");
    until(&status, || cli::run(data, &["instances", "show", id]).stdout.contains(&status));
}

#[test]
fn a_command_and_a_webhook_get_ids_and_a_link_once() {
    let hook = Hook::plain();
    let command = "command = [\"sh\", \"-c\", \"cat >> $0; env > $0.env\", \"NOTICES\"]\nremind-before = 0\n";
    let data = folder(&format!("[notify]\n{command}{}", webhook(&hook)));
    let notices = data.path().join("notices");
    let settings = data.path().join("pp-host.toml");
    let named = fs::read_to_string(&settings).unwrap().replace("NOTICES", &notices.display().to_string());
    fs::write(&settings, named).unwrap();
    let serving = Serving::begin(data.path(), &[]);
    submit(data.path(), "one");
    let notice = hook.next(Does::Take);
    let said = notice.json();
    let request = said["data"]["request"].as_str().unwrap();
    assert_eq!(said["type"], "approval.requested");
    assert_eq!(said["id"], format!("{request}_requested"));
    assert_eq!((&said["data"]["tenant"], &said["data"]["instance"]), (&"local".into(), &"one".into()));
    assert_eq!(said["data"]["url"], format!("http://localhost:{}/approvals/{request}", serving.port));
    let names: Vec<_> = said["data"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["expires_at", "instance", "request", "requested_at", "tenant", "url"],
        "and no word of a guest"
    );
    let (id, timestamp) = (notice.header("webhook-id"), notice.header("webhook-timestamp"));
    assert_eq!(id, said["id"]);
    let expected = hmac(&SECRET, format!("{id}.{timestamp}.{}", notice.body).as_bytes());
    assert_eq!(notice.header("webhook-signature"), format!("v1,{}", STANDARD.encode(expected)));
    // A delivery is recorded before the next one begins: after a restart only the second request's notice is sent.
    submit(data.path(), "two");
    assert_eq!(hook.next(Does::Take).json()["data"]["instance"], "two");
    serving.stop();
    let serving = Serving::begin(data.path(), &[]);
    submit(data.path(), "three");
    assert_eq!(hook.next(Does::Take).json()["data"]["instance"], "three");
    serving.stop();
    let written: Vec<Value> = cli::lines(&fs::read_to_string(&notices).unwrap());
    let mut instances: Vec<_> =
        written.iter().map(|said| said["data"]["instance"].as_str().unwrap()).collect();
    instances.sort_unstable();
    instances.dedup();
    assert!(instances.len() >= 2 && written.iter().all(|said| said["type"] == "approval.requested"));
    let variables = fs::read_to_string(notices.with_extension("env")).unwrap();
    assert!(variables.contains("PATH=") && !variables.contains("PP_HOST"), "{variables}");
}

fn metrics(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_request_that_waits_again_is_announced_again() {
    let hook = Hook::plain();
    let data = folder(&format!("[notify]\nremind-before = 0\n{}", webhook(&hook)));
    let serving = Serving::begin(data.path(), &[]);
    submit(data.path(), "one");
    let first = hook.next(Does::Take).json();
    let delivered = "pp_host_notices_total{channel=\"webhook\",outcome=\"delivered\"} 1\n";
    until("the delivery counts", || metrics(serving.port).contains(delivered));
    for arguments in [
        &["terminate", "one", "--reason", "too early"][..],
        &["restart", "one", "--keep-calls", "--component", cli::GUEST],
    ] {
        let ran = cli::run(data.path(), &[&["instances"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
    }
    let again = hook.next(Does::Take).json();
    assert_eq!(again["data"]["request"], first["data"]["request"]);
    assert_ne!(again["id"], first["id"], "a receiver drops what has an id that it knows");
    serving.stop();
}

#[test]
fn a_notice_that_a_kill_interrupts_is_sent_again() {
    let hook = Hook::plain();
    let data = folder(&format!("[notify]\nremind-before = 0\n{}", webhook(&hook)));
    let serving = Serving::begin(data.path(), &[]);
    submit(data.path(), "one");
    let first = hook.next(Does::Hang);
    serving.kill();
    let serving = Serving::begin(data.path(), &[]);
    let second = hook.next(Does::Take);
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_eq!(first.json()["data"]["request"], second.json()["data"]["request"]);
    serving.stop();
    // A request without any attempt at a notice: it was made while no process sent notices.
    let settings = fs::read_to_string(data.path().join("pp-host.toml")).unwrap();
    fs::write(data.path().join("pp-host.toml"), "").unwrap();
    let serving = Serving::begin(data.path(), &[]);
    submit(data.path(), "two");
    stands(data.path(), "two", "waiting");
    serving.kill();
    fs::write(data.path().join("pp-host.toml"), settings).unwrap();
    let serving = Serving::begin(data.path(), &[]);
    assert_eq!(hook.next(Does::Take).json()["data"]["instance"], "two");
    serving.stop();
}

#[test]
fn a_receiver_that_refuses_or_hangs_delays_nothing_and_gets_the_notice_later() {
    let hook = Hook::plain();
    let data = folder(&format!("[notify]\nremind-before = 0\n{}", webhook(&hook)));
    let mut serving = Serving::begin(
        data.path(),
        &["--limit", "notify-timeout-seconds=1", "--limit", "notify-max-backoff-seconds=1"],
    );
    submit(data.path(), "one");
    hook.next(Does::Answer(500));
    let said = serving.says("cannot notify by webhook");
    assert!(said.contains("it answered 500 (it is tried again"), "{said}");
    hook.next(Does::Answer(302));
    hook.does.send(Does::Ignore).unwrap();
    hook.next(Does::Hang);
    // While the receiver hangs, another request is made and decided, and its instance ends.
    submit(data.path(), "two");
    stands(data.path(), "two", "waiting");
    let decided = cli::run(data.path(), &["drive", "two", "--approve"]);
    assert_eq!(decided.code, Some(0), "{}", decided.stderr);
    stands(data.path(), "two", "complete");
    until("the first request's notice comes", || hook.next(Does::Take).json()["data"]["instance"] == "one");
    let metrics = metrics(serving.port);
    let failed = metrics
        .lines()
        .find_map(|line| line.strip_prefix("pp_host_notices_total{channel=\"webhook\",outcome=\"failed\"} "));
    assert!(failed.unwrap().parse::<u64>().unwrap() >= 3, "{metrics}");
    serving.stop();
}

#[test]
fn a_command_that_fails_or_hangs_runs_again() {
    // The command fails the first time, hangs the second, and succeeds the third.
    let data = folder("");
    let script = format!(
        "n=$(cat {0}/n 2>/dev/null || echo 0); echo $((n+1)) > {0}/n; case $n in 0) exit 3;; 1) exec sleep 600;; *) cat > {0}/taken; echo taken >&2;; esac",
        data.path().display()
    );
    cli::write(data.path(), "notify.sh", &script);
    let path = data.path().join("notify.sh").display().to_string();
    cli::write(data.path(), "pp-host.toml", &format!("notify = [\"sh\", \"{path}\"]\n"));
    let limits = ["--limit", "notify-timeout-seconds=1", "--limit", "notify-max-backoff-seconds=1"];
    let mut serving = Serving::begin(data.path(), &limits);
    submit(data.path(), "one");
    let said = serving.says("cannot notify by command sh");
    assert!(said.contains("exit status: 3"), "{said}");
    serving.says("taken");
    let taken: Value = serde_json::from_slice(&fs::read(data.path().join("taken")).unwrap()).unwrap();
    assert_eq!(taken["data"]["instance"], "one");
    serving.stop();
}

#[test]
fn a_reminder_comes_before_a_request_lapses_and_none_once_it_is_decided() {
    let hook = Hook::plain();
    let data = folder(&format!("[notify]\nremind-before = \"1h\"\n{}", webhook(&hook)));
    cli::write(
        data.path(),
        "policy.toml",
        "[[rule]]\nid = \"all\"\nthen = \"ask\"\nrole = \"release\"\nexpires = \"8s\"\n",
    );
    let serving = Serving::begin(data.path(), &[]);
    submit(data.path(), "one");
    let first = hook.next(Does::Take).json();
    assert_eq!(first["type"], "approval.requested");
    let second = hook.next(Does::Take).json();
    assert_eq!(
        (&second["type"], &second["data"]["request"]),
        (&"approval.reminder".into(), &first["data"]["request"])
    );
    assert_ne!(first["id"], second["id"]);
    submit(data.path(), "two");
    let asked = hook.next(Does::Take).json();
    assert_eq!(asked["data"]["instance"], "two");
    let request = asked["data"]["request"].as_str().unwrap();
    assert_eq!(cli::run(data.path(), &["withdraw", request]).code, Some(0));
    submit(data.path(), "three");
    let last = [hook.next(Does::Take).json(), hook.next(Does::Take).json()];
    assert!(last.iter().all(|said| said["data"]["instance"] == "three"), "{last:?}");
    serving.stop();
}

#[test]
fn a_receiver_with_tls_has_to_be_the_one_that_is_named() {
    let Some(authority) = CertificateAuthority::new() else { return };
    authority.issue("receiver");
    let ca = authority.path("ca.crt").display().to_string();
    let hook = Hook::new(move |stream| Box::new(authority.accept("receiver", stream)));
    let settings = webhook(&hook).replace("http://", "https://");
    let data = folder(&format!("[notify]\n{settings}ca-file = \"{ca}\"\n"));
    let serving = Serving::begin(data.path(), &[]);
    submit(data.path(), "one");
    assert_eq!(hook.next(Does::Take).json()["data"]["instance"], "one");
    serving.stop();
    // By its address, which the certificate is not for.
    let settings = settings.replace("localhost", "127.0.0.1");
    let data = folder(&format!("[notify]\n{settings}ca-file = \"{ca}\"\n"));
    let mut serving = Serving::begin(data.path(), &[]);
    submit(data.path(), "one");
    hook.does.send(Does::Ignore).unwrap();
    drop(hook);
    let said = serving.says("cannot notify by webhook");
    assert!(said.contains("127.0.0.1"), "{said}");
}

#[test]
fn settings_that_cannot_be_are_refused_with_what_is_expected() {
    let hook = "url = \"https://hooks.example\"\nsecret-file = \"SECRET\"";
    for (settings, expected) in [
        ("notify = []".to_owned(), "pp-host.toml:1: notify is []: a list of a program and its arguments"),
        ("[notify]\ncommand = [1]".to_owned(), "notify.command is [1]: a list"),
        ("[notify]\n".to_owned(), "[notify] does not have a channel"),
        ("[notify]\ncomand = [\"x\"]".to_owned(), "did you mean command?"),
        (
            "[notify]\nremind-before = \"soon\"".to_owned(),
            "notify.remind-before is \"soon\": a time is expected",
        ),
        ("[notify.webhook]\nurl = \"https://x\"".to_owned(), "[notify.webhook] does not have secret-file"),
        ("[notify.webhook]\nsecret-file = \"x\"".to_owned(), "[notify.webhook] does not have url"),
        (format!("[notify.webhook]\n{hook}\nca = \"x\""), "did you mean ca-file?"),
        ("notify = [\"/no/such/program\"]".to_owned(), "there is no program /no/such/program"),
        (format!("[notify.webhook]\n{}", hook.replace("https", "http")), "an https:// URL is expected"),
        (
            format!("[notify.webhook]\n{}", hook.replace("hooks", "ann:x@hooks")),
            "an https:// URL is expected",
        ),
        (
            format!("[notify.webhook]\n{}", hook.replace("SECRET", "/no/such/file")),
            "/no/such/file: No such file",
        ),
        (
            format!("[notify.webhook]\n{}", hook.replace("SECRET", "SECRET.open")),
            "lets other accounts read it: chmod go-rwx",
        ),
        (
            format!("[notify.webhook]\n{hook}\nca-file = \"/no/such/file\""),
            "ca-file: /no/such/file: No such file",
        ),
    ] {
        let data = folder(&settings);
        let open = cli::write(data.path(), "secret.open", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        fs::set_permissions(open, fs::Permissions::from_mode(0o644)).unwrap();
        let ran = cli::run(data.path(), &["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(ran.code, Some(1), "{settings}");
        assert!(ran.stderr.contains(expected), "{settings}: {}", ran.stderr);
    }
    let data = folder("notify = [\"true\"]");
    let ran = cli::run(data.path(), &["work"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("[notify] url = \"https://…\""), "{}", ran.stderr);
}
