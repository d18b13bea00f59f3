//! The cost of HTTP beside the same operation in process, of followers of idle instances, and of a decision by passkey. Prints; asserts
//! nothing.
//!
//! `cargo bench -p bench --bench serve [-- --quick]`

use drill::authenticator::SoftwareAuthenticator;
use engine::api::{Operation, Principal, Query, Submit};
use engine::limits::HttpLimits;
use engine::trust::{Act, NewToken};
use engine::{Clock as _, Host, InstanceKey, SystemClock};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey};
use receipt::{Digest, Passkey, RelyingParty, Timestamp};
use server::{Feed, Server, ServerOptions};
use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};
use store::Quotas;
use workflow::TenantId;

/// The allocator of `pp-host`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const GUEST: &[u8] = include_bytes!("../../../tests/guests/tenant-workflow.wasm");
const ORIGIN: &str = "https://approvals.example";
const FOLLOWERS: usize = 10_000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let requests = if words.iter().any(|word| word == "--quick") { 640 } else { 19_200 };
    if let Some(folder) = words.iter().position(|word| word == "--server").and_then(|at| words.get(at + 1)) {
        return serve(Path::new(folder), requests);
    }
    let folder = tempfile::tempdir()?;
    let mut served = Served::begin(folder.path(), &words)?;
    for connections in [1, 16, 64] {
        let get = served.measure(connections, requests, |_| served.get("/v1/instances/first"))?;
        println!("GET instance, {connections} connections: {get}");
        let post = |number| served.post(&format!("of-{connections}-{number}"));
        println!(
            "POST instance, {connections} connections: {}",
            served.measure(connections, requests, post)?
        );
    }
    println!("{FOLLOWERS} followers of idle instances: {} bytes each (at most 65536)", served.followers()?);
    passkey(requests)?;
    served.child.kill()?;
    served.child.wait()?;
    Ok(())
}

/// Latencies of one kind of request.
fn figures(mut times: Vec<Duration>, whole: Duration) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    let rate = times.len() as f64 / whole.as_secs_f64();
    format!("{rate:.0} a second, p50 {:.0} µs, p99 {:.0} µs", at(50), at(99))
}

fn times(requests: usize, mut one: impl FnMut(usize) -> Outcome<()>) -> Outcome<String> {
    let begun = Instant::now();
    let mut times = Vec::with_capacity(requests);
    for number in 0..requests {
        let since = Instant::now();
        one(number)?;
        times.push(since.elapsed());
    }
    Ok(figures(times, begun.elapsed()))
}

/// The process of the server: it prints the figures without HTTP, and then what a client needs.
fn serve(folder: &Path, requests: usize) -> Outcome<()> {
    let quotas = Quotas { instances: u64::MAX, stored_bytes: u64::MAX, ..Quotas::default() };
    let host = Host::builder(folder).quotas(quotas).open()?;
    let (operator, tenant): (_, TenantId) = (Principal::own(), "acme".parse()?);
    let digest = host.upload_as(&operator, &tenant, GUEST)?.digest;
    let token = NewToken::of(&tenant, &engine::random_bytes()?, &engine::random_bytes()?);
    let created = Act::TokenCreated {
        token: token.id.clone(),
        tenant: tenant.clone(),
        scopes: ["instances:read".parse()?, "instances:write".parse()?].into(),
        sha256: token.sha256(),
        expires_at: Timestamp::from_millis(SystemClock.now().as_millis() + 86_400_000),
    };
    host.record_act("bench", created)?;
    // What the server does for a request, without the request.
    let create = |id: &str| -> Outcome<()> {
        let principal = host.authenticate(token.text())?;
        let component = host.uploaded_as(&principal, &tenant, &digest)?;
        let submit = Submit {
            id: Some(id.parse()?),
            tenant: tenant.clone(),
            actor: "agent:api".parse()?,
            operator: None,
            submitter: None,
            name: "workflow".to_owned(),
            params: "{}".to_owned(),
            component,
        };
        host.operate_as(&principal, Operation::Submit(submit))?;
        Ok(())
    };
    create("first")?;
    let show = || -> Outcome<()> {
        let principal = host.authenticate(token.text())?;
        let key = InstanceKey { tenant: tenant.clone(), instance: "first".parse()? };
        black_box(serde_json::to_vec(&host.view(&principal, Query::Instance { key })?)?);
        Ok(())
    };
    println!("GET instance, in process: {}", times(requests, |_| show())?);
    println!("POST instance, in process: {}", times(requests, |number| create(&format!("in-{number}")))?);
    let limits = HttpLimits {
        token_requests: u32::MAX,
        followers: 2 * FOLLOWERS as u64,
        head_time: Duration::from_secs(3_600),
        ..HttpLimits::default()
    };
    let options = ServerOptions { url: None, limits, component_bytes: 32 << 20, tls: None, problems: |_| {} };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let server = Server::new(listener, host, Feed::default(), options)?;
    println!("{port} {} {digest}", token.text());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(server.run(std::future::pending()))?;
    Ok(())
}

