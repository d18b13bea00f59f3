//! Altered bytecode under a seal that the host accepts. QuickJS does not verify bytecode: source text that exploits a bug of the component
//! that prepares it may make the host seal any bytes. The sandbox has to confine them like any component.

use crate::support;
use crate::support::harness::Harness;
use crate::support::script;
use ::sandbox::script::{Bundle, EngineId};
use ::sandbox::{Provenance, SandboxLimits};
use engine::Status;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use receipt::{Decision, Digest};
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use workflow::Failure;

/// Source text that uses most instructions of the bytecode.
const BODY: &str = r#"
    class Point { #x = 1; static made = 0; constructor(y) { this.y = y; Point.made += 1; } get sum() { return this.#x + this.y; } }
    class Named extends Point { toString() { return `${super.sum} ${this.y}`; } }
    function* numbers(to) { for (let n = 0; n < to; n += 1) yield n; }
    const { a, b: [c, ...rest], d = 4 } = { a: 1, b: [2, 3, 4] };
    const found = 'key=value; other=1'.match(/(?<name>[a-z]+)=(?<value>\w+)/u)?.groups ?? {};
    let out = [a, c, rest.length, d, found.name, String(new Named(2)), 2n ** 64n > 1n, 0.1 + 0.2, typeof out_, delete found.name];
    switch (out.length) { case 1: out = []; break; default: out.push('default'); }
    try { null.x; } catch ({ name }) { out.push(name); } finally { out.push('finally'); }
    label: for (const n of numbers(5)) { if (n === 1) continue label; if (n === 3) break label; out.push(n); }
    for (const key in { x: 1, y: 2 }) out.push(key);
    var out_ = out.map((one) => `${one}`).filter(Boolean);
    const step_ = await step.do('a', { retries: { limit: 1, delay: 1 } }, async ({ attempt }) => { if (attempt === 1) throw new TypeError('x'); return { out_, attempt }; });
    await Promise.all([step.sleep('b', 1), step.do('c', async () => [...numbers(3)])]);
    const approval = await env.PP.requireApproval({ capability: 'cloudflare.dynamic-worker.deploy', resource: 'cloudflare://workers/acme/app', reason: 'x', artifact: { name: 'a.js', text: 'x' } });
    await env.CLOUDFLARE.deploy({ receipt: approval.receipt });
    return step_;"#;

/// One change of the bytes: its kind, two positions, and random numbers.
type Edit = (u8, Index, Index, [u8; 4]);

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    prop::collection::vec((0_u8..12, any::<Index>(), any::<Index>(), any::<[u8; 4]>()), 1..4)
}

