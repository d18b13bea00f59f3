//! The text form of a limit's value.

use std::fmt;
use std::time::Duration;

/// The unit of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number.
    Count,
    /// Characters.
    Characters,
    /// Bytes. May be written as `"64 MiB"`.
    Bytes,
    /// Seconds.
    Seconds,
    /// Units of fuel, about one a WebAssembly instruction.
    Fuel,
    /// An age: seconds, or `"30d"`, or `"for good"`.
    Age,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "count",
            Self::Characters => "characters",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::Fuel => "fuel",
            Self::Age => "age",
        })
    }
}

/// A value that a limit cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// The value is not a number.
    #[error("a whole number is expected, such as 1000")]
    NotANumber,
    /// The value is not a size.
    #[error(
        "a size is expected: a whole number of bytes, or one with B, KiB, MiB or GiB, such as \"64 MiB\""
    )]
    NotASize,
    /// The value is not an age.
    #[error(
        "an age is expected: a whole number of seconds, or one with s, m, h or d, such as \"30d\", or \"for good\""
    )]
    NotAnAge,
    /// Less than the limit can be.
    #[error("the value is too small; the smallest is {0}")]
    TooSmall(String),
    /// Too large to be stored.
    #[error("the value is too large; the largest is {0}")]
    TooLarge(u64),
}

/// The units of time in seconds, the longest first.
const AGES: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// The text of an age without end.
const FOR_GOOD: &str = "for good";

/// The units of size, each with its power of two.
const SIZES: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

impl Unit {
    /// Reads a value as people write it.
    ///
    /// # Errors
    /// The text is not a whole number, or for bytes not a size.
    pub fn parse(self, text: &str) -> Result<u64, InvalidValue> {
        let digits = |text: &str| {
            let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            all.then(|| text.parse::<u64>().ok())
        };
        if let Some(number) = digits(text) {
            return number.ok_or(InvalidValue::TooLarge(u64::MAX));
        }
        match self {
            Self::Bytes => {}
            Self::Age if text == FOR_GOOD => return Ok(u64::MAX),
            Self::Age => {
                let named = AGES.iter().find_map(|(name, seconds)| Some((text.strip_suffix(name)?, seconds)));
                let (number, seconds) = named.ok_or(InvalidValue::NotAnAge)?;
                let number = digits(number.trim_end()).ok_or(InvalidValue::NotAnAge)?;
                let age = number.and_then(|number| number.checked_mul(*seconds));
                return age.ok_or(InvalidValue::TooLarge(u64::MAX));
            }
            _ => return Err(InvalidValue::NotANumber),
        }
        let sized = SIZES.iter().find_map(|(name, shift)| Some((text.strip_suffix(name)?.trim_end(), shift)));
        let (number, shift) = sized.ok_or(InvalidValue::NotASize)?;
        let number = digits(number).ok_or(InvalidValue::NotASize)?;
        number.and_then(|number| number.checked_mul(1 << shift)).ok_or(InvalidValue::TooLarge(u64::MAX))
    }

    /// A value as people read it: sizes in the largest unit that divides them.
    #[must_use]
    pub fn show(self, value: u64) -> String {
        let sized = |(name, shift): &(&str, u32)| {
            let fits = *shift > 0 && value != 0 && value.trailing_zeros() >= *shift;
            fits.then(|| format!("{} {name}", value >> shift))
        };
        let aged = |(name, seconds): &(&str, u64)| {
            (value > 0 && value.is_multiple_of(*seconds)).then(|| format!("{} {name}", value / seconds))
        };
        match self {
            Self::Bytes => SIZES.iter().find_map(sized).unwrap_or_else(|| format!("{value} B")),
            Self::Seconds => format!("{value} s"),
            Self::Age if value == u64::MAX => FOR_GOOD.to_owned(),
            Self::Age => AGES.iter().find_map(aged).unwrap_or_else(|| "0 s".to_owned()),
            _ => value.to_string(),
        }
    }
}

/// A field that holds a limit.
pub(super) trait Amount: Sized {
    /// The largest that fits.
    const LARGEST: u64;
    fn amount(&self) -> u64;
    /// The value, or `None` if it does not fit.
    fn of(amount: u64) -> Option<Self>;
}

impl Amount for u64 {
    const LARGEST: u64 = u64::MAX;
    fn amount(&self) -> u64 {
        *self
    }
    fn of(amount: u64) -> Option<Self> {
        Some(amount)
    }
}

impl Amount for u32 {
    const LARGEST: u64 = u32::MAX as u64;
    fn amount(&self) -> u64 {
        u64::from(*self)
    }
    fn of(amount: u64) -> Option<Self> {
        amount.try_into().ok()
    }
}

impl Amount for usize {
    const LARGEST: u64 = usize::MAX as u64;
    fn amount(&self) -> u64 {
        *self as u64
    }
    fn of(amount: u64) -> Option<Self> {
        amount.try_into().ok()
    }
}

impl Amount for Duration {
    const LARGEST: u64 = u64::MAX;
    fn amount(&self) -> u64 {
        self.as_secs()
    }
    fn of(amount: u64) -> Option<Self> {
        Some(Duration::from_secs(amount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_or_a_number_with_a_unit() {
        for (text, value) in
            [("64 MiB", 64 << 20), ("1GiB", 1 << 30), ("0", 0), ("7 B", 7), ("10  KiB", 10 << 10)]
        {
            assert_eq!(Unit::Bytes.parse(text), Ok(value), "{text}");
        }
        for text in ["", "MiB", "64 MB", "64 mib", "-1", "+1", "1.5 GiB", " 1", "1 ", "0x10", "1_000", "١"] {
            assert_eq!(Unit::Bytes.parse(text), Err(InvalidValue::NotASize), "{text:?}");
            assert_eq!(Unit::Count.parse(text), Err(InvalidValue::NotANumber), "{text:?}");
        }
        assert_eq!(Unit::Count.parse("64 MiB"), Err(InvalidValue::NotANumber));
        for text in ["18446744073709551616", "17179869184 GiB", "99999999999999999999999 B"] {
            assert_eq!(Unit::Bytes.parse(text), Err(InvalidValue::TooLarge(u64::MAX)), "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for value in [0, 1, 1_000, 1 << 10, 3 << 20, 1 << 30, (1 << 30) + 1, u64::MAX, 1 << 63] {
            assert_eq!(Unit::Bytes.parse(&Unit::Bytes.show(value)), Ok(value));
        }
        assert_eq!(Unit::Bytes.show(64 << 20), "64 MiB");
        assert_eq!(Unit::Seconds.show(60), "60 s");
        for value in [0, 1, 60, 3_601, 86_400, 30 * 86_400, u64::MAX - 1, u64::MAX] {
            assert_eq!(Unit::Age.parse(&Unit::Age.show(value)), Ok(value));
        }
        assert_eq!(Unit::Age.show(30 * 86_400), "30 d");
    }

    #[test]
    fn an_age_is_a_number_of_seconds_or_of_what_is_named() {
        for (text, value) in
            [("30d", 2_592_000), ("1 h", 3_600), ("90m", 5_400), ("0", 0), ("for good", u64::MAX)]
        {
            assert_eq!(Unit::Age.parse(text), Ok(value), "{text}");
        }
        for text in ["", "d", "30 days", "-1d", "1.5h", "forever", "1d12h", " 1d"] {
            assert_eq!(Unit::Age.parse(text), Err(InvalidValue::NotAnAge), "{text:?}");
        }
        assert_eq!(Unit::Age.parse("999999999999999999d"), Err(InvalidValue::TooLarge(u64::MAX)));
    }
}
