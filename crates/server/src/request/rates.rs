//! The use of each token: its requests per minute, and its concurrent requests.

use crate::problem::Problem;
use axum::http::StatusCode;
use engine::limits::http_names;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The period of the rate.
const MINUTE: Duration = Duration::from_secs(60);

/// The number of tokens at which idle ones are removed from the map. Only valid tokens are counted.
const SWEEP: usize = 1_024;

/// The use of all tokens.
#[derive(Debug)]
pub(crate) struct Rates {
    a_minute: u32,
    concurrency: u32,
    /// The uses, by the token's id.
    uses: Mutex<HashMap<String, Use>>,
}

/// The use of one token.
#[derive(Debug)]
struct Use {
    /// The time at which the token's full rate is available again.
    good_at: Instant,
    /// The token's requests that are being answered.
    concurrency: u32,
}

/// One request of a token, which counts as a concurrent request until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    rates: Arc<Rates>,
    token: String,
}

/// A bound that a token has reached.
#[derive(Debug, PartialEq, Eq)]
enum Reached {
    /// The token's rate. The next request counts after this time.
    Rate(Duration),
    Concurrency,
}

impl Rates {
    /// Bounds on one token: requests per minute, which may all come together, and concurrent requests.
    pub(crate) fn new(a_minute: u32, concurrency: u32) -> Self {
        Self { a_minute: a_minute.max(1), concurrency: concurrency.max(1), uses: Mutex::default() }
    }

    /// Counts a request of a token, or refuses it and says when to try again.
    pub(crate) fn count(self: &Arc<Self>, token: &str) -> Result<Counted, Problem> {
        let limit = |name, most: String| Problem::limit(StatusCode::TOO_MANY_REQUESTS, name, most);
        match self.count_at(token, Instant::now()) {
            Ok(()) => Ok(Counted { rates: Arc::clone(self), token: token.to_owned() }),
            Err(Reached::Rate(wait)) => {
                let most = format!("{} a minute", self.a_minute);
                Err(limit(http_names::TOKEN_REQUESTS, most).retry_after(wait))
            }
            Err(Reached::Concurrency) => {
                Err(limit(http_names::TOKEN_CONCURRENCY, self.concurrency.to_string()))
            }
        }
    }

    fn count_at(&self, token: &str, now: Instant) -> Result<(), Reached> {
        let cost = MINUTE / self.a_minute;
        let mut uses = self.lock();
        if uses.len() >= SWEEP {
            uses.retain(|_, kept| kept.concurrency > 0 || kept.good_at > now);
        }
        let (good_at, concurrency) =
            uses.get(token).map_or((now, 0), |kept| (kept.good_at, kept.concurrency));
        if concurrency >= self.concurrency {
            return Err(Reached::Concurrency);
        }
        let good_at = good_at.max(now) + cost;
        match good_at.duration_since(now).checked_sub(MINUTE) {
            Some(beyond) if !beyond.is_zero() => Err(Reached::Rate(beyond)),
            _ => {
                uses.insert(token.to_owned(), Use { good_at, concurrency: concurrency + 1 });
                Ok(())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Use>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(kept) = self.rates.lock().get_mut(&self.token) {
            kept.concurrency -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_and_each_is_made_good_in_its_time() {
        let rates = Rates::new(60, u32::MAX);
        let now = Instant::now();
        for _ in 0..60 {
            rates.count_at("a", now).unwrap();
        }
        assert_eq!(rates.count_at("a", now), Err(Reached::Rate(Duration::from_secs(1))));
        rates.count_at("b", now).unwrap();
        let later = now + Duration::from_millis(500);
        assert_eq!(rates.count_at("a", later), Err(Reached::Rate(Duration::from_millis(500))));
        rates.count_at("a", now + Duration::from_secs(1)).unwrap();
        assert!(rates.count_at("a", now + Duration::from_secs(1)).is_err());
        let much_later = now + Duration::from_secs(3_600);
        for _ in 0..60 {
            rates.count_at("a", much_later).unwrap();
        }
        assert!(rates.count_at("a", much_later).is_err(), "an idle hour is no credit");
    }

    #[test]
    fn a_token_has_so_many_at_once_and_a_refusal_costs_nothing() {
        let rates = Arc::new(Rates::new(4, 2));
        let [first, _second] = [rates.count("a").unwrap(), rates.count("a").unwrap()];
        for _ in 0..10 {
            let refused = rates.count("a").unwrap_err();
            assert!(
                refused.detail.contains("limit http-token-concurrency reached: at most 2 "),
                "{refused:?}"
            );
        }
        let _other = rates.count("b").unwrap();
        drop(first);
        let _third = rates.count("a").unwrap();
    }
}
