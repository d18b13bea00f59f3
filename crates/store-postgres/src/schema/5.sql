-- A receipt is spent, revoked or neither: its state.
ALTER TABLE fates RENAME TO receipt_states;
ALTER INDEX fates_by_revocation RENAME TO receipt_states_by_revocation;
