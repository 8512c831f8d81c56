//! The step circuit, tested as matrices: equal to the engine, rigid under overwriting, determined by its inputs, pinned.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests may panic and print figures")]

mod blocks;
mod determined;
mod equal;
mod market;
mod overwrite;
mod pins;
mod rotation;
mod rules;
mod system;
