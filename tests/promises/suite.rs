//! The attack suite, run once for all tests that look at its verdicts.

use drill::{Drill, Verdict};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The verdict of each attack, by its name.
pub fn verdicts() -> &'static BTreeMap<&'static str, Verdict> {
    static VERDICTS: OnceLock<BTreeMap<&'static str, Verdict>> = OnceLock::new();
    VERDICTS.get_or_init(|| {
        let drill = Drill::new();
        drill::attacks().iter().map(|attack| (attack.name(), drill.run(attack))).collect()
    })
}

/// Each of these attacks was refused as it has to be.
pub fn held(names: &[&str]) {
    for name in names {
        let verdict = verdicts().get(name);
        let verdict = verdict.unwrap_or_else(|| panic!("{name} is in no attack of the suite"));
        assert!(verdict.held(), "{name}: {}", workflow::Escaped(verdict.message()));
    }
}
