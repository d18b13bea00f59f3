//! Decisions by people, the gate that verifies their receipts, and where the private keys are.

mod asking;
mod authority;
mod counting;
mod deciders;
mod frozen;
mod gate;
mod key_separation;
mod known;
mod passkeys;
mod reviews;
mod second_capability;
mod warnings;
