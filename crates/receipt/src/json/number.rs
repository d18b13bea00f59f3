//! Checks that a number is read back from JSON as the value that was written.

use alloc::borrow::ToOwned;
use alloc::string::String;

/// The treatment of a number that no 64-bit float equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// The number becomes the nearest float, as in JavaScript.
    Nearest,
    /// The number is an error.
    Exact,
}

/// Checks that `number`, read from `written`, is written back as the same value. The error is the text that would be
/// written.
pub(super) fn written_back(written: &str, number: f64) -> Result<(), String> {
    if !number.is_finite() {
        return Err("null".to_owned());
    }
    let mut buffer = ryu_js::Buffer::new();
    let kept = buffer.format_finite(number);
    match (Decimal::of(written), Decimal::of(kept)) {
        (Some(written), Some(kept)) if written == kept => Ok(()),
        _ => Err(kept.to_owned()),
    }
}

/// A decimal number in its one normal form: digits without zeros at either end, times a power of ten. Zero has no digits and
/// no sign.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Parses a JSON number. `None` for an exponent beyond 64 bits, which no float has.
    fn of(text: &str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        let significant = digits.trim_end_matches('0');
        let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
        let significant = significant.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Self { negative: false, digits: String::new(), exponent: 0 });
        }
        let places = i64::try_from(fraction.len()).ok()?;
        let exponent = exponent.parse::<i64>().ok()?.checked_sub(places)?.checked_add(zeros)?;
        Some(Self { negative, digits: significant.to_owned(), exponent })
    }
}
