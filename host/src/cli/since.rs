//! `--since`: a moment, a day, or how long ago.

use engine::{Clock as _, SystemClock};
use receipt::Timestamp;
use std::str::FromStr;

/// A moment to look back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Since(Timestamp);

impl Since {
    /// The moment.
    pub(crate) fn moment(self) -> Timestamp {
        self.0
    }
}

/// Milliseconds of each unit.
const UNITS: [(char, i64); 4] = [('d', 86_400_000), ('h', 3_600_000), ('m', 60_000), ('s', 1_000)];

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, SystemClock.now()).map(Self).ok_or_else(|| {
            "expected a time such as 2026-11-24T03:08:55Z, a day such as 2026-11-24 (UTC), or how long ago: 90s, 30m, 12h, 7d".to_owned()
        })
    }
}

fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    let whole = |text: &str| text.parse().ok();
    let ago = || {
        let (unit, millis) = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit))?;
        let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|count| *count >= 0)?;
        Some(Timestamp::from_millis(now.as_millis().checked_sub(count.checked_mul(millis)?)?))
    };
    let second = || text.strip_suffix('Z').and_then(|text| whole(&format!("{text}.000Z")));
    whole(text).or_else(second).or_else(|| whole(&format!("{text}T00:00:00.000Z"))).or_else(ago)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_a_day_or_how_long_ago() {
        let now: Timestamp = "2026-11-24T12:00:00.000Z".parse().unwrap();
        let read = |text: &str| parse(text, now).map(|moment| moment.to_string());
        assert_eq!(read("2026-11-24T03:08:55.121Z").unwrap(), "2026-11-24T03:08:55.121Z");
        assert_eq!(read("2026-11-24T03:08:55Z").unwrap(), "2026-11-24T03:08:55.000Z");
        assert_eq!(read("2026-11-24").unwrap(), "2026-11-24T00:00:00.000Z");
        assert_eq!(read("36h").unwrap(), "2026-11-23T00:00:00.000Z");
        for wrong in ["", "h", "-1h", "1w", "yesterday", "2026-02-30", "99999999999999999d"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
