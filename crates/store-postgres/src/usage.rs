//! What a write adds to a tenant's usage, and takes from it.

use store::Usage;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) instances: i64,
    pub(crate) pending: i64,
    pub(crate) bytes: i64,
}

impl Change {
    /// So many bytes more.
    pub(crate) fn of_bytes(length: usize) -> Self {
        Self { bytes: i64::try_from(length).unwrap_or(i64::MAX), ..Self::default() }
    }

    /// A text that is kept.
    pub(crate) fn keep(&mut self, length: usize) {
        self.bytes = self.bytes.saturating_add(length.cast_signed() as i64);
    }

    /// What a tenant keeps after the change.
    pub(crate) fn on(self, usage: Usage) -> Usage {
        Usage {
            instances: usage.instances.saturating_add_signed(self.instances),
            pending_approvals: usage.pending_approvals.saturating_add_signed(self.pending),
            stored_bytes: usage.stored_bytes.saturating_add_signed(self.bytes),
        }
    }

    /// What it adds, where it adds something.
    pub(crate) fn growth(self) -> Usage {
        let up = |change: i64| u64::try_from(change).unwrap_or(0);
        Usage {
            instances: up(self.instances),
            pending_approvals: up(self.pending),
            stored_bytes: up(self.bytes),
        }
    }
}
