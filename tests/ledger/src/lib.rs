//! Nothing: what is here is a test, in a crate of its own because it defines C's functions.
