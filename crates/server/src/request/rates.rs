//! The rate of each token: a number of requests a minute, which may come at once.

use crate::problem::Problem;
use axum::http::StatusCode;
use engine::limits::http_names;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The period of the limit.
const MINUTE: Duration = Duration::from_secs(60);

/// The number of tokens at which idle ones are removed from the map. Only valid tokens are counted.
const SWEEP: usize = 1_024;

/// The use of each token.
#[derive(Debug)]
pub(crate) struct Rates {
    most: u32,
    /// By the token's id: when its full rate is available again.
    good_at: Mutex<HashMap<String, Instant>>,
}

impl Rates {
    /// A limit of that many requests a minute.
    pub(crate) fn new(most: u32) -> Self {
        Self { most: most.max(1), good_at: Mutex::default() }
    }

    /// Counts a request of a token, or refuses it and says when to try again.
    pub(crate) fn count(&self, token: &str) -> Result<(), Problem> {
        self.count_at(token, Instant::now()).map_err(|wait| {
            let most = format_args!("{} a minute", self.most);
            Problem::limit(StatusCode::TOO_MANY_REQUESTS, http_names::TOKEN_REQUESTS, most).again_after(wait)
        })
    }

    fn count_at(&self, token: &str, now: Instant) -> Result<(), Duration> {
        let cost = MINUTE / self.most;
        let mut good_at = self.good_at.lock().unwrap_or_else(PoisonError::into_inner);
        if good_at.len() >= SWEEP {
            good_at.retain(|_, at| *at > now);
        }
        let at = good_at.get(token).copied().unwrap_or(now).max(now) + cost;
        match at.duration_since(now).checked_sub(MINUTE) {
            Some(beyond) if !beyond.is_zero() => Err(beyond),
            _ => {
                good_at.insert(token.to_owned(), at);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_and_each_is_made_good_in_its_time() {
        let rates = Rates::new(60);
        let now = Instant::now();
        for _ in 0..60 {
            rates.count_at("a", now).unwrap();
        }
        assert_eq!(rates.count_at("a", now), Err(Duration::from_secs(1)));
        rates.count_at("b", now).unwrap();
        let later = now + Duration::from_millis(500);
        assert_eq!(rates.count_at("a", later), Err(Duration::from_millis(500)));
        rates.count_at("a", now + Duration::from_secs(1)).unwrap();
        assert!(rates.count_at("a", now + Duration::from_secs(1)).is_err());
        let much_later = now + Duration::from_secs(3_600);
        for _ in 0..60 {
            rates.count_at("a", much_later).unwrap();
        }
        assert!(rates.count_at("a", much_later).is_err(), "an idle hour is no credit");
    }
}
