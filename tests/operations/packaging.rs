//! The unit for systemd, as systemd reads it.

use crate::support;
use std::process::Command;

/// The most that the unit may be exposed: 1.3 of 10 points.
const EXPOSURE: &str = "--threshold=13";

#[test]
fn the_unit_gives_the_process_little() {
    if !support::installed(&["systemd-analyze"]) {
        return;
    }
    let unit = support::root().join("packaging/pp-host.service");
    let mut analyze = Command::new("systemd-analyze");
    let rated =
        analyze.args(["security", "--offline=true", "--no-pager", EXPOSURE]).arg(unit).output().unwrap();
    let text = String::from_utf8_lossy(&rated.stdout).into_owned() + &String::from_utf8_lossy(&rated.stderr);
    assert!(rated.status.success(), "{text}");
    assert!(text.contains("Overall exposure level"), "{text}");
}