fn altered(honest: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = honest.to_vec();
    for (kind, at, other, random) in edits {
        let length = bytes.len();
        let (at, other) = (at.index(length), other.index(length));
        let until = |start: usize, count: usize| start..length.min(start + count);
        match kind {
            0..4 => bytes[at] ^= 1 << (random[0] % 8),
            4..6 => bytes[at] = random[0],
            6..8 => bytes.splice(until(at, 4), *random).for_each(drop),
            8 => bytes.insert(at, random[0]),
            9 => drop(bytes.remove(at)),
            // Replaces a part by another part of the same code.
            10 => {
                let part = bytes[until(other, random[0].into())].to_vec();
                bytes.splice(until(at, part.len()), part).for_each(drop);
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

/// The prepared form of a bundle of one module, around the bytecode.
struct Form {
    before: Vec<u8>,
    code: Vec<u8>,
    after: Vec<u8>,
}

impl Form {
    fn of(prepared: &[u8]) -> Self {
        let number = |at: usize| u32::from_le_bytes(prepared[at..at + 4].try_into().unwrap()) as usize;
        let past = |at: usize| at + 4 + number(at);
        // Magic, the main module's name, the number of modules; a module's name and kind.
        let length = past(past(8) + 4) + 1;
        let code = prepared[length + 4..past(length)].to_vec();
        Self { before: prepared[..length].to_vec(), code, after: prepared[past(length)..].to_vec() }
    }

    fn with(&self, code: &[u8]) -> Vec<u8> {
        let length = u32::try_from(code.len()).unwrap().to_le_bytes();
        [&self.before, &length[..], code, &self.after].concat()
    }
}

/// Bytecode begins with its version and a checksum; QuickJS accepts all ones as the checksum of any bytes.
fn unsummed(code: &[u8]) -> Vec<u8> {
    [&code[..1], &[0xff; 4], &code[5..]].concat()
}

/// The cache of a host, to which this test writes prepared code as the host does.
struct Cache {
    folder: PathBuf,
    key: Vec<u8>,
}

impl Cache {
    fn of(data: &Path) -> Self {
        let folder = data.join("cache");
        Self { key: fs::read(folder.join("key")).unwrap(), folder }
    }

    fn path(&self, bundle: &Bundle) -> PathBuf {
        self.folder.join(format!("{}.prepared", bundle.digest()))
    }

    fn keep(&self, bundle: &Bundle, prepared: &[u8]) {
        fs::write(self.path(bundle), [self.seal(bundle, prepared).as_bytes(), prepared].concat()).unwrap();
    }

    /// HMAC-SHA256 over the label and the bytes.
    fn seal(&self, bundle: &Bundle, prepared: &[u8]) -> Digest {
        let EngineId { engine, prepare } = bundle.engine;
        let made_by = Digest::of(format!("{engine}\0{prepare}").as_bytes());
        let label = format!("pp-cwasm/v1\0prepared/v1\0{made_by}\0{}\0", bundle.digest());
        let length = (prepared.len() as u64).to_be_bytes();
        let padded = |pad: u8| -> Vec<u8> {
            let key = self.key.iter().copied().chain([0; 32]);
            key.map(|byte| byte ^ pad).collect()
        };
        let inner = Digest::of(&[&padded(0x36), label.as_bytes(), &length, &[0], prepared].concat());
        Digest::of(&[&*padded(0x5c), inner.as_bytes()].concat())
    }
}

const SEAL: usize = 32;

/// A workflow with the same text in a new bundle, so that no host has it in memory.
fn numbered(number: u32) -> Bundle {
    script::workflow(&format!("{BODY}\n// {number}"))
}

/// Drives an instance until it ends or has waited several times. Returns its end.
fn drive(harness: &Harness, bundle: &Bundle) -> Option<Status> {
    let key = script::start(&harness.host, bundle, &json!({}));
    for _ in 0..10 {
        match harness.drive(&key) {
            Status::Waiting(wait) => match (wait.request(), wait.due()) {
                (Some(request), _) => {
                    // The request may have lapsed: an altered workflow may sleep for a year while its request waits.
                    let _ = harness.host.decide(request, &support::judgement(Decision::Approved));
                }
                (None, Some(due)) => harness.clock.set(due.as_millis()),
                (None, None) => return None,
            },
            end => return Some(end),
        }
    }
    None
}

#[test]
fn altered_bytecode_under_a_valid_seal_ends_with_a_name_and_the_host_continues() {
    let limits = SandboxLimits { fuel: 300_000_000, memory_bytes: 32 << 20, ..SandboxLimits::default() };
    let harness = script::harness_with(|builder| builder.sandbox(limits));
    let honest = numbered(0);
    let Some(Status::Completed(result)) = drive(&harness, &honest) else { panic!("it does not complete") };
    let cache = Cache::of(harness.folder.path());
    let sealed = fs::read(cache.path(&honest)).unwrap();
    let (seal, prepared) = sealed.split_at(SEAL);
    assert_eq!(cache.seal(&honest, prepared).as_bytes(), seal, "the host seals in another way");
    let form = Form::of(prepared);
    assert_eq!(form.with(&form.code), prepared);
    let code = unsummed(&form.code);
    let (number, ends) = (Cell::new(0), RefCell::new(BTreeMap::<String, u32>::new()));
    runner()
        .run(&edits(), |edits| {
            number.set(number.get() + 1);
            let bundle = numbered(number.get());
            cache.keep(&bundle, &form.with(&altered(&code, &edits)));
            assert_eq!(harness.host.load(bundle.bytes()).unwrap().program().provenance(), Provenance::Cached);
            let end = match drive(&harness, &bundle) {
                Some(Status::Failed(Failure { name, message })) => {
                    assert!(!name.is_empty() && name.len() + message.len() < 8 << 10, "{name}: {message}");
                    name
                }
                Some(Status::Completed(same)) if same == result => "completed as before".to_owned(),
                Some(Status::Completed(_)) => "completed".to_owned(),
                Some(Status::Waiting(_)) | None => "waits".to_owned(),
                Some(other) => panic!("{other:?}"),
            };
            *ends.borrow_mut().entry(end).or_default() += 1;
            Ok(())
        })
        .unwrap();
    let ends = ends.into_inner();
    println!("{ends:?}");
    // The engine ran altered code, and some of it did not complete.
    assert!(ends.contains_key("trapped") && ends.contains_key("completed"), "{ends:?}");
    let alive = script::start(&harness.host, &script::workflow("return 'alive';"), &json!({}));
    assert_eq!(harness.result(&alive), "alive");
}

/// The alterations have a fixed seed. PP_ALTERATIONS sets their number.
fn runner() -> TestRunner {
    let cases = std::env::var("PP_ALTERATIONS").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}
