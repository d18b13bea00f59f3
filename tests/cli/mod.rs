//! The command line as people and programs meet it.

mod approve;
mod commands;
mod instances;
mod verify;
mod work;
