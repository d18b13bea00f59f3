//! Preparing source text, in a separate instance that reaches nothing.

use crate::LoadError;
use crate::SandboxLimits;
use crate::bundle::Bundle;
use crate::bundle::Kind;
use crate::bundle::Module;
use crate::code::Loader;
use crate::limits::Meter;
use crate::limits::names;
use crate::load;
use crate::runtime::engine::TICK;
use crate::runtime::live::LiveInstances;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Wake;
use std::task::Waker;
use std::thread;
use std::thread::Thread;
use wasmtime::Engine;
use wasmtime::Store;
use wasmtime::Trap;
use wasmtime::component::Component;
use wasmtime::component::Linker;

mod bindings {
    wasmtime::component::bindgen!({
        path: ["../../wit/tenant.wit", "../../guests/js-engine/wit/script.wit"],
        world: "permission-protocol:script/prepare",
        exports: { default: async },
    });
}

use bindings::Prepare;
use bindings::PreparePre;
use bindings::exports::permission_protocol::script::preparing;

/// A module's imports and exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The modules that it imports, as it names them.
    pub imports: Vec<String>,
    /// The classes that it exports and that extend `WorkflowEntrypoint`.
    pub workflows: Vec<String>,
}

/// The parts of the sandbox that loading uses.
#[derive(Clone, Copy)]
pub(crate) struct LoadContext<'a> {
    pub(crate) loader: &'a Loader,
    pub(crate) limits: &'a SandboxLimits,
    pub(crate) live: &'a LiveInstances,
}

/// The component that prepares.
pub(crate) struct Preparer {
    pre: PreparePre<Meter>,
    memories: u32,
}

impl Preparer {
    /// Loads the preparer from a component that imports nothing and has the preparer's exports.
    pub(crate) fn new(component: &Component) -> Result<Self, LoadError> {
        let pre = Linker::new(component.engine()).instantiate_pre(component);
        let pre = pre.and_then(PreparePre::new);
        let pre = pre.map_err(|error| LoadError::OtherTypes(format!("{error:#}")))?;
        Ok(Self { pre, memories: load::memories(component) })
    }

    /// Parses a module for its imports and exports.
    pub(crate) fn examine(
        &self,
        name: &str,
        module: &Module,
        context: LoadContext<'_>,
    ) -> Result<Summary, LoadError> {
        let _turn = self.turn(context);
        let (mut store, module) = (self.store(context.limits)?, given(name, module));
        let examined = block_on(async {
            let prepare = self.pre.instantiate_async(&mut store).await?;
            let preparing = prepare.permission_protocol_script_preparing();
            preparing.call_examine(&mut store, &module).await
        });
        let preparing::Summary { imports, workflows } = ended(examined, context.limits)?;
        Ok(Summary { imports, workflows })
    }

    /// Prepares a whole bundle for the engine.
    pub(crate) fn prepare(&self, bundle: &Bundle, context: LoadContext<'_>) -> Result<Vec<u8>, LoadError> {
        let _turn = self.turn(context);
        let mut store = self.store(context.limits)?;
        let modules: Vec<_> = bundle.modules.iter().map(|(name, module)| given(name, module)).collect();
        let prepared = block_on(async {
            let prepare: Prepare = self.pre.instantiate_async(&mut store).await?;
            let preparing = prepare.permission_protocol_script_preparing();
            preparing.call_prepare(&mut store, &bundle.main, &modules).await
        });
        ended(prepared, context.limits)
    }

    /// The right to one instance: a place among the compilations, which bounds the processors, and its places in the
    /// pool. Drives hold places in the pool, so nothing that a drive waits for may prepare.
    fn turn<'a>(&self, context: LoadContext<'a>) -> impl Sized + use<'a> {
        (context.loader.slot(), block_on(context.live.take(self.memories)))
    }

    fn store(&self, limits: &SandboxLimits) -> Result<Store<Meter>, LoadError> {
        let engine: &Engine = self.pre.engine();
        let mut store = Store::new(engine, Meter::new(limits));
        store.limiter(|meter| meter);
        store.set_fuel(limits.fuel).map_err(|error| LoadError::Compiler(format!("{error:#}")))?;
        store.epoch_deadline_trap();
        let ticks = limits.load.compile_wall.as_millis() / TICK.as_millis().max(1);
        store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX / 2));
        store.set_hostcall_fuel(limits.call_bytes);
        Ok(store)
    }
}

fn given(name: &str, Module { kind, content }: &Module) -> preparing::Module {
    let kind = match kind {
        Kind::Js => preparing::Kind::Js,
        Kind::Ts => preparing::Kind::Ts,
        Kind::Json => preparing::Kind::Json,
        Kind::Text => preparing::Kind::Text,
        Kind::Data => preparing::Kind::Data,
    };
    preparing::Module { name: name.to_owned(), kind, content: content.clone() }
}

/// The result of the instance: its value, the fault in the source, or why it was ended.
fn ended<T>(
    ended: wasmtime::Result<Result<T, preparing::Diagnostic>>,
    limits: &SandboxLimits,
) -> Result<T, LoadError> {
    let bound = |limit, bound| LoadError::CompileBound { limit, bound };
    match ended {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(preparing::Diagnostic { module, line, column, message })) => {
            Err(LoadError::Source { module, line, column, message })
        }
        Err(error) => Err(match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => bound(names::FUEL, limits.fuel),
            Some(Trap::Interrupt) => bound(names::COMPILE_WALL_SECONDS, limits.load.compile_wall.as_secs()),
            Some(Trap::StackOverflow | Trap::MemoryOutOfBounds) => LoadError::SourceTooDeep,
            Some(Trap::UnreachableCodeReached) => LoadError::SourceTooLarge(limits.memory_bytes),
            _ => LoadError::Compiler(format!("{error:#}")),
        }),
    }
}

/// Runs a future to its end on this thread. The guest has its own stack.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let (waker, mut future) = (Waker::from(Arc::new(Unpark(thread::current()))), pin!(future));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}
