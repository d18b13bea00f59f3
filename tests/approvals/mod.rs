//! Decisions by people, the gate that verifies their receipts, and where the private keys are.

mod deciders;
mod gate;
mod key_separation;
