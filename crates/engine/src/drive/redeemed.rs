//! A receipt between its redemption and the effect.

use crate::capability::{Execution, Permit};
use receipt::Digest;
use workflow::ReceiptId;

/// A receipt that this drive has redeemed, and whose action has not begun.
pub(crate) struct RedeemedReceipt {
    pub(super) receipt: ReceiptId,
    pub(super) permit: Permit,
    pub(super) execution: Execution,
}

impl RedeemedReceipt {
    pub(super) fn new(receipt: ReceiptId, permit: Permit, order: u64) -> Self {
        let execution = Execution::new(idempotency_key(&receipt), order);
        Self { receipt, permit, execution }
    }
}

/// A receipt is redeemed once, so its id distinguishes one redemption from all others.
pub(super) fn idempotency_key(receipt: &ReceiptId) -> Digest {
    Digest::of(format!("pp-host redemption\0{receipt}").as_bytes())
}
