//! The command line as people and programs meet it.

mod alongside_worker;
mod approve;
mod arguments;
mod asking;
mod commands;
mod describing;
mod files;
mod folders;
mod hints;
mod instances;
mod openings;
mod output;
mod pages;
mod policies;
mod reading;
mod signals;
mod sources;
mod units;
mod verify;
mod work;
