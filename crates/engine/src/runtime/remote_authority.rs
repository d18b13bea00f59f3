//! An authority in another process, and this folder's data about it: pinned keys, and a copy of its operators' acts.
//!
//! No data is copied before the process at the other end is shown to be the authority that the folder belongs to: it
//! runs under the expected account, its acts continue the copy, and its keys are the pinned ones.

use crate::Error;
use crate::issuer::{ActsSince, Issuer as _, KeyChange, Keyring, RemoteIssuer};
use crate::runtime::governance::{AuthorityChangeHandler, Governance};
use crate::runtime::journals::Journals;
use crate::trust::{RecordedTrustAct, Trust};
use receipt::KeySet;
use std::sync::Arc;
use store::DataFolder;
use store::{RecordedAct, Store, StoreError};

/// The keys of the authority that answers, if it is the authority that this folder belongs to.
pub(crate) fn join(
    remote: &RemoteIssuer,
    folder: &DataFolder,
    store: &dyn Store,
    on_change: &AuthorityChangeHandler,
) -> Result<KeySet, Error> {
    let mut trust = Trust::default();
    trust.extend(&store.acts(0).wait()?)?;
    if let Some(since) = remote.acts(trust.seq()) {
        check_continues(&trust, &since?)?;
    }
    let keys = remote.keys()?;
    report(on_change, &Keyring::pin(&folder.keys(), &keys)?);
    Ok(keys)
}

fn report(on_change: &AuthorityChangeHandler, keys: &[KeyChange]) {
    keys.iter().for_each(|change| on_change(&format!("at the authority: {change}")));
}

/// An authority that has another past than the copy is another authority, or an older copy of the same.
fn check_continues(trust: &Trust, since: &ActsSince) -> Result<(), Error> {
    if since.before == trust.digest() { Ok(()) } else { Err(Error::AuthorityMismatch) }
}

/// A change at the authority, in one line. An act by itself is displayed in two columns.
fn notice(recorded: &RecordedTrustAct) -> String {
    let act = recorded.act.to_string();
    let (what, words) = act.split_once(' ').unwrap_or((&act, ""));
    format!("at the authority: {what} {}", words.trim_start())
}

impl Governance {
    /// Reports the changes of the authority's key set.
    pub(crate) fn report_key_changes(&self, changes: &[KeyChange]) {
        report(&self.on_authority_change, changes);
    }

    /// Copies the authority's new acts, one by one, and reports them.
    pub(crate) fn copy_acts(&self, journals: &Journals, trust: &mut Arc<Trust>) -> Result<(), Error> {
        let kept = journals.store.acts(trust.seq()).wait()?;
        Arc::make_mut(trust).extend(&kept)?;
        let Some(since) = self.issuer.acts(trust.seq()).transpose()? else { return Ok(()) };
        check_continues(trust, &since)?;
        // All are checked before any is stored: an invalid act would make the copy unusable.
        let mut next = (**trust).clone();
        next.extend(&since.acts)?;
        for act in since.acts {
            let recorded = serde_json::from_str::<RecordedTrustAct>(&act.body);
            Self::copy_act(journals, act)?;
            // Unreadable acts were refused above.
            recorded.into_iter().for_each(|recorded| (self.on_authority_change)(&notice(&recorded)));
        }
        Ok(())
    }

    /// Keeps a copy of the authority's acts. Another process of this host may have been first; acts of another authority are refused.
    fn copy_act(journals: &Journals, RecordedAct { seq, at, body }: RecordedAct) -> Result<(), Error> {
        let seen = seq.saturating_sub(1);
        match journals.store.act(seen, at, body.clone()) {
            Err(StoreError::ActsMoved)
                if journals.store.acts(seen).wait()?.first().is_some_and(|kept| kept.body == body) =>
            {
                Ok(())
            }
            Err(StoreError::ActsMoved) => Err(Error::AuthorityMismatch),
            written => Ok(written?),
        }
    }
}
