//! The cost of HTTP beside the same operation in process, of followers of idle instances, of hostile callers to others, and of a decision by
//! passkey. Prints; asserts nothing.
//!
//! `cargo bench -p bench --bench serve [-- --quick]`

mod client;
mod hostile;
mod paired;
mod passkey;

use crate::client::Served;
use engine::api::{Principal, TokenScope};
use engine::limits::HttpLimits;
use engine::trust::{Act, NewToken};
use engine::{Clock as _, Host, SystemClock};
use receipt::Timestamp;
use server::{Feed, Server, ServerOptions};
use std::error::Error;
use std::fmt;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;
use store::Quotas;
use workflow::TenantId;

/// The allocator of `pp-host`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const GUEST: &[u8] = include_bytes!("../../../../tests/guests/tenant-workflow.wasm");
const FOLLOWERS: usize = 10_000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let requests = if words.iter().any(|word| word == "--quick") { 640 } else { 19_200 };
    if let Some(folder) = words.iter().position(|word| word == "--server").and_then(|at| words.get(at + 1)) {
        return serve(Path::new(folder));
    }
    let folder = tempfile::tempdir()?;
    let mut served = Served::begin(folder.path(), &words)?;
    paired::print(&mut served, requests)?;
    for connections in [16, 64] {
        let get = served.measure(connections, requests, |_| served.get("/v1/instances/first"))?;
        println!("GET instance, {connections} connections: {get}");
        let post = |number| served.post(&format!("of-{connections}-{number}"));
        println!(
            "POST instance, {connections} connections: {}",
            served.measure(connections, requests, post)?
        );
    }
    println!("{FOLLOWERS} followers of idle instances: {} bytes each (at most 65536)", served.followers()?);
    hostile::print(&served, requests)?;
    passkey::print(requests)?;
    Ok(())
}

/// Latencies of one kind of request.
pub(crate) struct Latencies {
    rate: f64,
    p50: f64,
    p99: f64,
}

impl Latencies {
    pub(crate) fn of(mut times: Vec<Duration>, whole: Duration) -> Self {
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6;
        Self { rate: times.len() as f64 / whole.as_secs_f64(), p50: at(50), p99: at(99) }
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, p50, p99 } = self;
        write!(f, "{rate:.0} a second, p50 {p50:.0} µs, p99 {p99:.0} µs")
    }
}

/// The process of the server: it prints what a client needs, and then makes the operations without HTTP that its input names.
fn serve(folder: &Path) -> Outcome<()> {
    let quotas = Quotas { instances: u64::MAX, stored_bytes: u64::MAX, ..Quotas::default() };
    let host = Host::builder(folder).quotas(quotas).open()?;
    let (operator, tenant): (_, TenantId) = (Principal::own(), "acme".parse()?);
    let digest = host.upload_as(&operator, &tenant, GUEST)?.digest;
    let token = NewToken::of(&tenant, &engine::random_bytes()?, &engine::random_bytes()?);
    let created = Act::TokenCreated {
        token: token.id.clone(),
        tenant: tenant.clone(),
        scopes: TokenScope::ALL.into(),
        sha256: token.sha256(),
        expires_at: Timestamp::from_millis(SystemClock.now().as_millis() + 86_400_000),
    };
    host.record_act("bench", created)?;
    let limits = HttpLimits {
        token_requests: u32::MAX,
        token_concurrency: u32::MAX,
        followers: 2 * FOLLOWERS as u64,
        head_timeout: Duration::from_secs(3_600),
        ..HttpLimits::default()
    };
    let options = ServerOptions { url: None, limits, component_bytes: 32 << 20, tls: None, problems: |_| {} };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let server = Server::new(listener, host.clone(), Feed::default(), options)?;
    let text = token.text().to_owned();
    let direct = paired::Direct { host, token: text.clone(), tenant, digest };
    direct.create("first")?;
    println!("{port} {text} {digest}");
    std::thread::spawn(move || direct.read_input());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(server.run(std::future::pending()))?;
    Ok(())
}
