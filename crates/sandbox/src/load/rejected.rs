//! Components that were refused, by their digest: the same component is not compiled again.

use crate::LoadError;
use receipt::Digest;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The number of remembered refusals. With their bounded reasons, a few megabytes at most.
const REMEMBERED: usize = 1_024;

/// The latest refusals. They are forgotten with the process: another may have other limits.
#[derive(Default)]
pub(crate) struct RejectedComponents(Mutex<Latest>);

#[derive(Default)]
struct Latest {
    reasons: HashMap<Digest, LoadError>,
    oldest_first: VecDeque<Digest>,
}

impl RejectedComponents {
    /// The reason why a component was refused, if it was.
    pub(crate) fn find(&self, component: &Digest) -> Option<LoadError> {
        self.lock().reasons.get(component).cloned()
    }

    /// Remembers a refusal that the component itself causes. A full disk is not one.
    pub(crate) fn keep(&self, component: Digest, reason: &LoadError) {
        if !reason.is_lasting() {
            return;
        }
        let mut latest = self.lock();
        if latest.reasons.insert(component, reason.clone()).is_none() {
            latest.oldest_first.push_back(component);
        }
        if latest.oldest_first.len() > REMEMBERED {
            let oldest = latest.oldest_first.pop_front();
            oldest.and_then(|oldest| latest.reasons.remove(&oldest));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_the_number_is_bounded() {
        let (refusals, digest) =
            (RejectedComponents::default(), |number: usize| Digest::of(&number.to_be_bytes()));
        for number in 0..REMEMBERED + 10 {
            refusals.keep(digest(number), &LoadError::NotWasm);
        }
        assert!(refusals.find(&digest(9)).is_none());
        assert!(matches!(refusals.find(&digest(10)), Some(LoadError::NotWasm)));
        assert_eq!(refusals.lock().reasons.len(), REMEMBERED);
        refusals.keep(digest(10), &LoadError::CoreModule);
        assert_eq!(refusals.lock().oldest_first.len(), REMEMBERED);
    }

    #[test]
    fn a_failure_of_the_machine_is_not_remembered() {
        let refusals = RejectedComponents::default();
        let slow = LoadError::CompileBound { limit: "compile-wall-seconds", bound: 1 };
        for reason in
            [LoadError::Compiler("gone".to_owned()), LoadError::TooLarge { bytes: 2, limit: 1 }, slow]
        {
            refusals.keep(Digest::of(b""), &reason);
        }
        assert!(refusals.find(&Digest::of(b"")).is_none());
    }

    #[test]
    fn a_reason_has_an_end_however_long_the_component_is() {
        let name = "é".repeat(1 << 20);
        for reason in [
            LoadError::Invalid(name.clone()),
            LoadError::ForbiddenImports(vec![name.clone(); 100]),
            LoadError::NoEntrypoint { exports: vec![name; 100] },
        ] {
            let told = reason.bounded().to_string();
            assert!(told.len() < 32 << 10 && told.chars().any(|c| c == 'é'), "{} bytes", told.len());
        }
    }
}