/// The server in a process of its own, as its client sees it.
struct Served {
    child: Child,
    /// Kept open, so that the server can print.
    _lines: BufReader<ChildStdout>,
    port: u16,
    token: String,
    workflow: String,
}

impl Served {
    fn begin(folder: &Path, words: &[String]) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.args(words).arg("--server").arg(folder).stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        for _ in 0..2 {
            line.clear();
            lines.read_line(&mut line)?;
            print!("{line}");
        }
        line.clear();
        lines.read_line(&mut line)?;
        let [port, token, workflow] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err("the server ended".into());
        };
        let (port, token, workflow) = (port.parse()?, token.to_owned(), workflow.to_owned());
        Ok(Self { child, _lines: lines, port, token, workflow })
    }

    fn head(&self, line: &str) -> String {
        let Self { port, token, .. } = self;
        format!("{line} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {token}\r\n")
    }

    fn get(&self, path: &str) -> String {
        format!("{}\r\n", self.head(&format!("GET {path}")))
    }

    fn post(&self, id: &str) -> String {
        let body = format!(r#"{{"workflow":"{}","id":"{id}","params":{{}}}}"#, self.workflow);
        let head = self.head("POST /v1/instances");
        format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    fn connect(&self) -> Outcome<BufReader<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        Ok(BufReader::new(stream))
    }

    /// Sends so many requests over so many connections, one after the other on each.
    fn measure(
        &self,
        connections: usize,
        requests: usize,
        request: impl Fn(usize) -> String + Sync,
    ) -> Outcome<String> {
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
                            let sent = request(client * each + number);
                            let since = Instant::now();
                            connection.get_mut().write_all(sent.as_bytes())?;
                            answer(&mut connection)?;
                            times.push(since.elapsed());
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
            Ok(figures(times, begun.elapsed()))
        })
    }

    /// Bytes of the server's memory that each of many followers takes whose instance does nothing.
    fn followers(&self) -> Outcome<u64> {
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

    fn memory(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
    }
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

/// A passkey's assertion beside one bare verification of the signature in it, in turns.
fn passkey(times: usize) -> Outcome<()> {
    let authenticator = SoftwareAuthenticator::new(&[7; 32], ORIGIN)?;
    let (registration, decision) = (Digest::of(b"registration"), Digest::of(b"decision"));
    let created = authenticator.create(&registration);
    let passkey = Passkey::register(&created, &RelyingParty::of_origin(ORIGIN)?, &registration)?;
    let response = authenticator.get(&decision);
    let point = created.public_key.get(created.public_key.len() - 65..).ok_or("no key")?;
    let key = VerifyingKey::from_sec1_bytes(point)?;
    let client = Digest::of(&response.client_data_json);
    let message = [&response.authenticator_data[..], client.as_bytes()].concat();
    let (mut whole, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..times.min(2_000) {
        let since = Instant::now();
        black_box(passkey.verify(&decision, &response))?;
        whole.push(since.elapsed());
        let since = Instant::now();
        black_box(key.verify(&message, &DerSignature::from_bytes(&response.signature)?))?;
        bare.push(since.elapsed());
    }
    whole.sort_unstable();
    bare.sort_unstable();
    let (whole, bare) = (whole[whole.len() / 2], bare[bare.len() / 2]);
    let ratio = whole.as_secs_f64() / bare.as_secs_f64();
    println!(
        "a passkey's assertion: {whole:?}, {ratio:.2} × one bare P-256 verification of {bare:?} (at most 1.3)"
    );
    Ok(())
}
