//! Attacks by source text on the engine that runs it: to exhaust, break or bypass it, and to run other code than was approved.

use crate::Refusal::{Answers, Ends, Words};
use crate::fixture::{ATTACKER, Fixture, Setup};
use crate::{Attack, Attacker, Ending, Method, Refusal, SetupError};
use sandbox::script::{Bundle, Kind, Module, current_engine};
use sandbox::{Provenance, Sandbox};
use std::collections::BTreeMap;
use std::fs;

pub(crate) fn attacks() -> Vec<Attack> {
    [endless(), deep(), built_ins(), reaches(), code()].concat()
}

fn endless() -> Vec<Attack> {
    let fuel = || Ends("limit-exceeded", "limit fuel reached");
    vec![
        script("script-spins", "Loops without end.", || "for (;;) {}".into(), fuel()),
        script("script-awaits", "Awaits without end.", || "for (;;) await null;".into(), fuel()),
        script(
            "script-backtracks",
            "Matches a regular expression that takes exponential time.",
            || "return /(a+)+$/.test('a'.repeat(60) + 'b');".into(),
            fuel(),
        ),
        script(
            "script-hoards",
            "Allocates one megabyte after another.",
            || "const all = []; for (;;) all.push(new Uint8Array(1 << 20));".into(),
            Ends("InternalError", "out of memory"),
        ),
        script(
            "script-doubles-text",
            "Doubles a string until there is no memory.",
            || "let text = 'x'; for (;;) text += text;".into(),
            Ends("InternalError", "string too long"),
        ),
        script(
            "script-array",
            "Fills an array of a hundred million elements.",
            || "return new Array(1e8).fill(1).length;".into(),
            fuel(),
        ),
        script(
            "script-never-settles",
            "Waits for a promise that never settles.",
            || "await new Promise(() => {});".into(),
            Ends("NeverSettlesError", "the workflow waits"),
        ),
        script(
            "script-drops-a-step",
            "Drops a step that it has started.",
            || "step.do('forgotten', async () => 1); return 1;".into(),
            Ends("NeverAwaitedError", "forgotten"),
        ),
        script(
            "script-drops-an-error",
            "Ignores a rejection.",
            || "(async () => { throw new RangeError('lost'); })(); return 1;".into(),
            Ends("RangeError", "lost"),
        ),
    ]
}

fn deep() -> Vec<Attack> {
    const DEEP: &str = "let deep = []; for (let n = 0; n < 20000; n += 1) deep = [deep];";
    let stack = || Ends("RangeError", "call stack size exceeded");
    vec![
        script(
            "script-recurses",
            "Recurses without end.",
            || "const f = () => f() + 1; f();".into(),
            stack(),
        ),
        script(
            "script-recurses-in-map",
            "Recurses through a function of the engine.",
            || "const f = (x) => [x].map(f); f(1);".into(),
            stack(),
        ),
        script(
            "script-reads-deep-json",
            "Reads JSON that is nested 200 000 deep.",
            || "JSON.parse('['.repeat(200000));".into(),
            stack(),
        ),
        script(
            "script-writes-deep-json",
            "Writes JSON that is nested 20 000 deep.",
            || format!("{DEEP} JSON.stringify(deep);"),
            Ends("limit-exceeded", "limit fuel reached"),
        ),
        script(
            "script-returns-deep-json",
            "Returns a value that is nested 20 000 deep.",
            || format!("{DEEP} return deep;"),
            Ends("NotJsonError", "the workflow's result"),
        ),
        script(
            "script-deep-pattern",
            "Makes a regular expression of 100 000 parentheses.",
            || "new RegExp('('.repeat(100000));".into(),
            Ends("SyntaxError", ""),
        ),
        source(
            "script-deep-source",
            "Source that is nested 200 000 deep.",
            || deep_source("w.js"),
            "call stack size exceeded",
        ),
        source(
            "script-deep-typescript",
            "The same as TypeScript, which would crash a parser outside the sandbox.",
            || deep_source("w.ts"),
            "nested too deeply",
        ),
    ]
}

