//! The text form of sizes and durations. Sizes have the form of the host's settings.

use std::time::Duration;

/// A value that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// The value is not a size.
    #[error(
        "a size is expected: a whole number of bytes, or one with B, KiB, MiB or GiB, such as \"64 MiB\""
    )]
    NotASize,
    /// The value is not a duration.
    #[error("a duration is expected: a whole number with s, m, h or d, such as \"15m\" or \"24h\"")]
    NotADuration,
    /// Outside the allowed number of people.
    #[error("a whole number from {0} to {1} is expected")]
    NotACount(u32, u32),
    /// The duration is zero, or longer than the longest that is kept.
    #[error("a duration is at least 1s and at most 365d")]
    OutOfRange,
    /// A size that no number holds.
    #[error("the value is too large; the largest is {}", u64::MAX)]
    TooLarge,
}

/// The longest duration that a policy may name: a year, as long as Cloudflare's longest sleep.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// The units of size, each with its power of two.
const SIZES: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

/// The units of time in seconds, the longest first.
const TIMES: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// Reads a size as people write it.
pub(crate) fn parse_size(text: &str) -> Result<u64, InvalidValue> {
    if let Some(number) = whole(text) {
        return number.ok_or(InvalidValue::TooLarge);
    }
    let sized = SIZES.iter().find_map(|(name, shift)| Some((text.strip_suffix(name)?.trim_end(), shift)));
    let (number, shift) = sized.ok_or(InvalidValue::NotASize)?;
    let number = whole(number).ok_or(InvalidValue::NotASize)?;
    number.and_then(|number| number.checked_mul(1 << shift)).ok_or(InvalidValue::TooLarge)
}

/// A size as people read it: in the largest unit that divides it.
pub(crate) fn show_size(bytes: u64) -> String {
    let sized = |(name, shift): &(&str, u32)| {
        let fits = *shift > 0 && bytes != 0 && bytes.trailing_zeros() >= *shift;
        fits.then(|| format!("{} {name}", bytes >> shift))
    };
    SIZES.iter().find_map(sized).unwrap_or_else(|| format!("{bytes} B"))
}

/// Reads a duration as people write it: `90s`, `15m`, `24h`, `7d`.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidValue> {
    let timed = TIMES.iter().find_map(|(name, seconds)| Some((text.strip_suffix(name)?, seconds)));
    let (number, seconds) = timed.ok_or(InvalidValue::NotADuration)?;
    let number = whole(number).ok_or(InvalidValue::NotADuration)?;
    let duration = number.and_then(|number| number.checked_mul(*seconds)).map(Duration::from_secs);
    duration.filter(|duration| !duration.is_zero() && *duration <= LONGEST).ok_or(InvalidValue::OutOfRange)
}

/// A duration as it would be written: in the largest unit that divides it, days only from the second on, so that `24h` stays `24h`.
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let fits = |(name, unit): &(&str, u64)| {
        let divides = seconds >= *unit && seconds.is_multiple_of(*unit) && (*name != "d" || seconds > *unit);
        divides.then(|| format!("{}{name}", seconds / unit))
    };
    TIMES.iter().find_map(fits).unwrap_or_else(|| format!("{seconds}s"))
}

/// The number that a text of digits spells: `Some(None)` if it is too large, `None` if the text has other
/// characters.
pub(crate) fn whole(text: &str) -> Option<Option<u64>> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_or_a_number_with_a_unit() {
        for (text, value) in
            [("64 MiB", 64 << 20), ("1GiB", 1 << 30), ("0", 0), ("7 B", 7), ("10  KiB", 10 << 10)]
        {
            assert_eq!(parse_size(text), Ok(value), "{text}");
        }
        for text in ["", "MiB", "64 MB", "64 mib", "-1", "+1", "1.5 GiB", " 1", "1 ", "0x10", "1_000", "١"] {
            assert_eq!(parse_size(text), Err(InvalidValue::NotASize), "{text:?}");
        }
        for text in ["18446744073709551616", "17179869184 GiB", "99999999999999999999999 B"] {
            assert_eq!(parse_size(text), Err(InvalidValue::TooLarge), "{text}");
        }
    }

    #[test]
    fn a_duration_is_a_number_with_a_unit() {
        for (text, seconds) in
            [("1s", 1), ("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800), ("365d", 31_536_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "24", "24 h", "1.5h", "-1h", "1w", "1ms", "1h30m", "٣h"] {
            assert_eq!(parse_duration(text), Err(InvalidValue::NotADuration), "{text:?}");
        }
        for text in ["0s", "0d", "366d", "31536001s", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse_duration(text), Err(InvalidValue::OutOfRange), "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for value in [0, 1, 1_000, 1 << 10, 3 << 20, 1 << 30, (1 << 30) + 1, u64::MAX, 1 << 63] {
            assert_eq!(parse_size(&show_size(value)), Ok(value));
        }
        for seconds in [1, 59, 60, 90, 3_600, 86_400, 172_800, 90_000, 31_536_000] {
            let duration = Duration::from_secs(seconds);
            assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        }
        assert_eq!(show_duration(Duration::from_secs(86_400)), "24h");
        assert_eq!(show_duration(Duration::from_secs(172_800)), "2d");
    }
}
