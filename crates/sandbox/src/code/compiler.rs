//! Compilers: in this process or in a child, and how many run at the same time.

use crate::LoadError;
use crate::code::Origin;
use crate::code::outline::Outline;
use crate::code::trusted::Trusted;
use crate::code::{Target, child};
use crate::limits::SandboxLimits;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::available_parallelism;
use wasmtime::Engine;

/// The process that compiles components.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Compiler {
    /// In this process. Size, number and length of functions are bounded; time and memory are not.
    #[default]
    InProcess,
    /// In a child process that is bounded in time and memory as well.
    Child {
        /// The program: `pp-host`, or any other that calls [`compile_for_parent`](crate::compile_for_parent) when its only
        /// argument is [`COMPILE`](crate::COMPILE).
        program: PathBuf,
    },
}

/// Compiles a few components at a time, so that the bound for one also bounds the total.
pub(crate) struct CompilePool {
    compiler: Compiler,
    free: Mutex<usize>,
    freed: Condvar,
}

impl CompilePool {
    pub(crate) fn new(compiler: Compiler) -> Self {
        // Two at least, so that one slow component does not hold up all others.
        let slots = available_parallelism().map_or(2, |cores| cores.get().max(2));
        Self { compiler, free: Mutex::new(slots), freed: Condvar::new() }
    }

    pub(crate) fn compile(
        &self,
        engine: &Engine,
        target: &Target,
        bytes: &[u8],
        limits: &SandboxLimits,
        origin: Origin,
    ) -> Result<Trusted, LoadError> {
        Outline::read(bytes, limits)?.check(limits, origin)?;
        let _slot = CompileSlot::take(self);
        let code = match &self.compiler {
            Compiler::InProcess => in_process(engine, bytes)?,
            Compiler::Child { program } => child::compile(program, bytes, &limits.load, target)?,
        };
        Ok(Trusted::compiled_just_now(code))
    }
}

/// A compiler that crashes must not take the thread of its caller along.
fn in_process(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    let compiled = panic::catch_unwind(AssertUnwindSafe(|| engine.precompile_component(bytes)));
    match compiled {
        Ok(compiled) => compiled.map_err(|error| LoadError::Invalid(format!("{error:#}"))),
        Err(panicked) => Err(LoadError::crashed(&child::words_of(&*panicked))),
    }
}

/// The right to compile.
pub(crate) struct CompileSlot<'a>(&'a CompilePool);

impl<'a> CompileSlot<'a> {
    pub(crate) fn take(pool: &'a CompilePool) -> Self {
        let free = pool.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = pool.freed.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        Self(pool)
    }
}

impl Drop for CompileSlot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
