//! Everything Ethereum: the only crate that may name ethers.
//!
//! Empty in this version: there is no client, no vault and no development chain yet. Nothing in the program claims one.
