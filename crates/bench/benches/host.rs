//! The cost of the engine's operations. Prints; asserts nothing.
//!
//! `cargo bench -p bench`
#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

use divan::Bencher;
use engine::issuer::{
    DecisionBasis, DemoDecider, IssueOrder, Issuer as _, Judgement, JudgingContext, Keyring, LocalIssuer,
    Request,
};
use engine::trust::{Act, Trust};
use engine::{Host, Start, Status};
use receipt::{Decision, Digest, KeySet, Salt, Timestamp};
use sandbox::{End, Event, Halt, Program, Sandbox, SandboxLimits};
use store::StoredReceipt;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use workflow::{Begun, Command, Outcome};

fn main() {
    divan::main();
}

fn guest() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/guests/tenant-workflow.wasm"))
        .expect("the prebuilt guest")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn sandbox() -> (Sandbox, Program) {
    let sandbox = Sandbox::new(SandboxLimits::default()).expect("a sandbox");
    let program = sandbox.load(&guest()).expect("the demo guest");
    (sandbox, program)
}

fn event() -> Event {
    Event {
        payload: "{}".to_owned(),
        started_at: Timestamp::from_millis(0),
        seed: Digest::of(b""),
        instance: "wf_bench".to_owned(),
        workflow: "bench".to_owned(),
        tenant: "acme".to_owned(),
    }
}

/// A store, an instance, a call up to the first host call, and everything dropped.
#[divan::bench]
fn instantiate_and_halt(bencher: Bencher) {
    let ((sandbox, program), runtime) = (sandbox(), runtime());
    bencher.bench_local(|| {
        let halt = |_: Command| Err::<Outcome, Halt>("enough".into());
        let drive =
            runtime.block_on(sandbox.run(&program, event(), &SandboxLimits::default(), Box::new(halt)));
        assert!(matches!(drive.end, End::Halted(_)));
    });
}