fn built_ins() -> Vec<Attack> {
    vec![
        script(
            "script-pollutes",
            "Replaces the built-in functions and prototypes that the engine's own code could use.",
            || {
                let works = "const first = await step.do('a', async () => ({ n: [1, 2] }));
                    return { first, n: await step.do('c', async () => 2) };";
                format!("{POLLUTES}{works}")
            },
            Answers(&[r#"{"first":{"n":[1,2]},"n":2}"#]),
        ),
        script(
            "script-traps-in-options",
            "Throws from getters and proxies of options.",
            || TRAPS.into(),
            Answers(&[
                "trap,step.do: the name is something that cannot be shown as text, and has to be a text,trap,trap,trap",
            ]),
        ),
        script(
            "script-throws-a-trap",
            "Fails with an error whose properties throw.",
            || "throw new Proxy(new Error('trap'), { get() { throw new Error('deeper'); } });".into(),
            Ends("Error", ""),
        ),
        script(
            "script-evaluates",
            "Evaluates text as code, which no approval covers.",
            || "return new Function('return 1')();".into(),
            Ends("EvalError", ""),
        ),
        script(
            "script-evaluates-again",
            "The same by the constructor of an async function.",
            || "return (async () => {}).constructor('return 1')();".into(),
            Ends("EvalError", ""),
        ),
    ]
}

/// Replaces everything that the engine's own code might call later.
const POLLUTES: &str = include_str!("pollutes.js");

/// Each place at which the engine's own code reads a value of the workflow's.
const TRAPS: &str = "
    const trap = () => { throw new Error('trap'); }, said = [];
    const all = new Proxy({}, { get: trap, ownKeys: trap, getOwnPropertyDescriptor: trap });
    for (const call of [
      () => step.do('a', { get retries() { trap(); } }, async () => 1),
      () => step.do({ toString: trap }, async () => 1),
      () => step.waitForEvent('b', { get type() { trap(); } }),
      () => this.env.PP.requireApproval(all),
      () => this.env.CLOUDFLARE.deploy(all),
    ]) try { await call(); said.push('through'); } catch (error) { said.push(error.message); }
    return said.join(',');";

fn reaches() -> Vec<Attack> {
    vec![
        script(
            "script-reaches-out",
            "Looks for the network, the process, timers, weak references and machine code.",
            || REACHES.into(),
            Answers(&[
                "fetch,setTimeout,process,Buffer,Intl,WebAssembly,require,WeakRef,FinalizationRegistry",
            ]),
        ),
        script(
            "script-forged-receipt",
            "Deploys with a receipt's id.",
            || deploys("'rcpt_00000000000000000000000'"),
            Ends("InvalidDeploymentError", "is no receipt that this workflow holds"),
        ),
        script(
            "script-dressed-receipt",
            "Deploys with an object that looks like a receipt.",
            || deploys("{ id: 'rcpt_forged', receiptId: 'rcpt_forged' }"),
            Ends("InvalidDeploymentError", "is no receipt that this workflow holds"),
        ),
        script(
            "script-spent-twice",
            "Deploys twice on one receipt.",
            || SPENT_TWICE.into(),
            Ends("GateRefusedError", "a receipt permits one action"),
        ),
        Attack {
            name: "script-sent-an-approval",
            tries: "An outside caller sends the event that tells a script of its approval.",
            attacker: Attacker::Approval,
            refusal: Words("only the host sends pp-approval"),
            method: Method::Shared(approved_by_an_event),
        },
    ]
}

/// The names of all that cannot be used.
const REACHES: &str = "
    const names = ['fetch', 'setTimeout', 'process', 'Buffer', 'Intl', 'WebAssembly', 'require', 'WeakRef', 'FinalizationRegistry'];
    const use = {
      fetch: () => fetch('https://example.com'), setTimeout: () => setTimeout(() => {}, 1), process: () => process.env.HOME,
      Buffer: () => Buffer.from('x'), Intl: () => new Intl.NumberFormat(), WebAssembly: () => WebAssembly.compile(new Uint8Array()),
      require: () => require('fs'), WeakRef: () => new WeakRef({}), FinalizationRegistry: () => new FinalizationRegistry(() => {}),
    };
    const absent = [];
    for (const name of names) try { await use[name](); } catch { absent.push(name); }
    return absent.join(',');";

const SPENT_TWICE: &str = "
    const artifact = { name: 'a.js', text: 'x' }, resource = 'cloudflare://workers/acme/app';
    const { receipt } = await this.env.PP.requireApproval({ capability: 'cloudflare.dynamic-worker.deploy', resource, reason: 'x', artifact });
    await this.env.CLOUDFLARE.deploy({ resource, artifact, receipt });
    return this.env.CLOUDFLARE.deploy({ resource, artifact, receipt });";

fn deploys(receipt: &str) -> String {
    format!(
        "return this.env.CLOUDFLARE.deploy({{ resource: 'cloudflare://workers/acme/app', artifact: {{ name: 'a.js', text: 'x' }}, receipt: {receipt} }});"
    )
}

fn code() -> Vec<Attack> {
    vec![
        Attack {
            name: "script-forged-code",
            tries: "Replaces an approved workflow's prepared code in the cache with another's.",
            attacker: Attacker::Operator,
            refusal: Words("after another took its place Compiled"),
            method: Method::Shared(forged_code),
        },
        Attack {
            name: "script-unknown-engine",
            tries: "Names an engine that is not one of this host's.",
            attacker: Attacker::Guest,
            refusal: Words("neither in this program nor in the data folder"),
            method: Method::Load(unknown_engine),
        },
    ]
}

fn script(name: &'static str, tries: &'static str, body: fn() -> String, refusal: Refusal) -> Attack {
    Attack { name, tries, attacker: Attacker::Guest, refusal, method: Method::Script(body) }
}

/// Source that is refused when it is loaded.
fn source(
    name: &'static str,
    tries: &'static str,
    bytes: fn() -> Result<Vec<u8>, SetupError>,
    words: &'static str,
) -> Attack {
    Attack { name, tries, attacker: Attacker::Guest, refusal: Words(words), method: Method::Load(bytes) }
}

fn deep_source(name: &str) -> Result<Vec<u8>, SetupError> {
    let text = format!("export const a = {}1{};", "(".repeat(200_000), ")".repeat(200_000));
    Ok(bundle(name, &text)?.bytes())
}

/// A workflow whose `run` has this body.
pub(crate) fn workflow(body: &str) -> Result<Vec<u8>, SetupError> {
    let text = format!(
        "import {{ WorkflowEntrypoint }} from 'cloudflare:workers';\nexport class Workflow extends WorkflowEntrypoint {{\nasync run(event, step) {{\n{body}\n}}\n}}\n"
    );
    Ok(bundle("workflow.js", &text)?.bytes())
}

fn bundle(name: &str, text: &str) -> Result<Bundle, SetupError> {
    let kind = Kind::of(name).ok_or("not a module's name")?;
    let module = Module { kind, content: text.as_bytes().to_vec() };
    let modules = BTreeMap::from([(name.to_owned(), module)]);
    Ok(Bundle { engine: current_engine(), main: name.to_owned(), class: None, modules })
}

fn unknown_engine() -> Result<Vec<u8>, SetupError> {
    let mut bundle = bundle("workflow.js", "export default {};")?;
    bundle.engine.engine = receipt::Digest::of(b"an engine of one's own");
    Ok(bundle.bytes())
}

fn approved_by_an_event(fixture: &Fixture) -> Result<Ending, SetupError> {
    let body = "return (await step.waitForEvent('a', { type: 'go' })).payload;";
    let key = fixture.start(ATTACKER, &workflow(body)?, "{}")?;
    fixture.drive(&key)?;
    let sent = fixture.host().send_event(&key, &"pp-approval".parse()?, r#"{"receiptId":"rcpt_forged"}"#);
    Ok(Ending::of(sent.map(|()| "the event was sent")))
}

/// Both bundles are prepared, and one takes the other's place. A process that begins after that loads what was
/// approved.
fn forged_code(fixture: &Fixture) -> Result<Ending, SetupError> {
    let [approved, forged] =
        ["return 'the approved workflow ran';", "return 'the forged one ran';"].map(workflow);
    let (approved, forged) = (approved?, forged?);
    let cache = fixture.data().join("cache");
    let prepared = |bytes: &[u8]| cache.join(format!("{}.prepared", receipt::Digest::of(bytes)));
    for bytes in [&approved, &forged] {
        fixture.host().load(bytes.clone())?;
    }
    let loaded = || -> Result<Provenance, SetupError> {
        Ok(Sandbox::new(Setup::tight().sandbox)?.cached_in(&cache)?.load(&approved)?.provenance())
    };
    let before = loaded()?;
    fs::copy(prepared(&forged), prepared(&approved))?;
    let after = loaded()?;
    let holds = (before, after) == (Provenance::Cached, Provenance::Compiled);
    Ok(Ending::check(
        holds,
        format!("prepared code was {before:?}, and after another took its place {after:?}"),
    ))
}
