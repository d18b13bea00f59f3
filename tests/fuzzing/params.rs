//! Parameters: any text at all.

use super::fixture::Fixture;
use super::{fixture, framed};
use engine::Status;
use receipt::Json;
use std::sync::{LazyLock, Mutex};

static FIXTURE: Mutex<Option<Fixture>> = Mutex::new(None);
static ECHO: LazyLock<Vec<u8>> = LazyLock::new(|| framed(include_str!("echo.wat")));

/// Room for the parameters in the echo's memory.
const ROOM: usize = 60 << 10;

/// Text that is not JSON, or is too long, starts no instance and leaves no record. Accepted text reaches the guest byte
/// for byte, and comes back the same.
pub fn stands(input: &[u8]) {
    let Ok(params) = std::str::from_utf8(input) else { return };
    fixture::lend(&FIXTURE, |fixture| {
        let acceptable = Json::parse(params).is_ok() && params.len() <= fixture::limits().result_bytes;
        match fixture.start(&ECHO, params) {
            Err(refused) => {
                assert!(!acceptable, "{params:?}: {refused}");
                assert!(refused.to_string().len() < 1_000, "{refused}");
            }
            Ok(key) => {
                assert!(acceptable, "{params:?} was accepted");
                let status = fixture::block_on(fixture.host().drive(&key)).unwrap();
                match status {
                    Status::Completed(output) => assert_eq!(output, params),
                    other => assert!(params.len() > ROOM, "{params:?}: {other:?}"),
                }
                fixture.check(&key);
            }
        }
    });
}
