//! Instants, written exactly as `Date.prototype.toISOString` writes them.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The largest distance from the epoch that a JavaScript `Date` has, in milliseconds.
const MAX_MILLIS: i64 = 8_640_000_000_000_000;
const DAY_MS: i64 = 86_400_000;

/// An instant in milliseconds since 1970-01-01T00:00:00.000Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// An instant. Beyond the range of a JavaScript `Date` (the years −271821 to 275760) it is the end of that range.
    pub const fn from_millis(millis: i64) -> Self {
        Self(if millis > MAX_MILLIS {
            MAX_MILLIS
        } else if millis < -MAX_MILLIS {
            -MAX_MILLIS
        } else {
            millis
        })
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(DAY_MS));
        let ms = self.0.rem_euclid(DAY_MS);
        match year {
            0..=9999 => write!(f, "{year:04}")?,
            // Outside four digits JavaScript writes a sign and six.
            _ => write!(f, "{year:+07}")?,
        }
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Accepts exactly the strings that `Display` writes: a real date, milliseconds, `Z`.
    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        parse(text).ok_or(ParseTimestampError)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A text that is not an instant in the accepted form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an instant: expected `YYYY-MM-DDTHH:mm:ss.sssZ`, a real date in UTC")]
pub struct ParseTimestampError;

fn parse(text: &str) -> Option<Timestamp> {
    let (year, rest) = match text.as_bytes() {
        [b'+' | b'-', ..] => (text.get(1..7)?, text.get(7..)?),
        _ => (text.get(..4)?, text.get(4..)?),
    };
    // 20 characters: -MM-DDTHH:mm:ss.sssZ
    let bytes: &[u8; 20] = rest.as_bytes().try_into().ok()?;
    let separators = [(0, b'-'), (3, b'-'), (6, b'T'), (9, b':'), (12, b':'), (15, b'.'), (19, b'Z')];
    if separators.iter().any(|(at, separator)| bytes[*at] != *separator) {
        return None;
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (year, month, day) = (sign * number(year.as_bytes())?, number(&bytes[1..3])?, number(&bytes[4..6])?);
    let (hour, minute) = (number(&bytes[7..9])?, number(&bytes[10..12])?);
    let (second, ms) = (number(&bytes[13..15])?, number(&bytes[16..19])?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    let millis = days * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1000 + ms;
    let real_date = civil_from_days(days) == (year, month, day);
    // Six digits for a year that needs four is not how the instant is written.
    let plain = text.starts_with(['+', '-']) != (0..=9999).contains(&year);
    (real_date && plain && millis.abs() <= MAX_MILLIS).then_some(Timestamp(millis))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

/// Days since the epoch of a proleptic Gregorian date. Years are counted from March, so that the leap day is the last
/// one, and in eras of 400 years (146 097 days), so that all divisions are of non-negative numbers.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}
