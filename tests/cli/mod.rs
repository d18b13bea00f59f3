//! The command line as people and programs meet it.

mod alongside_worker;
mod approve;
mod arguments;
mod asking;
mod commands;
mod files;
mod folders;
mod hints;
mod instances;
mod openings;
mod output;
mod pages;
mod policies;
mod read_commands;
mod self_description;
mod signals;
mod sources;
mod unit_tests;
mod verify;
mod work;