/// The same, with one recorded step replayed before it stops.
#[divan::bench]
fn instantiate_and_replay_one_step(bencher: Bencher) {
    let ((sandbox, program), runtime) = (sandbox(), runtime());
    bencher.bench_local(|| {
        let answer = |command: Command| match command {
            Command::BeginStep { .. } => {
                Ok(Outcome::Begun(Begun::Done(r#"{"artifact":"a.js","source":""}"#.to_owned())))
            }
            _ => Err::<Outcome, Halt>("enough".into()),
        };
        let drive =
            runtime.block_on(sandbox.run(&program, event(), &SandboxLimits::default(), Box::new(answer)));
        assert!(matches!(drive.end, End::Halted(_)));
    });
}

/// A host in a folder of its own, and the demo guest in it.
struct Bench {
    folder: TempDir,
    host: Host,
    workflow: engine::Workflow,
    runtime: Runtime,
}

impl Bench {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let host = Host::builder(folder.path()).open().expect("a host");
        let workflow = host.load(guest()).expect("the demo guest");
        Self { folder, host, workflow, runtime: runtime() }
    }

    fn start(&self) -> store::InstanceKey {
        let (tenant, actor) = ("bench".parse().expect("a tenant"), "agent:bench".parse().expect("an actor"));
        let start = Start::new(tenant, actor, "bench", "{}");
        self.host.start(&self.workflow, start).expect("an instance")
    }

    fn drive(&self, key: &store::InstanceKey) -> Status {
        self.runtime.block_on(self.host.drive(key)).expect("a drive")
    }
}

/// Create an instance, run its first step, make its request, park it: four commits.
#[divan::bench]
fn start_to_parked(bencher: Bencher) {
    let bench = Bench::new();
    bencher.bench_local(|| assert!(matches!(bench.drive(&bench.start()), Status::Waiting(_))));
}

/// A whole approved run: created, parked, decided, resumed, deployed, attested, completed.
#[divan::bench]
fn approved_run(bencher: Bencher) {
    let bench = Bench::new();
    bencher.bench_local(|| {
        let key = bench.start();
        let request = bench.drive(&key).request().cloned().expect("it asks");
        let by = DemoDecider::new("bench".parse().expect("a name"));
        bench
            .host
            .decide(&request, &Judgement { decision: Decision::Approved, by, reason: None })
            .expect("a receipt");
        assert!(matches!(bench.drive(&key), Status::Completed(_)));
    });
}

/// The same with a person's signature instead of a demo decision: the statement is prepared, signed, counted twice.
#[divan::bench]
fn run_approved_by_a_person(bencher: Bencher) {
    let bench = Bench::new();
    let hand = receipt::Ed25519StatementSigner::from_seed(&[1; 32]).expect("a key");
    let key = receipt::StatementSigner::public_key(&hand);
    let alice: receipt::PersonId = "alice".parse().expect("a name");
    let roles = ["release".parse().expect("a role")].into();
    let added = Act::DeciderAdded { decider: alice.clone(), roles, tenants: [].into() };
    let (kind, public_key) = (key.scheme().as_str().to_owned(), key.to_base64());
    let given = Act::KeyAdded { decider: alice.clone(), kind, public_key, valid_until: None, passkey: None };
    for act in [added, given] {
        bench.host.record_act("bench", act).expect("the act is recorded");
    }
    bencher.bench_local(|| {
        let instance = bench.start();
        let Status::Waiting(wait) = bench.drive(&instance) else { unreachable!("it asks") };
        let request = wait.request().expect("it asks").clone();
        let statement =
            bench.host.statement(&request, &alice, None, Decision::Approved, None).expect("a statement");
        let envelope = receipt::sign_decision(&statement, &hand).expect("a signature");
        bench.host.sign(&request, &envelope).expect("a receipt");
        assert!(matches!(bench.drive(&instance), Status::Completed(_)));
    });
}

/// The signature of a decision: a receipt minted for the demo's request, and verified before it is returned.
#[divan::bench]
fn mint_receipt(bencher: Bencher) {
    let bench = Decided::new();
    bencher.bench_local(|| bench.mint());
}

/// The gate's cryptography: verify, and open the commitment.
#[divan::bench]
fn verify_receipt(bencher: Bencher) {
    let bench = Decided::new();
    let stored = bench.mint();
    let opening = stored.opening().expect("its salt");
    bencher.bench_local(|| {
        receipt::verify(&stored.artifact, &bench.keys)
            .and_then(|verified| verified.open(&opening))
            .expect("it verifies")
    });
}

/// The demo's request, and an authority to decide it.
struct Decided {
    authority: LocalIssuer,
    keys: KeySet,
    request: Request,
    judgement: Judgement,
}

impl Decided {
    fn new() -> Self {
        let bench = Bench::new();
        let request = bench.drive(&bench.start()).request().cloned().expect("it asks");
        let request = bench.host.request(&request).expect("its request");
        let keyring = Keyring::open(
            bench.folder.path().join("other").as_path(),
            &[[7; 32], [8; 32]],
            request.created_at,
        )
        .expect("keys");
        let by = DemoDecider::new("bench".parse().expect("a name"));
        let judgement = Judgement { decision: Decision::Approved, by, reason: None };
        let keys = keyring.keys.clone();
        Self { authority: LocalIssuer::with(keyring), keys, request, judgement }
    }

    fn mint(&self) -> StoredReceipt {
        let (id, salt, at) =
            ("rcpt_bench".parse().expect("an id"), Salt::from_bytes([1; 32]), self.request.created_at);
        let order =
            IssueOrder { request: &self.request, basis: DecisionBasis::Demo(&self.judgement), id, salt, at };
        let grounds = JudgingContext { trust: &Trust::default(), policy: &policy::ask_one() };
        self.authority.issue(&order, grounds).expect("a receipt").receipt
    }
}
