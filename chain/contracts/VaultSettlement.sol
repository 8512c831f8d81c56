// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {VaultRotation} from "./VaultRotation.sol";

/// @title Settlement: proofs that the vault verifies itself (docs/design/settlement.md)
abstract contract VaultSettlement is VaultRotation {
    /// Names the verifier and the terms, once, after registration and before the first decision.
    function arm(Terms calldata t) external onlyOperator {
        if (registeredBlock == 0) revert NotRegistered();
        if (_armed || nextStep != 0) revert AlreadyArmed();
        if (t.verifier.code.length == 0 || t.maxUnprovenDecisions > MOST_UNPROVEN || uint256(t.genesisState) >= R) revert RegistrationOutOfRange();
        (verifier, maxUnprovenDecisions, maxUnprovenSeconds, genesisState) = (t.verifier, t.maxUnprovenDecisions, t.maxUnprovenSeconds, t.genesisState);
        _armed = true;
        trail = _domain(0, 0);
        // The genesis head, whatever has been announced since.
        (provenTrail, provenHead, provenState) = (trail, _registration.genesisHead, t.genesisState);
        emit Armed(t, trail);
    }

    /// Proves every decision up to now. Anybody may; nothing depends on who does. A settlement that does not hold changes nothing.
    function settle(bytes calldata settlement) external nonReentrant {
        if (!_armed) revert NotArmed();
        // Where an epoch ends here its head is the last decision's; the vault's own may be that after an announcement.
        _settle(_marks & EPOCH_ENDS_HERE != 0 ? _epochs[_epochs.length - 1] : _now(), settlement);
    }

    /// Proves every decision up to the end of a closed epoch. Anybody may.
    function settleEpoch(uint32 epoch_, bytes calldata settlement) external nonReentrant {
        if (epoch_ >= _epochs.length) revert NoSuchEpoch(uint32(_epochs.length));
        _settle(_epochs[epoch_], settlement);
    }

    function _now() private view returns (Epoch memory) {
        return Epoch(nextStep, 0, head, trail, fingerprint);
    }

    /// What a settlement is bound to: chain, vault, promise and range.
    function _domain(uint32 from, uint32 to) private view returns (bytes32) {
        Registration storage r = _registration;
        return keccak256(abi.encode(TAG_DOMAIN, block.chainid, address(this), r.mandateDigest, r.commitment, r.genesisHead, genesisState, from, to));
    }

    /// Verifies a settlement from the proven position to `e`, which is the vault's own.
    function _settle(Epoch memory e, bytes calldata settlement) private {
        (uint32 from, uint32 to) = (provenSteps, e.steps);
        if (from >= to) revert NothingToSettle();
        (Weights memory w, Weights memory then, uint32 end, uint32 past) = _stretch();
        if (to > end) revert CrossesRotation(end);
        bytes memory claim = abi.encodePacked(
            _domain(from, to),
            provenTrail,
            uint256(to - from),
            provenFingerprint,
            w.commitment,
            _registration.mandateDigest,
            w.ahead,
            uint256(w.aheadStep),
            uint256(from),
            provenHead,
            provenState,
            abi.encode(then),
            settlement
        );
        (bool holds, bytes memory answer) = verifier.staticcall(claim);
        if (!holds || answer.length != 9 * 32) revert SettlementRefused(answer.length == 32 ? uint256(bytes32(answer)) : 0);
        // Mandate, weights and rotation ahead are those of the claim: the verifier lets no block have others.
        (bytes32 t, uint256 f,,,,, uint256 step, bytes32 h, bytes32 state) =
            abi.decode(answer, (bytes32, uint256, bytes32, bytes32, bytes32, uint256, uint256, bytes32, bytes32));
        if (t != e.trail || f != e.fingerprint || step != to || h != e.head) revert SettlesOtherDecisions();
        (provenTrail, provenFingerprint, provenHead, provenState) = (t, f, h, state);
        (provenSteps, firstUnprovenTime, _provenRotations) = (to, e.nextTime, past);
        emit Settled(to, h, state, t, f);
    }

    /// Takes a decision into the trail, settles if there is a settlement, and says whether the decision may trade.
    function _follow(Decision calldata d, Observation memory o, bytes calldata settlement) internal returns (bool) {
        uint256 unproven = nextStep - provenSteps;
        if (unproven > MOST_UNPROVEN) revert TooManyUnproven(MOST_UNPROVEN);
        bytes32 hash = keccak256(abi.encode(trail, d.observationDigest, d.headBefore, d.headAfter, d.side, d.amountIn, d.minOut));
        uint256 mark = uint128(uint256(hash));
        trail = keccak256(abi.encodePacked(trail, uint128(mark)));
        fingerprint = addmod(fingerprint, _evaluate(d, o, mark), R);
        if (unproven == 1) firstUnprovenTime = uint64(block.timestamp);
        if (_marks & EPOCH_ENDS_HERE != 0) {
            _marks &= ~EPOCH_ENDS_HERE;
            _epochs[_epochs.length - 1].nextTime = uint64(block.timestamp);
        }
        if (settlement.length != 0) {
            _settle(_now(), settlement);
            return true;
        }
        return d.side != HOLD && unproven <= maxUnprovenDecisions && block.timestamp - firstUnprovenTime <= maxUnprovenSeconds;
    }

    /// The record's elements (S9, without step and halt) as a polynomial without constant term, at the decision's challenge.
    function _evaluate(Decision calldata d, Observation memory o, uint256 m) private pure returns (uint256 s) {
        s = mulmod(uint256(d.headBefore), m, R);
        s = mulmod(addmod(s, o.time, R), m, R);
        s = mulmod(addmod(s, o.meanTick < 0 ? R - uint256(-int256(o.meanTick)) : uint256(int256(o.meanTick)), R), m, R);
        s = mulmod(addmod(s, o.priceX64, R), m, R);
        s = mulmod(addmod(s, o.quote, R), m, R);
        s = mulmod(addmod(s, o.base, R), m, R);
        s = mulmod(addmod(s, o.shares, R), m, R);
        s = mulmod(addmod(s, o.fillOut, R), m, R);
        s = mulmod(addmod(s, (uint256(o.blockNumber) << 128) + (uint256(o.blockHash) >> 128), R), m, R);
        s = mulmod(addmod(s, uint128(uint256(o.blockHash)), R), m, R);
        uint256 order = d.amountIn + (uint256(d.minOut) << 96);
        if (d.side == BUY) order += 1 << 222;
        if (d.side == SELL) order += 1 << 223;
        if (o.filled) order += 1 << 225;
        s = mulmod(addmod(s, order, R), m, R);
    }
}
