//! The engine that runs a bundle of JavaScript modules as a workflow of `wit/tenant.wit`.
//!
//! ```text
//!   source.prepared ─► modules ─► main module evaluated ─► new Class(ctx, env).run(event, step)
//!   run: microtasks until none is left ─► one call to the host (prelude/loop.js) ─► again, until the workflow has ended
//! ```
//!
//! `wizer-initialize` makes the runtime, and evaluates the prelude; what is committed as a component is a snapshot of the memory after that.
//! Nothing in the snapshot belongs to a tenant, and nothing that a tenant's code does outlives one drive.

mod digest;
mod modules;
mod native;
mod places;
mod system;
mod world;

use modules::Modules;
use places::Places;
use prepared::Prepared;
use rquickjs::Context;
use rquickjs::Ctx;
use rquickjs::Function;
use rquickjs::Module;
use rquickjs::Object;
use rquickjs::Persistent;
use rquickjs::Runtime;
use rquickjs::Value;
use rquickjs::context::intrinsic;
use rquickjs::promise::PromiseState;
use rquickjs::qjs;
use std::cell::RefCell;

mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit/tenant.wit", "../wit/deps/wasi-io", "../wit/deps/wasi-cli", "../wit/deps/wasi-random", "../wit/script.wit", "../wit/engine.wit"],
        world: "permission-protocol:js-engine/engine",
        generate_all,
    });
}

use bindings::exports::permission_protocol::tenant::entrypoint::Event;
use bindings::exports::permission_protocol::tenant::entrypoint::Failure;
use bindings::exports::permission_protocol::tenant::entrypoint::Guest;
use bindings::permission_protocol::script::source;
use bindings::permission_protocol::tenant::workflow::Step;

/// Bytes of its own stack that QuickJS may use. The machine's stack fills some twenty times as fast: the host's limit `stack-bytes` has to be
/// larger than that, so that endless recursion is a RangeError and not the end of the instance.
const STACK_BYTES: usize = 192 << 10;

/// Allocated bytes after which garbage in cycles is looked for. Everything else is freed at once.
const COLLECT_AFTER: usize = 1 << 20;

struct Engine {
    context: Context,
    calls: Calls,
}

/// The functions of the prelude that the engine calls.
struct Calls {
    belong_to: Persistent<Function<'static>>,
    start: Persistent<Function<'static>>,
    turn: Persistent<Function<'static>>,
    end: Persistent<Function<'static>>,
    failure: Persistent<Function<'static>>,
}

thread_local! {
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
}

/// Makes the runtime and the prelude. Called once, before the snapshot; it may not call the host.
#[unsafe(export_name = "wizer-initialize")]
pub extern "C" fn initialize() {
    let engine = Engine::new().unwrap_or_else(|error| panic!("the prelude does not start: {error}"));
    ENGINE.with(|slot| *slot.borrow_mut() = Some(engine));
    system::initialised();
}

impl Engine {
    fn new() -> rquickjs::Result<Self> {
        let runtime = Runtime::new()?;
        runtime.set_max_stack_size(STACK_BYTES);
        let modules = Modules::default();
        runtime.set_loader(modules.clone(), modules);
        let context = Context::builder()
            .with::<intrinsic::Date>()
            .with::<intrinsic::Eval>()
            .with::<intrinsic::RegExpCompiler>()
            .with::<intrinsic::RegExp>()
            .with::<intrinsic::Json>()
            .with::<intrinsic::Proxy>()
            .with::<intrinsic::MapSet>()
            .with::<intrinsic::TypedArrays>()
            .with::<intrinsic::Promise>()
            .with::<intrinsic::DOMException>()
            .build(&runtime)?;
        // SAFETY: the context is there, and this only adds `atob` and `btoa`.
        context.with(|ctx| unsafe { qjs::JS_AddIntrinsicAToB(ctx.as_raw().as_ptr()) });
        let (calls, rejected) = context.with(|ctx| prelude(&ctx).inspect_err(|_| complain(&ctx)))?;
        runtime.set_host_promise_rejection_tracker(Some(Box::new(
            move |ctx, promise, reason, is_handled| {
                let told = rejected.clone().restore(&ctx);
                // An error of this call is dropped: the end of the workflow reports what went wrong.
                let _ = told.and_then(|told| told.call::<_, ()>((promise, reason, is_handled)));
            },
        )));
        runtime.run_gc();
        runtime.set_gc_threshold(COLLECT_AFTER);
        Ok(Self { context, calls })
    }
}

