//! Stands in for `js-sys`. Of oxc's dependencies, one asks a browser for the date when it looks up which browsers are current; nothing here
//! asks that, and a component may not import it. The date is the beginning of 1970.

/// A date.
#[derive(Debug)]
pub struct Date;

impl Date {
    /// Milliseconds since 1970.
    #[must_use]
    pub fn now() -> f64 {
        0.0
    }

    /// Now.
    #[must_use]
    pub fn new_0() -> Self {
        Self
    }

    /// Does nothing.
    pub fn set_time(&self, _: f64) {}

    /// The year.
    #[must_use]
    pub fn get_full_year(&self) -> u32 {
        1970
    }

    /// The month, from 0.
    #[must_use]
    pub fn get_month(&self) -> u32 {
        0
    }

    /// Does nothing; the date in milliseconds.
    pub fn set_full_year_with_month(&self, _: u32, _: i32) -> f64 {
        0.0
    }
}
