//! A receipt between its redemption and the effect.

use crate::capability::{Execution, Permit};
use receipt::Digest;
use workflow::ReceiptId;

/// A receipt that this drive has spent, and whose action has not begun.
pub(crate) struct SpentReceipt {
    pub(super) receipt: ReceiptId,
    pub(super) permit: Permit,
    pub(super) attempt: Execution,
}

impl SpentReceipt {
    pub(super) fn new(receipt: ReceiptId, permit: Permit, order: u64) -> Self {
        let attempt = Execution::new(idempotency_key(&receipt), order);
        Self { receipt, permit, attempt }
    }
}

/// A receipt is redeemed once, so its id distinguishes one redemption from all others.
pub(super) fn idempotency_key(receipt: &ReceiptId) -> Digest {
    Digest::of(format!("pp-host redemption\0{receipt}").as_bytes())
}
