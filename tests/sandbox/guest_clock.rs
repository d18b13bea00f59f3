//! The time that a guest sees.

use super::guest_failures::{IMPORTS, framed};
use crate::support;
use engine::{Clock, Host, Start, Status};
use receipt::Timestamp;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use store::InstanceKey;
use tempfile::TempDir;

/// A clock that stands still until it is set.
#[derive(Clone)]
struct StoppedClock(Arc<AtomicI64>);

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn until(&self, _: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

const WALL_CLOCK: &str = r#"
  (import "wasi:clocks/wall-clock@0.2.0" (instance $clock
    (type $datetime' (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type $datetime (eq $datetime')))
    (export "now" (func (result $datetime)))))
  (core func $now (canon lower (func $clock "now") (memory (core memory $own "memory"))))"#;

/// Sleeps an hour, reads the clock, sleeps another hour, and returns the second that it read.
const LOOKS_BETWEEN_SLEEPS: &str = r#"
  (func $sleep (param $step i32)
    (call $start-sleep (local.get $step) (i32.const 64) (i32.const 4) (i32.const 0) (i64.const 3600000) (i32.const 1024))
    (i32.store (i32.const 3000) (i32.load (i32.const 1028)))
    (call $first (i32.const 3000) (i32.const 1) (i32.const 1024))
    (call $drop-pending (i32.load (i32.const 3000))))
  (func (export "run") (param i32 i32 i64 i32 i32 i32 i32) (param $step i32) (result i32)
    (local $seconds i64) (local $at i32)
    (call $sleep (local.get $step))
    (call $now (i32.const 4096))
    (local.set $seconds (i64.load (i32.const 4096)))
    (call $sleep (local.get $step))
    (call $drop-step (local.get $step))
    (local.set $at (i32.const 5010))
    (loop $digit
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $seconds) (i64.const 10)))))
      (local.set $seconds (i64.div_u (local.get $seconds) (i64.const 10)))
      (br_if $digit (i64.ne (local.get $seconds) (i64.const 0))))
    (i32.store (i32.const 20) (local.get $at))
    (i32.store (i32.const 24) (i32.sub (i32.const 5010) (local.get $at)))
    (i32.const 16))"#;

#[test]
fn the_guest_s_clock_shows_that_time_passed_and_shows_the_same_on_every_run() {
    const BEGIN: i64 = 1_800_000_000;
    let clock = StoppedClock(Arc::new(AtomicI64::new(BEGIN * 1_000)));
    let folder = TempDir::new().unwrap();
    let host = Host::builder(folder.path()).clock(clock.clone()).open().unwrap();
    let module = format!(
        r#"(core module $attack
  (import "host" "start-sleep" (func $start-sleep (param i32 i32 i32 i32 i64 i32)))
  (import "host" "first" (func $first (param i32 i32 i32)))
  (import "host" "drop-pending" (func $drop-pending (param i32)))
  (import "host" "drop-step" (func $drop-step (param i32)))
  (import "host" "now" (func $now (param i32)))
  {IMPORTS} {LOOKS_BETWEEN_SLEEPS})"#
    );
    let workflow = host.load(framed(WALL_CLOCK, r#"(export "now" (func $now))"#, &module)).unwrap();
    let start = Start::new("acme".parse().unwrap(), "agent:a".parse().unwrap(), "clock", "{}");
    let key: InstanceKey = host.start(&workflow, start).unwrap();
    let drive_at = |seconds: i64| {
        clock.0.store((BEGIN + seconds) * 1_000, Ordering::SeqCst);
        support::block_on(host.drive(&key)).unwrap()
    };
    assert!(matches!(drive_at(0), Status::Waiting(_)));
    assert!(matches!(drive_at(3_700), Status::Waiting(_)));
    // A later run gets the same answers.
    let Status::Completed(looked) = drive_at(100_000) else { panic!("it sleeps on") };
    assert_eq!(looked, (BEGIN + 3_700).to_string());
}
