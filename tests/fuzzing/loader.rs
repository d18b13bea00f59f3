//! A component's bytes: any bytes at all.

use super::watched::{SANDBOX, watch};
use receipt::Digest;

/// Refusals have bounded messages, and `inspect` agrees. A loaded component imports only the world and inert WASI, and
/// does the same whenever it runs.
pub fn stands(input: &[u8]) {
    let inspection = SANDBOX.inspect(input);
    match SANDBOX.load(input) {
        Ok(program) => {
            assert_eq!(program.digest(), Digest::of(input));
            assert_eq!(program.imports(), inspection.imports);
            assert!(inspection.verdict.is_ok(), "{:?}", inspection.verdict);
            for name in program.imports() {
                assert!(
                    name.starts_with("permission-protocol:tenant/") || name.starts_with("wasi:"),
                    "{name}"
                );
            }
            watch(&program);
        }
        Err(refused) => {
            let said = inspection.verdict.unwrap_err().to_string();
            assert_eq!(refused.to_string(), said);
            assert!(said.len() < input.len() * 8 + 10_000, "{} bytes about {}", said.len(), input.len());
        }
    }
}
