//! The command line as people and programs meet it.

mod approve;
mod beside_work;
mod commands;
mod folders;
mod instances;
mod openings;
mod verify;
mod work;
