//! What the WebAssembly module exports: plain numbers in and out, so that no generator of glue code is needed.
//!
//! The only place in the project that has to name `unsafe`: an export is a name without a namespace. No raw pointer is followed.
#![expect(unsafe_code, reason = "exported names; the compiler cannot see that no two are alike")]

use crate::{Input, answer, heads, prepare, prove};
use std::cell::RefCell;

thread_local! {
    static INPUT: RefCell<Input> = RefCell::default();
    static OUTPUT: RefCell<Vec<u8>> = RefCell::default();
}

/// Room for one input: 0 log, 1 proof, 2 mandate, 3 units, 4 heads. Gives where to write; what was there before is gone.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn probity_input(which: u32, length: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|input| {
        let buffer = match which {
            0 => &mut input.log,
            1 => &mut input.proof,
            2 => &mut input.mandate,
            3 => &mut input.units,
            _ => &mut input.heads,
        };
        *buffer = vec![0; length];
        buffer.as_mut_ptr()
    })
}

/// Derives the keys of the log's mandate.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn probity_prepare() {
    INPUT.with_borrow(|input| prepare(&input.log));
}

/// Verifies the proof for the log's mandate; the audit takes it from there.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn probity_prove() {
    INPUT.with_borrow(prove);
}

/// Hashes the log; gives the length of the heads.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn probity_heads() -> usize {
    put_out(INPUT.with_borrow(|input| heads(&input.log)))
}

/// Audits; gives the length of the answer.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn probity_audit() -> usize {
    put_out(INPUT.with_borrow(answer).into_bytes())
}

fn put_out(bytes: Vec<u8>) -> usize {
    OUTPUT.with_borrow_mut(|output| {
        *output = bytes;
        output.len()
    })
}

/// Where the heads or the answer are.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn probity_output() -> *const u8 {
    OUTPUT.with_borrow(|output| output.as_ptr())
}
