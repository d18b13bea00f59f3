//! `--limit NAME=N`.

use clap::Args;
use host::sandbox::SandboxLimits;
use std::str::FromStr;
use std::time::Duration;
use workflow::Limits;

/// The limits of one command.
#[derive(Debug, Default, Args)]
pub(crate) struct LimitArgs {
    /// Set a limit, such as fuel=1000000. May be given several times. Limits: calls, step-name-chars, result-bytes, journal-bytes, evidence-bytes,
    /// reason-bytes, resource-bytes, artifact-bytes, component-bytes, memory-bytes, fuel, wall-clock-seconds, table-elements, handles,
    /// call-bytes, log-bytes, live-instances, functions, function-bytes, compile-cpu-seconds, compile-wall-seconds,
    /// compile-memory-bytes, cache-bytes, programs.
    #[arg(long = "limit", value_name = "NAME=N")]
    limits: Vec<Limit>,
}

/// One limit and its value.
#[derive(Debug, Clone)]
struct Limit {
    name: String,
    value: u64,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("a limit is set with NAME=N")?;
        let value = value.parse().map_err(|_| format!("{value:?} is not a whole number"))?;
        let limit = Limit { name: name.to_owned(), value };
        limit.apply(&mut Limits::default(), &mut SandboxLimits::default())?;
        Ok(limit)
    }
}

impl Limit {
    fn apply(&self, workflow: &mut Limits, sandbox: &mut SandboxLimits) -> Result<(), String> {
        let size =
            usize::try_from(self.value).map_err(|_| format!("{} is too large for this machine", self.value));
        match self.name.as_str() {
            "calls" => {
                workflow.calls =
                    u32::try_from(self.value).map_err(|_| format!("calls is at most {}", u32::MAX))?
            }
            "step-name-chars" => workflow.step_name_chars = size?,
            "result-bytes" => workflow.result_bytes = size?,
            "journal-bytes" => workflow.journal_bytes = size?,
            "evidence-bytes" => workflow.evidence_bytes = size?,
            "reason-bytes" => workflow.reason_bytes = size?,
            "resource-bytes" => workflow.resource_bytes = size?,
            "artifact-bytes" => workflow.artifact_bytes = self.value,
            "component-bytes" => sandbox.component_bytes = size?,
            "memory-bytes" => sandbox.memory_bytes = size?,
            "fuel" => sandbox.fuel = self.value,
            "wall-clock-seconds" => sandbox.wall_clock = Duration::from_secs(self.value),
            "table-elements" => sandbox.table_elements = size?,
            "handles" => sandbox.handles = size?,
            "call-bytes" => sandbox.call_bytes = size?,
            "log-bytes" => sandbox.log_bytes = size?,
            "live-instances" => {
                sandbox.live_instances = u32::try_from(self.value)
                    .map_err(|_| format!("live-instances is at most {}", u32::MAX))?
            }
            "functions" => {
                sandbox.load.functions =
                    u32::try_from(self.value).map_err(|_| format!("functions is at most {}", u32::MAX))?
            }
            "function-bytes" => sandbox.load.function_bytes = self.value,
            "compile-cpu-seconds" => sandbox.load.compile_cpu = Duration::from_secs(self.value),
            "compile-wall-seconds" => sandbox.load.compile_wall = Duration::from_secs(self.value),
            "compile-memory-bytes" => sandbox.load.compile_memory_bytes = self.value,
            "cache-bytes" => sandbox.load.cache_bytes = self.value,
            "programs" => sandbox.load.programs = size?,
            unknown => return Err(format!("there is no limit {unknown:?}; --help lists them")),
        }
        Ok(())
    }
}

impl LimitArgs {
    /// The defaults with these changes. The names were checked when they were parsed.
    pub(crate) fn limits(&self) -> (Limits, SandboxLimits) {
        let (mut workflow, mut sandbox) = (Limits::default(), SandboxLimits::default());
        for limit in &self.limits {
            let _ = limit.apply(&mut workflow, &mut sandbox);
        }
        (workflow, sandbox)
    }
}
