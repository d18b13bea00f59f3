//! The change of a tenant's usage by a write.

use crate::Usage;

/// The amounts that one or several writes add to a tenant's usage, and subtract from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageChange {
    /// Instances that have not ended.
    pub instances: i64,
    /// Requests that wait for a decision.
    pub pending: i64,
    /// Bytes kept.
    pub bytes: i64,
}

impl UsageChange {
    /// A growth by `length` bytes.
    #[must_use]
    pub fn of_bytes(length: usize) -> Self {
        Self { bytes: i64::try_from(length).unwrap_or(i64::MAX), ..Self::default() }
    }

    /// A text that is kept.
    pub fn keep(&mut self, length: usize) {
        self.bytes = self.bytes.saturating_add(length.cast_signed() as i64);
    }

    /// Adds another change to this one.
    pub fn add(&mut self, other: Self) {
        self.instances += other.instances;
        self.pending += other.pending;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// A tenant's usage after the change.
    #[must_use]
    pub fn on(self, usage: Usage) -> Usage {
        Usage {
            instances: usage.instances.saturating_add_signed(self.instances),
            pending_approvals: usage.pending_approvals.saturating_add_signed(self.pending),
            stored_bytes: usage.stored_bytes.saturating_add_signed(self.bytes),
        }
    }

    /// The additions, without the reductions.
    #[must_use]
    pub fn growth(self) -> Usage {
        let up = |change: i64| u64::try_from(change).unwrap_or(0);
        Usage {
            instances: up(self.instances),
            pending_approvals: up(self.pending),
            stored_bytes: up(self.bytes),
        }
    }
}
