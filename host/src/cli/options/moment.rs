//! Moments as people write them: `--until`, `--since`.

use engine::{Clock as _, SystemClock};
use receipt::Timestamp;
use std::str::FromStr;

/// A moment, or a day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(Timestamp);

/// A moment to look back to: one as above, or how long ago.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Since(Timestamp);

impl Moment {
    /// The moment, to the millisecond.
    pub(crate) fn at(self) -> Timestamp {
        self.0
    }
}

impl Since {
    /// The moment, to the millisecond.
    pub(crate) fn at(self) -> Timestamp {
        self.0
    }
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        moment(text)
            .map(Self)
            .ok_or("expected a time such as 2026-11-24T03:08:55Z or 2026-11-24T05:08:55+02:00, or a day such as 2026-11-24 (its first moment in UTC)")
    }
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        moment(text)
            .or_else(|| ago(text, SystemClock.now()))
            .map(Self)
            .ok_or("expected a time such as 2026-11-24T03:08:55Z, a day such as 2026-11-24 (UTC), or how long ago: 90s, 30m, 12h, 7d")
    }
}

/// RFC 3339, or the day alone.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(day) = format!("{text}T00:00:00.000Z").parse() {
        return Some(day);
    }
    let (local, offset) = split_offset(text)?;
    let (seconds, fraction) = match local.split_once('.') {
        Some((seconds, digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            (seconds, digits.get(..3).unwrap_or(digits))
        }
        Some(_) => return None,
        None => (local, "0"),
    };
    let seconds = seconds.replacen(['t', ' '], "T", 1);
    let utc: Timestamp = format!("{seconds}.{fraction:0<3}Z").parse().ok()?;
    Some(Timestamp::from_millis(utc.as_millis().checked_sub(offset)?))
}

/// A time of a place, and its distance from UTC in milliseconds.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(utc) = text.strip_suffix(['Z', 'z']) {
        return Some((utc, 0));
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
    let (sign, offset) = match offset.split_at_checked(1)? {
        ("+", offset) => (1, offset),
        ("-", offset) => (-1, offset),
        _ => return None,
    };
    let two = |text: &str, below: i64| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() == 2;
        text.parse::<i64>().ok().filter(|number| digits && *number < below)
    };
    let (hours, minutes) = offset.split_once(':')?;
    Some((local, sign * (two(hours, 24)? * 3_600_000 + two(minutes, 60)? * 60_000)))
}

/// Milliseconds of each unit.
const UNITS: [(char, i64); 4] = [('d', 86_400_000), ('h', 3_600_000), ('m', 60_000), ('s', 1_000)];

fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let (unit, millis) = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit))?;
    let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|count| *count >= 0)?;
    Some(Timestamp::from_millis(now.as_millis().checked_sub(count.checked_mul(millis)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_rfc_3339_or_as_a_day() {
        for (text, meant) in [
            ("2026-11-24T03:08:55.121Z", "2026-11-24T03:08:55.121Z"),
            ("2026-11-24T03:08:55Z", "2026-11-24T03:08:55.000Z"),
            ("2026-11-24 03:08:55z", "2026-11-24T03:08:55.000Z"),
            ("2026-11-24t03:08:55.1Z", "2026-11-24T03:08:55.100Z"),
            ("2026-11-24T03:08:55.123456789Z", "2026-11-24T03:08:55.123Z"),
            ("2026-11-24T01:08:55+02:00", "2026-11-23T23:08:55.000Z"),
            ("2026-11-24T03:08:55.5-09:30", "2026-11-24T12:38:55.500Z"),
            ("2026-11-24", "2026-11-24T00:00:00.000Z"),
        ] {
            assert_eq!(moment(text).unwrap().to_string(), meant, "{text}");
        }
        for wrong in [
            "",
            "Z",
            "yesterday",
            "7d",
            "2026-02-30",
            "2026-11-24T03:08Z",
            "2026-11-24T03:08:55",
            "2026-11-24T03:08:55.Z",
            "2026-11-24T03:08:55.1x2Z",
            "2026-11-24T03:08:55+2:00",
            "2026-11-24T03:08:55+24:00",
            "2026-11-24T03:08:55 02:00",
            "2026-11-24T03:08:55é00:00",
        ] {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_time_that_is_past_is_counted_back_from_now() {
        let now: Timestamp = "2026-11-24T12:00:00.000Z".parse().unwrap();
        assert_eq!(ago("36h", now).unwrap().to_string(), "2026-11-23T00:00:00.000Z");
        for wrong in ["", "h", "-1h", "1w", "99999999999999999d"] {
            assert_eq!(ago(wrong, now), None, "{wrong}");
        }
    }
}
