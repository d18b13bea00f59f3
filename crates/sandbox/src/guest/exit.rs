//! The end of a drive, with a message that helps; and the errors with which a host function unwinds a guest.

use crate::guest::bindings::exports::permission_protocol::tenant::entrypoint;
use crate::limits::{RefusedGrowth, names};
use crate::runtime::output::Output;
use crate::{Halt, SandboxLimits};
use tokio::time::error::Elapsed;
use wasmtime::{FrameInfo, PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;
use workflow::Failure;

/// The end of a drive.
#[derive(Debug)]
pub enum End {
    /// The workflow returned: its result as JSON text, or its own failure.
    Returned(Result<String, Failure>),
    /// The handler halted the drive, with this; or the host could not begin it. The guest is not to blame.
    Halted(Halt),
    /// The guest was ended: it trapped, or hit a limit.
    Broke(Failure),
}

type Ran = Result<wasmtime::Result<Result<String, entrypoint::Failure>>, Elapsed>;

/// A handler's error on its way through the guest's stack.
#[derive(Debug, thiserror::Error)]
#[error("the drive was halted: {0}")]
pub(crate) struct HandlerHalt(pub(crate) Halt);

/// A call with more text than its limit.
#[derive(Debug, thiserror::Error)]
#[error("the call hands over too much text")]
pub(crate) struct TooMuchText;

/// Sorts the ends of a call.
pub(crate) fn classify(
    ran: Ran,
    limits: &SandboxLimits,
    refused: Option<RefusedGrowth>,
    output: &Output,
) -> End {
    let error = match ran {
        Err(Elapsed { .. }) => {
            return End::Broke(over(
                names::WALL_CLOCK_SECONDS,
                limits.wall_clock.as_secs(),
                "seconds on the wall",
            ));
        }
        Ok(Ok(result)) => return End::Returned(result.map_err(Into::into)),
        Ok(Err(error)) => error,
    };
    let error = match error.downcast::<HandlerHalt>() {
        Ok(HandlerHalt(halt)) => return End::Halted(halt),
        Err(error) => error,
    };
    // The host's fault: each instance has places in the pool before it is made.
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return End::Halted(format!("the host has no room for another instance: {full}").into());
    }
    End::Broke(match (error.downcast_ref::<Trap>(), refused) {
        (Some(Trap::OutOfFuel), _) => {
            over(names::FUEL, limits.fuel, "units of fuel, about one an instruction,")
        }
        (_, Some(RefusedGrowth::Memory)) => over(names::MEMORY_BYTES, limits.memory_bytes, "bytes of memory"),
        (_, Some(RefusedGrowth::Table)) => {
            over(names::TABLE_ELEMENTS, limits.table_elements, "elements in a table")
        }
        (Some(trap), None) => located(trapped(*trap, limits, output), &error),
        (None, None) => located(at_boundary(&error, limits), &error),
    })
}

/// The functions that the guest was in, the innermost first. Their names are the guest's own words.
const FRAMES: usize = 6;

/// A failure with the place in the guest's code. A component that was stripped of its names has numbers only.
fn located(failure: Failure, error: &wasmtime::Error) -> Failure {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>().filter(|trace| !trace.frames().is_empty()) else {
        return failure;
    };
    let frames: Vec<_> = trace.frames().iter().take(FRAMES).map(place).collect();
    let more = trace.frames().len().saturating_sub(FRAMES);
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    let Failure { name, message } = failure;
    Failure { name, message: format!("{message}; in {}{more}", frames.join(", called by ")) }
}

fn place(frame: &FrameInfo) -> String {
    const LONGEST: usize = 120;
    match frame.func_name() {
        Some(name) => {
            let name = format!("{:#}", rustc_demangle::demangle(name));
            let shown: String = name.chars().take(LONGEST).collect();
            workflow::Quoted(&shown).to_string()
        }
        None => format!("function {}", frame.func_index()),
    }
}

fn trapped(trap: Trap, limits: &SandboxLimits, output: &Output) -> Failure {
    match trap {
        Trap::StackOverflow => {
            let what = "bytes of call stack, which usually an endless recursion fills,";
            Failure {
                name: "stack-overflow".to_owned(),
                ..over(names::STACK_BYTES, limits.stack_bytes, what)
            }
        }
        Trap::MemoryOutOfBounds => failure(
            "trapped",
            "the workflow reached outside its memory: a bug in its code, or a recursion that left its stack",
        ),
        Trap::UnreachableCodeReached => {
            let output = output.text();
            let words = output
                .rfind("panicked at")
                .map(|start| format!("; its last words: {}", workflow::Quoted(output[start..].trim_end())));
            failure(
                "panicked",
                format!(
                    "the workflow panicked or aborted: it reached an unreachable instruction{}",
                    words.unwrap_or_default()
                ),
            )
        }
        other => failure("trapped", format!("the workflow's code trapped: {other}")),
    }
}

/// Neither a trap nor the handler's error: the runtime refuses the guest's call at the component boundary.
fn at_boundary(error: &wasmtime::Error, limits: &SandboxLimits) -> Failure {
    if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        return failure(
            "exited",
            format!("the workflow called exit({code}); a workflow ends by returning from run"),
        );
    }
    if error.is::<TooMuchText>() {
        return over(names::TEXT_BYTES, limits.text_bytes, "bytes of text in one call to the host");
    }
    let cause = error.root_cause().to_string();
    // The runtime has no types for these. Its version is pinned, and a hostile guest for each is in the tests.
    if cause.contains("handle limit exceeded") || cause.contains("resource table has no free keys") {
        return over(names::HANDLES, limits.handles, "handles at once");
    }
    if cause.contains("fuel allocated for hostcalls") {
        return over(names::CALL_BYTES, limits.call_bytes, "bytes in one call to the host");
    }
    // Only without a pool, which would have refused to load the component.
    if cause.contains("instance count too high") {
        return over(names::CORE_INSTANCES, limits.core_instances, "core instances");
    }
    if cause.contains("count too high") {
        return over(names::MEMORIES, limits.memories, "memories or tables");
    }
    failure("boundary", format!("the workflow broke the rules of the component model: {cause}"))
}

fn over(name: &str, limit: impl std::fmt::Display, what: &str) -> Failure {
    let message = format!(
        "limit {name} reached: at most {limit} {what} a drive; an operator raises it with --limit {name}=N, or permanently in pp-host.toml"
    );
    failure("limit-exceeded", message)
}

fn failure(name: &str, message: impl Into<String>) -> Failure {
    Failure { name: name.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::component::{Component, Linker};
    use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

    #[test]
    fn a_full_pool_is_no_failure_of_the_guest() {
        let (mut pool, mut config) = (PoolingAllocationConfig::new(), Config::new());
        pool.total_component_instances(1);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, wat::parse_str("(component)").unwrap()).unwrap();
        let begin = |store: &mut Store<()>| Linker::new(&engine).instantiate(store, &component);
        let [mut first, mut second] = [(); 2].map(|()| Store::new(&engine, ()));
        begin(&mut first).unwrap();
        let full = begin(&mut second).map(|_| Ok(String::new()));
        let (limits, output) = (SandboxLimits::default(), Output::new(0));
        match classify(Ok(full), &limits, None, &output) {
            End::Halted(halt) => assert!(halt.to_string().contains("no room"), "{halt}"),
            end => panic!("{end:?}"),
        }
    }
}
