//! Decisions by people, the gate that verifies their receipts, and where the private keys are.

mod asking;
mod authority;
mod deciders;
mod unmet;
mod frozen;
mod counting;
mod gate;
mod key_separation;
mod known;
