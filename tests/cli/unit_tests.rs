//! The unit tests of `pp-host`, which stand in these files. They are compiled here because the program has no test program of its own.

#[path = "../../host/src/cli/commands/arguments/jsonc.rs"]
mod jsonc;
#[path = "../../host/src/cli/commands/verify/leaves.rs"]
mod leaves;
#[path = "../../host/src/cli/output/log_line.rs"]
mod log_line;
#[path = "../../host/src/cli/options/moment.rs"]
#[expect(dead_code, reason = "the program's arguments use the rest")]
mod moment;
#[path = "../../host/src/cli/output/progress.rs"]
#[expect(dead_code, reason = "the program's commands use the rest")]
mod progress;
#[path = "../../host/src/cli/commands/foreground/screen.rs"]
#[expect(dead_code, reason = "the program's question uses the rest")]
mod screen;
#[path = "../../host/src/cli/options/shell_quoted.rs"]
mod shell_quoted;