fn complain(ctx: &Ctx<'_>) {
    let thrown = ctx.catch();
    let text = |value: &Value<'_>| value.as_exception().map(|error| format!("{error:?}"));
    panic!("the prelude does not start: {}", text(&thrown).unwrap_or_default());
}

/// Evaluates the prelude, and connects it with the engine.
fn prelude(ctx: &Ctx<'_>) -> rquickjs::Result<(Calls, Persistent<Function<'static>>)> {
    let main = Module::import(ctx, "pp:main")?;
    while ctx.execute_pending_job() {}
    main.finish::<Object<'_>>()?;
    let connect: Function<'_> = ctx.globals().get("connectEngine")?;
    let connected: Object<'_> = connect.call((native::natives(ctx)?,))?;
    let function = |name| connected.get(name).map(|function: Function<'_>| Persistent::save(ctx, function));
    let calls = Calls {
        belong_to: function("belongTo")?,
        start: function("start")?,
        turn: function("turn")?,
        end: function("end")?,
        failure: function("failure")?,
    };
    Ok((calls, function("rejected")?))
}

struct Component;

bindings::export!(Component with_types_in bindings);

impl Guest for Component {
    fn run(event: Event, step: &Step) -> Result<String, Failure> {
        world::begin(step);
        ENGINE.with_borrow(|engine| match engine {
            Some(engine) => engine.context.with(|ctx| engine.calls.run(&ctx, event)),
            None => Err(failure("EngineError", "the engine was never initialised")),
        })
    }
}

fn failure(name: &str, message: impl Into<String>) -> Failure {
    Failure { name: name.to_owned(), message: message.into() }
}

impl Calls {
    fn run(&self, ctx: &Ctx<'_>, event: Event) -> Result<String, Failure> {
        // SAFETY: the runtime is the context's own. The stack begins elsewhere than when the snapshot was taken.
        unsafe { qjs::JS_UpdateStackTop(qjs::JS_GetRuntime(ctx.as_raw().as_ptr())) };
        // The modules live as long as the instance, which is one drive.
        let bytes: &'static [u8] = Vec::leak(source::prepared());
        let Some(prepared) = Prepared::read(bytes) else {
            return Err(failure("EngineError", "what was prepared is not of this engine"));
        };
        let main = prepared.main;
        Places::keep(&prepared);
        Modules::keep(prepared.modules);
        let ended = self.drive(ctx, main, event);
        ended.unwrap_or_else(|error| Err(self.told(ctx, error)))
    }

    fn drive(&self, ctx: &Ctx<'_>, main: &str, event: Event) -> rquickjs::Result<Result<String, Failure>> {
        self.belong_to.clone().restore(ctx)?.call::<_, ()>((source::tenant(),))?;
        let exports = Module::import(ctx, main)?;
        while ctx.execute_pending_job() {}
        if exports.state() == PromiseState::Pending {
            return Ok(Err(failure(
                "TopLevelAwaitError",
                format!(
                    "{main} awaits something at its top level that never settles: use steps in the run method, and await there"
                ),
            )));
        }
        let exports: Object<'_> = exports.finish()?;
        let Event { payload, timestamp_ms, instance_id, workflow_name } = event;
        let start = self.start.clone().restore(ctx)?;
        start.call::<_, ()>((
            exports,
            source::class_name(),
            payload,
            timestamp_ms as f64,
            instance_id,
            workflow_name,
        ))?;
        let turn = self.turn.clone().restore(ctx)?;
        loop {
            while ctx.execute_pending_job() {}
            if turn.call::<_, bool>(())? {
                break;
            }
        }
        let ended: Object<'_> = self.end.clone().restore(ctx)?.call(())?;
        Ok(match ended.get::<_, Option<String>>("text")? {
            Some(text) => Ok(text),
            None => Err(read_failure(&ended.get("failure")?)?),
        })
    }

    /// What was thrown where the workflow could not catch it.
    fn told(&self, ctx: &Ctx<'_>, error: rquickjs::Error) -> Failure {
        if !error.is_exception() {
            return failure("EngineError", error.to_string());
        }
        let thrown = ctx.catch();
        let told = self.failure.clone().restore(ctx).and_then(|tell| tell.call::<_, Object<'_>>((thrown,)));
        told.and_then(|told| read_failure(&told))
            .unwrap_or_else(|_| failure("Error", "the workflow failed with an error that cannot be shown"))
    }
}

fn read_failure(told: &Object<'_>) -> rquickjs::Result<Failure> {
    Ok(Failure { name: told.get("name")?, message: told.get("message")? })
}
