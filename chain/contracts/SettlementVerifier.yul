// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Verifies a settlement: folds N blocks of decisions (plain R1CS instances on BN254) into a random relaxed instance and checks one
// preprocessing-Spartan proof with a Mercury opening of the result. docs/design/settlement.md is the specification; the stages
// V0 … V7 below are its sections. The reference is prover/verifier/src/settlement; both must give the same answer on every input.
//
// The contract holds no state, knows no caller and pays nobody. Everything that depends on the circuit or on the parameters is in a
// table of 26 words behind the code, written by the constructor from its arguments; the digest of that table is the first thing
// absorbed, so no constant can be other than the one a proof was made for.
//
// Call data, no selector: domain, trail, decisions, fingerprint, z (one word an element), and what the first block leaves of the weights: commitment
// in force, commitment and step of the rotation ahead. All from the vault; then the settlement's bytes.
// Returns trail, fingerprint, z (after). Reverts with one word, the number of the failure, if anything is wrong.
object "SettlementVerifier" {
    code {
        let size := datasize("runtime")
        let table := datasize("SettlementVerifier")
        // The table and nothing else.
        if iszero(eq(codesize(), add(table, 0x340))) { revert(0, 0) }
        datacopy(0, dataoffset("runtime"), size)
        codecopy(size, table, 0x340)
        return(0, add(size, 0x340))
    }
    object "runtime" {
        code {
            // ------------------------------------------------------------ memory
            // 0x000 scratch: trail hashes, precompile results      0x400 constants (26 words)
            // 0x080 round, 0x0a0 state hi, 0x0c0 state lo, 0x0e0 end of pending bytes of the transcript
            // 0x100 offset of the preprocessing proof in call data 0x120 fixed by V3 … V5: challenges
            // 0x200 accumulator (2 words) and operand (3 words) of the curve operations, 0x2a0 an inverse of V7
            // 0x740 W (2 words), 0x780 E (2 words), 0x7c0 u, 0x7e0 X (up to 127 words)
            // 0x17e0 z before and after a block, fingerprint: up to 32 words
            // 0x1c00 τ, 0x1f80 r outer, 0x2300 r outer with padding, 0x2680 ρ, 0x2a00 r inner: up to 28 words each
            // 0x2d80 pending bytes of the transcript, hash buffers, tables
            function R() -> r { r := 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001 }
            function Q() -> q { q := 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47 }
            function K(i) -> v { v := mload(add(0x400, shl(5, i))) }
            function logRows() -> v { v := K(21) }
            function logSize() -> v { v := K(22) }
            function arity() -> v { v := K(23) }
            // Bytes of z's first words, which no block brings (model, mandate, rotation ahead: FIXED of the reference); of what each block
            // brings, behind the step.
            function fixedBytes() -> v { v := 128 }
            function restBytes() -> v { v := sub(shl(5, sub(arity(), 1)), fixedBytes()) }
            function perBlock() -> v { v := K(24) }
            function publicValues() -> v { v := add(shl(1, add(arity(), 1)), perBlock()) }
            function BUF() -> p { p := 0x2d80 }
            function ACC() -> p { p := 0x200 }
            function W() -> p { p := 0x740 }
            function E() -> p { p := 0x780 }
            function U() -> p { p := 0x7c0 }
            function X() -> p { p := 0x7e0 }
            function Z() -> p { p := 0x17e0 }
            function TAU() -> p { p := 0x1c00 }
            function OUTER() -> p { p := 0x1f80 }
            function PADDED() -> p { p := 0x2300 }
            function RHO() -> p { p := 0x2680 }
            function INNER() -> p { p := 0x2a00 }

            function fail(code) { mstore(0, code) revert(0, 32) }

            // ------------------------------------------------------------ scalars
            function times(a, b) -> c { c := mulmod(a, b, R()) }
            function plus(a, b) -> c { c := addmod(a, b, R()) }
            function minus(a, b) -> c { c := addmod(a, sub(R(), b), R()) } // b ≤ r
            function oneMinus(a) -> c { c := addmod(1, sub(R(), a), R()) }
            /// A canonical scalar of the call data.
            function scalarAt(at) -> v {
                v := calldataload(at)
                if iszero(lt(v, R())) { fail(2) }
            }
            function inverse(a) -> b {
                let p := BUF()
                mstore(p, 32) mstore(add(p, 32), 32) mstore(add(p, 64), 32)
                mstore(add(p, 96), a) mstore(add(p, 128), sub(R(), 2)) mstore(add(p, 160), R())
                mstore(0, 0)
                if iszero(staticcall(20000, 5, p, 192, 0, 32)) { fail(10) }
                if iszero(eq(returndatasize(), 32)) { fail(10) }
                b := mload(0)
                if iszero(eq(times(a, b), 1)) { fail(11) }
            }

            // ------------------------------------------------------------ curve
            /// at += s·(the point at 0x240), which the call overwrites. Off the curve or not canonical: the precompile refuses.
            function addScaled(at, s) {
                mstore(0x280, s)
                let ok := staticcall(20000, 7, 0x240, 0x60, 0x240, 0x40)
                ok := and(ok, eq(returndatasize(), 64))
                mstore(0x200, mload(at)) mstore(0x220, mload(add(at, 32)))
                ok := and(ok, staticcall(2000, 6, 0x200, 0x80, at, 0x40))
                if iszero(and(ok, eq(returndatasize(), 64))) { fail(3) }
            }
            function addScaledWords(at, x, y, s) { mstore(0x240, x) mstore(0x260, y) addScaled(at, s) }
            function addScaledCall(at, point, s) { calldatacopy(0x240, point, 64) addScaled(at, s) }

            // ------------------------------------------------------------ transcript of the preprocessing proof
            function label(text, length) { let p := mload(0xe0) mstore(p, text) mstore(0xe0, add(p, length)) }
            function absorbWord(v) { let p := mload(0xe0) mstore(p, v) mstore(0xe0, add(p, 32)) }
            function absorbWords(from, count) { let p := mload(0xe0) mcopy(p, from, shl(5, count)) mstore(0xe0, add(p, shl(5, count))) }
            function absorbPoint(x, y) {
                let p := mload(0xe0)
                mstore(p, x) mstore(add(p, 32), y) mstore8(add(p, 64), iszero(or(x, y)))
                mstore(0xe0, add(p, 65))
            }
            function absorbPointCall(at) { absorbPoint(calldataload(at), calldataload(add(at, 32))) }
            /// keccak(pending ‖ "NoDS" ‖ round ‖ state ‖ label ‖ 0 or 1): low and high half of the next state; the challenge is both, mod r.
            function squeeze(text, length) -> c {
                let p := mload(0xe0)
                let round := mload(0x80)
                mstore(p, or(0x4e6f445300000000000000000000000000000000000000000000000000000000, shl(160, round)))
                mstore(add(p, 12), mload(0xa0)) mstore(add(p, 44), mload(0xc0))
                p := add(p, 76)
                mstore(p, text)
                p := add(p, length)
                let count := sub(add(p, 1), BUF())
                mstore8(p, 0)
                let low := keccak256(BUF(), count)
                mstore8(p, 1)
                let high := keccak256(BUF(), count)
                mstore(0xa0, high) mstore(0xc0, low) mstore(0x80, add(round, 1)) mstore(0xe0, BUF())
                // 2^256 mod r
                c := addmod(mulmod(high, 0x0e0a77c19a07df2f666ea36f7879462e36fc76959f60cd29ac96341c4ffffffb, R()), low, R())
            }
            /// Challenges one after the other. Behind the first nothing is pending: "NoDS" ‖ round ‖ state ‖ label ‖ 0 or 1 at fixed places.
            function squeezeMany(text, to, count) {
                let end := add(to, shl(5, count))
                mstore(to, squeeze(text, 1))
                let r := R()
                let p := BUF()
                let round := mload(0x80)
                let high := mload(0xa0)
                let low := mload(0xc0)
                mstore(add(p, 76), text)
                for { to := add(to, 32) } lt(to, end) { to := add(to, 32) } {
                    mstore(p, or(0x4e6f445300000000000000000000000000000000000000000000000000000000, shl(160, round)))
                    mstore(add(p, 12), high) mstore(add(p, 44), low)
                    mstore8(add(p, 77), 0)
                    low := keccak256(p, 78)
                    mstore8(add(p, 77), 1)
                    high := keccak256(p, 78)
                    round := add(round, 1)
                    mstore(to, addmod(mulmod(high, 0x0e0a77c19a07df2f666ea36f7879462e36fc76959f60cd29ac96341c4ffffffb, r), low, r))
                }
                mstore(0xa0, high) mstore(0xc0, low) mstore(0x80, round)
            }
            /// Degree three, three coefficients a round; the linear one follows from the claim. Nothing may be pending: "p" ‖ coefficients ‖
            /// "NoDS" ‖ round ‖ state ‖ "c" ‖ 0 or 1 stand at fixed places.
            function sumcheck(claim, last, from, to) -> end {
                let r := R()
                let high := mload(0xa0)
                let low := mload(0xc0)
                mstore8(BUF(), 0x70)
                mstore8(add(BUF(), 173), 0x63)
                for {} lt(to, last) { to := add(to, 32) from := add(from, 96) } {
                    calldatacopy(add(BUF(), 1), from, 96)
                    mstore(add(BUF(), 97), or(0x4e6f445300000000000000000000000000000000000000000000000000000000, shl(160, mload(0x80))))
                    mstore(0x80, add(mload(0x80), 1))
                    mstore(add(BUF(), 109), high) mstore(add(BUF(), 141), low)
                    mstore8(add(BUF(), 174), 0)
                    low := keccak256(BUF(), 175)
                    mstore8(add(BUF(), 174), 1)
                    high := keccak256(BUF(), 175)
                    let x := addmod(mulmod(high, 0x0e0a77c19a07df2f666ea36f7879462e36fc76959f60cd29ac96341c4ffffffb, r), low, r)
                    mstore(to, x)
                    let c0 := mload(add(BUF(), 1))
                    let c2 := mload(add(BUF(), 33))
                    let c3 := mload(add(BUF(), 65))
                    if iszero(and(and(lt(c0, r), lt(c2, r)), lt(c3, r))) { fail(2) }
                    // Sums of up to four scalars stay below 2^256.
                    let c1 := addmod(claim, sub(shl(2, r), add(add(c0, c0), add(c2, c3))), r)
                    claim := addmod(c0, mulmod(x, add(c1, mulmod(x, add(c2, mulmod(x, c3, r)), r)), r), r)
                }
                mstore(0xa0, high) mstore(0xc0, low)
                end := claim
            }
            /// Π (a·b + (1 − a)(1 − b)) over words at a and b.
            function equality(a, b, count) -> e {
                e := 1
                let r := R()
                for { let end := add(a, shl(5, count)) } lt(a, end) { a := add(a, 32) b := add(b, 32) } {
                    let both := mulmod(mload(a), mload(b), r)
                    // 1 + 2ab + 2r − a − b, below 2^256
                    e := mulmod(e, sub(add(add(add(both, both), 1), shl(1, r)), add(mload(a), mload(b))), r)
                }
            }
            /// Π (1 − a) over words at a.
            function complements(a, count) -> e {
                e := 1
                let r := R()
                for { let end := add(a, shl(5, count)) } lt(a, end) { a := add(a, 32) } { e := mulmod(e, sub(add(r, 1), mload(a)), r) }
            }

            // ------------------------------------------------------------ V1: bounds and lengths
            function bounds() -> decisions {
                decisions := calldataload(0x40)
                if or(iszero(decisions), gt(decisions, 4096)) { fail(1) }
                let n := div(add(decisions, sub(perBlock(), 1)), perBlock())
                // C, T, the rest of z, fingerprint a block; 16 bytes a decision; r_W, r_E.
                let blocks := add(mul(n, add(160, restBytes())), shl(4, decisions))
                let proof := add(add(claimBytes(), 128), add(blocks, 64))
                mstore(0x100, proof)
                let snark := add(mul(96, add(logRows(), logSize())), 1696)
                if iszero(eq(calldatasize(), add(proof, snark))) { fail(1) }
            }
            function claimBytes() -> v { v := shl(5, add(7, arity())) }

            // ------------------------------------------------------------ V2: challenges and folds
            function fold(decisions) -> trail {
                let b := BUF()
                let at := claimBytes()
                // h₀ = keccak(tag ‖ configuration ‖ claim ‖ mask)
                mstore(b, 0x70726f626974792e736574746c656d656e742e332e7374617274000000000000)
                mstore(add(b, 32), keccak256(0x400, 0x340))
                calldatacopy(add(b, 64), 0, add(at, 128))
                let h := keccak256(b, add(192, at))
                // The mask is the running instance; its u and X are 0, as untouched memory is.
                calldatacopy(W(), at, 128)
                // z and the fingerprint, from the claim.
                let count := arity()
                for { let i := 0 } lt(i, count) { i := add(i, 1) } { mstore(add(Z(), shl(5, i)), scalarAt(add(0x80, shl(5, i)))) }
                mstore(add(Z(), shl(5, count)), scalarAt(0x60))
                at := add(at, 128)
                trail := calldataload(0x20)
                let first
                {
                    let start := at
                    for {} decisions {} {
                        let live := perBlock()
                        if gt(live, decisions) { live := decisions }
                        decisions := sub(decisions, live)
                        h, trail := foldBlock(h, trail, at, live)
                        if eq(at, start) { first := mload(U()) }
                        at := add(at, add(160, add(restBytes(), shl(4, live))))
                    }
                }
                foldFixed(first)
                unblind(at)
            }
            /// h' = keccak(tag ‖ h ‖ block); ρ = its low 128 bits; running += ρ·block.
            function foldBlock(h, trail, at, live) -> next, after {
                let b := BUF()
                let zBytes := restBytes()
                let size := add(160, add(zBytes, shl(4, live)))
                mstore(b, 0x70726f626974792e736574746c656d656e742e332e626c6f636b000000000000)
                mstore(add(b, 32), h)
                calldatacopy(add(b, 64), at, size)
                next := keccak256(b, add(64, size))
                let rho := and(next, 0xffffffffffffffffffffffffffffffff)
                addScaledCall(W(), at, rho)
                addScaledCall(E(), add(at, 64), rho)
                mstore(U(), plus(mload(U()), rho))
                // z before without what is fixed, fingerprint before.
                let x := add(X(), fixedBytes())
                let words := add(2, shr(5, zBytes))
                x := foldWords(x, add(Z(), fixedBytes()), words, rho)
                // Marks; those of slots without a decision are 0 and leave X alone.
                after := trail
                {
                    let r := R()
                    let mark := add(add(at, 160), zBytes)
                    mstore(0, after)
                    for { let end := add(x, shl(5, live)) let p := x } lt(p, end) { p := add(p, 32) mark := add(mark, 16) } {
                        let v := calldataload(mark)
                        mstore(p, addmod(mload(p), mulmod(rho, shr(128, v), r), r))
                        mstore(32, v)
                        mstore(0, keccak256(0, 48))
                    }
                    after := mload(0)
                    x := add(x, shl(5, perBlock()))
                }
                // z after: the step counts, the rest is the block's; then the fingerprint after.
                {
                    let step := add(Z(), fixedBytes())
                    mstore(step, plus(mload(step), live))
                    let p := add(step, 32)
                    let from := add(at, 128)
                    for { let end := add(p, add(zBytes, 32)) } lt(p, end) { p := add(p, 32) from := add(from, 32) } { mstore(p, scalarAt(from)) }
                }
                x := foldWords(add(x, fixedBytes()), add(Z(), fixedBytes()), words, rho)
            }
            function foldWords(x, from, count, rho) -> end {
                let r := R()
                for { end := add(x, shl(5, count)) } lt(x, end) { x := add(x, 32) from := add(from, 32) } {
                    mstore(x, addmod(mload(x), mulmod(rho, mload(from), r), r))
                }
            }
            /// What no block brings: before the first block (whose ρ is `first`) the claim's z, after it the claim's mandate and weights, before
            /// and after every later block the same. Σ ρ of each; z after is left with the latter.
            function foldFixed(first) {
                let r := R()
                let u := mload(U())
                let rest := addmod(u, sub(r, first), r)
                let after := add(add(X(), shl(5, add(arity(), 1))), shl(5, perBlock()))
                let weights := sub(claimBytes(), 96)
                for { let i := 0 } lt(i, fixedBytes()) { i := add(i, 32) } {
                    let v := mload(add(Z(), i))
                    let then := v
                    // The mandate, the second, stays.
                    if iszero(eq(i, 32)) {
                        then := scalarAt(weights)
                        weights := add(weights, 32)
                    }
                    mstore(add(Z(), i), then)
                    mstore(add(X(), i), addmod(mulmod(first, v, r), mulmod(rest, then, r), r))
                    mstore(add(after, i), mulmod(u, then, r))
                }
            }
            /// W −= r_W·h, E −= r_E·h.
            function unblind(at) {
                addScaledWords(W(), K(1), K(2), sub(R(), scalarAt(at)))
                addScaledWords(E(), K(1), K(2), sub(R(), scalarAt(add(at, 32))))
            }

            // ------------------------------------------------------------ V3: outer sum-check
            function proofAt(offset) -> at { at := add(mload(0x100), offset) }
            function claimsAt() -> at { at := proofAt(add(384, mul(96, logRows()))) }
            function innerAt() -> at { at := add(claimsAt(), 128) }
            function evalsAt() -> at { at := add(innerAt(), mul(96, logSize())) }
            function openingAt() -> at { at := add(evalsAt(), 480) }
            function outer() {
                // "NoTR" ‖ "RelaxedR1CSSNARK" ‖ 0 or 1
                mstore(0, 0x4e6f545252656c6178656452314353534e41524b000000000000000000000000)
                mstore(0xc0, keccak256(0, 21))
                mstore8(20, 1)
                mstore(0xa0, keccak256(0, 21))
                mstore(0x80, 0)
                mstore(0xe0, BUF())
                label("vk", 2) absorbWord(K(0))
                label("U", 1)
                absorbPoint(mload(W()), mload(add(W(), 32)))
                absorbPoint(mload(E()), mload(add(E(), 32)))
                absorbWords(U(), add(1, publicValues()))
                squeezeMany("t", TAU(), logRows())
                let claim := sumcheck(0, add(OUTER(), shl(5, logRows())), proofAt(384), OUTER())
                let at := claimsAt()
                let az := scalarAt(at)
                let bz := scalarAt(add(at, 32))
                let cz := scalarAt(add(at, 64))
                let e := scalarAt(add(at, 96))
                let expected := times(equality(TAU(), OUTER(), logRows()), minus(minus(times(az, bz), times(mload(U()), cz)), e))
                if iszero(eq(claim, expected)) { fail(4) }
                label("e", 1) absorbWord(az) absorbWord(bz) absorbWord(cz) absorbWord(e)
                let pad := sub(logSize(), logRows())
                squeezeMany("p", PADDED(), pad)
                mcopy(add(PADDED(), shl(5, pad)), OUTER(), shl(5, logRows()))
            }

            // ------------------------------------------------------------ V4: inner sum-check
            // 0x120 c, 0x140 γ, 0x160 r, 0x180 s
            function inner() -> claim {
                label("e", 1) absorbPointCall(proofAt(0)) absorbPointCall(proofAt(64))
                let c := squeeze("c", 1)
                mstore(0x120, c)
                mstore(0x140, squeeze("g", 1))
                mstore(0x160, squeeze("r", 1))
                label("l", 1)
                absorbPointCall(proofAt(128)) absorbPointCall(proofAt(192)) absorbPointCall(proofAt(256)) absorbPointCall(proofAt(320))
                squeezeMany("r", RHO(), logSize())
                let s := squeeze("r", 1)
                mstore(0x180, s)
                let at := claimsAt()
                let factor := complements(PADDED(), sub(logSize(), logRows()))
                let abc := plus(calldataload(at), times(c, plus(calldataload(add(at, 32)), times(c, calldataload(add(at, 64))))))
                let s2 := times(s, s)
                let s6 := times(s2, times(s2, s2))
                claim := times(times(factor, s6), plus(abc, times(s, calldataload(add(at, 96)))))
                claim := sumcheck(claim, add(INNER(), shl(5, logSize())), innerAt(), INNER())
            }

            // ------------------------------------------------------------ V5: the inner claim
            /// Evaluations in the proof's order: 0 E, 1 L row, 2 L col, 3 A, 4 B, 5 C, 6 W, 7 t⁻¹ row, 8 row, 9 w⁻¹ row, 10 ts row, 11 t⁻¹ col,
            /// 12 col, 13 w⁻¹ col, 14 ts col.
            function evalAt(i) -> v { v := calldataload(add(evalsAt(), shl(5, i))) }
            function innerClaim(claim) {
                for { let i := 0 } lt(i, 15) { i := add(i, 1) } { if iszero(lt(evalAt(i), R())) { fail(2) } }
                let size := logSize()
                let high := sub(size, logRows()) // variables above a row's index
                let lowEq := equality(PADDED(), INNER(), high)
                let restEq := equality(add(PADDED(), shl(5, high)), add(INNER(), shl(5, high)), logRows())
                let rowEq := times(lowEq, restEq)
                // Equality with the first 2^logRows entries masked out.
                let masked := times(minus(lowEq, times(complements(PADDED(), high), complements(INNER(), high))), restEq)
                let identity := 0
                for { let p := INNER() let end := add(INNER(), shl(5, size)) } lt(p, end) { p := add(p, 32) } { identity := addmod(add(identity, identity), mload(p), R()) }
                let c := mload(0x120)
                let s := mload(0x180)
                let sum := memoryChecks(identity, rowEq, s)
                let s2 := times(s, s)
                let s6 := times(s2, times(s2, s2))
                let matrix := plus(evalAt(3), times(c, plus(evalAt(4), times(c, evalAt(5)))))
                sum := plus(sum, times(s6, times(times(evalAt(1), evalAt(2)), matrix)))
                let s7 := times(s6, s)
                sum := plus(sum, times(s7, times(rowEq, evalAt(0))))
                sum := plus(sum, times(times(s7, s), times(masked, evalAt(6))))
                if iszero(eq(sum, claim)) { fail(5) }
            }
            /// The six claims of the two memories, by Horner in s.
            function memoryChecks(identity, rowEq, s) -> sum {
                let g := mload(0x140)
                let r := mload(0x160)
                sum := minus(times(evalAt(13), plus(plus(evalAt(12), times(g, evalAt(2))), r)), 1)
                sum := plus(times(sum, s), minus(times(evalAt(11), plus(plus(identity, times(g, columnValue())), r)), evalAt(14)))
                sum := plus(times(sum, s), minus(times(evalAt(9), plus(plus(evalAt(8), times(g, evalAt(1))), r)), 1))
                sum := plus(times(sum, s), minus(times(evalAt(7), plus(plus(identity, times(g, rowEq)), r)), evalAt(10)))
                sum := times(times(sum, times(s, s)), equality(RHO(), INNER(), logSize()))
                sum := plus(sum, minus(evalAt(7), evalAt(9)))
                sum := plus(sum, times(s, minus(evalAt(11), evalAt(13))))
            }
            /// z(r) = W(r) + Π(1 − r)·r_half·(u, X)(rest).
            function columnValue() -> v {
                let pad := sub(sub(logSize(), logRows()), 1)
                let first := add(INNER(), shl(5, pad))
                v := plus(evalAt(6), times(complements(INNER(), pad), times(mload(first), publicAt(add(first, 32)))))
            }
            /// The multilinear extension of (u, X) at the logRows words at the point.
            function publicAt(point) -> v {
                let count := add(1, publicValues())
                let bits := 0
                for {} lt(shl(bits, 1), count) {} { bits := add(bits, 1) }
                let r := R()
                let t := BUF()
                mcopy(t, U(), shl(5, count))
                // Zeroes up to the power of two: the buffer was used before.
                for { let p := add(t, shl(5, count)) let end := add(t, shl(add(5, bits), 1)) } lt(p, end) { p := add(p, 32) } { mstore(p, 0) }
                let rows := logRows()
                let at := add(point, shl(5, sub(rows, 1)))
                for { let i := bits } i { i := sub(i, 1) } {
                    let x := mload(at)
                    at := sub(at, 32)
                    let to := t
                    let from := t
                    for { let end := add(t, shl(add(4, i), 1)) } lt(to, end) { to := add(to, 32) from := add(from, 64) } {
                        let a := mload(from)
                        mstore(to, addmod(a, mulmod(x, sub(add(mload(add(from, 32)), r), a), r), r))
                    }
                }
                v := times(complements(point, sub(rows, bits)), mload(t))
            }

            // ------------------------------------------------------------ V6: one commitment and one evaluation out of fifteen
            function batch() -> value {
                label("e", 1)
                absorbWord(evalAt(6)) absorbWord(evalAt(0))
                for { let i := 1 } lt(i, 6) { i := add(i, 1) } { absorbWord(evalAt(i)) }
                for { let i := 7 } lt(i, 15) { i := add(i, 1) } { absorbWord(evalAt(i)) }
                let c := squeeze("c", 1)
                // W first, with coefficient 1; the sum stays at W.
                value := evalAt(6)
                let power := c
                mstore(0x240, mload(E())) mstore(0x260, mload(add(E(), 32)))
                addScaled(W(), power)
                value := plus(value, times(power, evalAt(0)))
                // Evaluation (1 … 14 without W) and its commitment: of the proof (0 … 5) or of the table (7 …, two words each).
                for { let i := 1 } lt(i, 15) { i := add(i, 1) } {
                    if eq(i, 6) { continue }
                    power := times(power, c)
                    value := plus(value, times(power, evalAt(i)))
                    // L row, L col | A, B, C of the table | t⁻¹ row, row, w⁻¹ row, ts row | t⁻¹ col, col, w⁻¹ col, ts col
                    switch i
                    case 1 { calldatacopy(0x240, proofAt(0), 64) }
                    case 2 { calldatacopy(0x240, proofAt(64), 64) }
                    case 3 { tablePoint(11) }
                    case 4 { tablePoint(13) }
                    case 5 { tablePoint(15) }
                    case 7 { calldatacopy(0x240, proofAt(128), 64) }
                    case 8 { tablePoint(7) }
                    case 9 { calldatacopy(0x240, proofAt(192), 64) }
                    case 10 { tablePoint(17) }
                    case 11 { calldatacopy(0x240, proofAt(256), 64) }
                    case 12 { tablePoint(9) }
                    case 13 { calldatacopy(0x240, proofAt(320), 64) }
                    default { tablePoint(19) }
                    addScaled(W(), power)
                }
            }
            function tablePoint(i) { mcopy(0x240, add(0x400, shl(5, i)), 64) }

            // ------------------------------------------------------------ V7: Mercury
            // Points: 0 h, 1 g, 2 q, 3 s, 4 d, 5 f's quotient, 6 w, 7 w'. Scalars: 0 g(ζ), 1 g(1/ζ), 2 h(ζ), 3 h(1/ζ), 4 s(ζ), 5 s(1/ζ).
            function pointAt(i) -> at { at := add(openingAt(), shl(6, i)) }
            function valueAt(i) -> v { v := calldataload(add(openingAt(), add(512, shl(5, i)))) }
            // 0x120 α, 0x140 γ, 0x160 ζ, 0x180 β, 0x1a0 z, 0x1c0 d, 0x1e0 1/ζ
            function mercury(value) {
                for { let i := 0 } lt(i, 6) { i := add(i, 1) } { if iszero(lt(valueAt(i), R())) { fail(2) } }
                label("f", 1) absorbPoint(mload(W()), mload(add(W(), 32)))
                label("u", 1) absorbWords(INNER(), logSize())
                label("e", 1) absorbWord(value)
                label("h", 1) absorbPointCall(pointAt(0))
                mstore(0x120, squeeze("a", 1))
                label("q", 1) absorbPointCall(pointAt(2))
                label("g", 1) absorbPointCall(pointAt(1))
                mstore(0x140, squeeze("gm", 2))
                label("s", 1) absorbPointCall(pointAt(3))
                label("d", 1) absorbPointCall(pointAt(4))
                let zeta := squeeze("zt", 2)
                mstore(0x160, zeta)
                label("gz", 2) absorbWord(valueAt(0))
                label("gzi", 3) absorbWord(valueAt(1))
                label("hz", 2) absorbWord(valueAt(2))
                label("hzi", 3) absorbWord(valueAt(3))
                label("sz", 2) absorbWord(valueAt(4))
                label("szi", 3) absorbWord(valueAt(5))
                label("t", 1) absorbPointCall(pointAt(5))
                mstore(0x180, squeeze("b", 1))
                label("w", 1) absorbPointCall(pointAt(6))
                mstore(0x1a0, squeeze("z", 1))
                label("wp", 2) absorbPointCall(pointAt(7))
                mstore(0x1c0, squeeze("pd", 2))
                inverses()

                let zetaB, hAlpha := implied(value)
                let gCoefficient := openings(zetaB, hAlpha)
                // f + (α − ζ^b)·q + ζ·quotient − …·[1]₁
                addScaledCall(W(), pointAt(2), minus(mload(0x120), zetaB))
                addScaledCall(W(), pointAt(5), zeta)
                addScaledWords(W(), 1, 2, minus(0, plus(gCoefficient, valueAt(0))))
                // quotient + d·w'
                calldatacopy(E(), pointAt(5), 64)
                addScaledCall(E(), pointAt(7), mload(0x1c0))
                pairing()
            }
            /// 1/ζ, and at 0x2a0 1/((ζ − 1/ζ)(ζ − α)(1/ζ − α)): with k = (ζ² − 1)(ζ − α)(1 − αζ) the latter is ζ²/k, so one inverse does.
            function inverses() {
                let zeta := mload(0x160)
                let alpha := mload(0x120)
                let k := times(minus(times(zeta, zeta), 1), times(minus(zeta, alpha), oneMinus(times(alpha, zeta))))
                let i := inverse(times(zeta, k))
                mstore(0x1e0, times(i, k))
                mstore(0x2a0, times(times(zeta, zeta), times(zeta, i)))
            }
            /// ζ^b, and h(α) as the inner product demands it.
            function implied(value) -> zetaB, hAlpha {
                let zeta := mload(0x160)
                let zi := mload(0x1e0)
                let col, row
                zetaB, col, row := halves(zeta)
                let unused, colI, rowI := halves(zi)
                hAlpha := plus(times(valueAt(0), colI), times(valueAt(1), col))
                let second := minus(plus(times(valueAt(2), rowI), times(valueAt(3), row)), plus(value, value))
                hAlpha := plus(hAlpha, times(mload(0x140), second))
                hAlpha := minus(hAlpha, plus(times(zeta, valueAt(4)), times(zi, valueAt(5))))
                // 1/2
                hAlpha := times(hAlpha, 0x183227397098d014dc2822db40c0ac2e9419f4243cdcb848a1f0fac9f8000001)
            }
            /// x^b, and Π (r·x^(2^i) + 1 − r) over the column's and the row's half of the point, last coordinate first. With an odd number
            /// of coordinates the row's half starts with a 0, whose factor is 1.
            function halves(x) -> xb, col, row {
                let size := logSize()
                let r := R()
                let less := sub(r, 1)
                let p := add(INNER(), shl(5, sub(size, 1)))
                xb := x
                col := 1
                for { let end := sub(p, shl(5, shr(1, add(size, 1)))) } gt(p, end) { p := sub(p, 32) } {
                    col := mulmod(col, add(mulmod(mload(p), add(xb, less), r), 1), r)
                    xb := mulmod(xb, xb, r)
                }
                row := 1
                for {} gt(p, sub(INNER(), 32)) { p := sub(p, 32) } {
                    row := mulmod(row, add(mulmod(mload(p), add(x, less), r), 1), r)
                    x := mulmod(x, x, r)
                }
            }
            /// Adds d times the batched openings of g, h, s, d to W; returns d times the coefficient of [1]₁, negated.
            function openings(zetaB, hAlpha) -> coefficient {
                let zeta := mload(0x160)
                let zi := mload(0x1e0)
                let z := mload(0x1a0)
                let va := minus(z, mload(0x120))
                let vz := minus(z, zeta)
                let vi := minus(z, zi)
                let gStar, hStar, sStar := interpolated(va, vz, vi, hAlpha)
                // d(ζ) = ζ^(b−1)·g(1/ζ)
                let dStar := times(times(zetaB, zi), valueAt(1))
                let d := mload(0x1c0)
                let beta := mload(0x180)
                let k := times(d, va)
                coefficient := times(k, gStar)
                addScaledCall(W(), pointAt(1), k)
                k := times(d, beta)
                coefficient := plus(coefficient, times(k, hStar))
                addScaledCall(W(), pointAt(0), k)
                k := times(times(k, beta), va)
                coefficient := plus(coefficient, times(k, sStar))
                addScaledCall(W(), pointAt(3), k)
                k := times(times(k, beta), vi)
                coefficient := plus(coefficient, times(k, dStar))
                addScaledCall(W(), pointAt(4), k)
                addScaledCall(W(), pointAt(6), minus(0, times(d, times(va, times(vz, vi)))))
                addScaledCall(W(), pointAt(7), times(d, z))
            }
            /// The interpolations of g and s over (ζ, 1/ζ) and of h over (ζ, 1/ζ, α), at z.
            function interpolated(va, vz, vi, hAlpha) -> g, h, s {
                let zeta := mload(0x160)
                let zi := mload(0x1e0)
                let alpha := mload(0x120)
                let a := minus(zeta, zi)
                let b := minus(zeta, alpha)
                let c := minus(zi, alpha)
                let all := mload(0x2a0)
                let overA := times(all, times(b, c))
                let lz := times(vi, overA)
                let li := minus(0, times(vz, overA))
                g := plus(times(lz, valueAt(0)), times(li, valueAt(1)))
                s := plus(times(lz, valueAt(4)), times(li, valueAt(5)))
                let overB := times(all, times(a, c))
                let overC := times(all, times(a, b))
                h := times(va, plus(times(times(lz, overB), valueAt(2)), times(times(li, overC), valueAt(3))))
                h := plus(h, times(times(times(vz, vi), times(all, a)), hAlpha))
            }
            /// e(W, [1]₂)·e(−E, [τ]₂) = 1.
            function pairing() {
                let p := BUF()
                mcopy(p, W(), 64)
                mstore(add(p, 64), 0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2)
                mstore(add(p, 96), 0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed)
                mstore(add(p, 128), 0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b)
                mstore(add(p, 160), 0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa)
                mstore(add(p, 192), mload(E()))
                mstore(add(p, 224), mod(sub(Q(), mload(add(E(), 32))), Q()))
                mcopy(add(p, 256), add(0x400, 96), 128)
                mstore(0, 0)
                if iszero(staticcall(300000, 8, p, 384, 0, 32)) { fail(6) }
                if iszero(eq(returndatasize(), 32)) { fail(6) }
                if iszero(eq(mload(0), 1)) { fail(7) }
            }

            // ------------------------------------------------------------ V0: constants, stages, answer
            codecopy(0x400, datasize("runtime"), 0x340)
            let decisions := bounds()
            let trail := fold(decisions)
            outer()
            innerClaim(inner())
            mercury(batch())
            let b := BUF()
            let n := arity()
            mstore(b, trail)
            mstore(add(b, 32), mload(add(Z(), shl(5, n))))
            mcopy(add(b, 64), Z(), shl(5, n))
            return(b, shl(5, add(n, 2)))
        }
    }
}
