// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {VaultState} from "./VaultState.sol";

/// @title Epochs, and announcements of other weights, which begin one (C12 of docs/design/circuit.md; docs/design/settlement.md)
abstract contract VaultRotation is VaultState {
    /// Announces other weights before the next decision: those behind `commitment` make decision `atStep` and the later ones, and no others do.
    /// One rotation at a time, with notice in decisions and in time, whether the vault is armed or not. `headAfter` is the log's head after the announcement. The vault
    /// cannot compute it, but the next decision is made on it, so with another one no settlement goes beyond this step.
    function announce(bytes32 commitment, uint32 atStep, bytes32 headBefore, bytes32 headAfter) external onlyOperator nonReentrant {
        if (registeredBlock == 0) revert NotRegistered();
        if (withdrawOnly) revert WithdrawOnly();
        if (headBefore != head) revert WrongHead(head);
        if (_marks & ROTATION_AHEAD != 0) revert RotationAhead(_rotations[_rotations.length - 1].atStep);
        if (atStep < uint256(nextStep) + NOTICE) revert TooLittleNotice(uint256(nextStep) + NOTICE);
        if (commitment == 0 || uint256(commitment) >= R || uint256(headAfter) >= R) revert NotAScalar();
        // The head before it is the end of what can be settled without it.
        if (_armed) _endEpoch();
        // The decision that follows may be up to an interval old.
        uint64 notBefore = uint64(block.timestamp + uint256(NOTICE - 1) * _interval);
        _rotations.push(Rotation(commitment, nextStep, atStep, notBefore));
        _marks |= ROTATION_AHEAD;
        head = headAfter;
        emit Announced(nextStep, commitment, atStep, headBefore, headAfter);
    }

    /// Ends an epoch here, so that a settlement up to here stays good whatever is decided meanwhile. Anybody may: an epoch more binds
    /// nobody, since a settlement may go to the end of any of them.
    function closeEpoch() external nonReentrant returns (uint32 index) {
        if (!_armed) revert NotArmed();
        if (!_endEpoch()) revert NothingToSettle();
        index = uint32(_epochs.length - 1);
    }

    function epochs() external view returns (uint32) {
        return uint32(_epochs.length);
    }

    function epoch(uint32 index) external view returns (Epoch memory) {
        return _epochs[index];
    }

    /// Rotations announced so far.
    function rotations() external view returns (uint32) {
        return uint32(_rotations.length);
    }

    function rotation(uint32 index) external view returns (Rotation memory) {
        return _rotations[index];
    }

    function standing() external view returns (Standing memory s) {
        (s.verifier, s.genesisState) = (verifier, genesisState);
        (s.maxUnprovenDecisions, s.maxUnprovenSeconds) = (maxUnprovenDecisions, maxUnprovenSeconds);
        (s.steps, s.head, s.trail, s.fingerprint) = (nextStep, head, trail, fingerprint);
        (s.provenSteps, s.provenHead, s.provenTrail, s.provenFingerprint) = (provenSteps, provenHead, provenTrail, provenFingerprint);
        (s.provenState, s.firstUnprovenTime) = (provenState, firstUnprovenTime);
        (s.weights,, s.settlesTo,) = _stretch();
    }

    /// False if there is nothing to settle up to here, or an epoch ends here already.
    function _endEpoch() internal returns (bool) {
        if (nextStep == provenSteps || _marks & EPOCH_ENDS_HERE != 0) return false;
        emit EpochClosed(uint32(_epochs.length), nextStep, head);
        _epochs.push(Epoch(nextStep, 0, head, trail, fingerprint));
        _marks |= EPOCH_ENDS_HERE;
        return true;
    }

    /// The vault's head is that after an announcement, not that after the last decision.
    function _announcedHere() internal view returns (bool) {
        return _marks & ROTATION_AHEAD != 0 && _rotations[_rotations.length - 1].announced == nextStep;
    }

    /// Before every decision while a rotation is ahead: at its step, the announced weights take over.
    function _takeOver() internal {
        Rotation memory r = _rotations[_rotations.length - 1];
        if (nextStep != r.atStep) return;
        if (block.timestamp < r.notBefore) revert NoticeNotOver(r.notBefore);
        if (_armed) _endEpoch();
        _marks &= ~ROTATION_AHEAD;
        emit Rotated(r.atStep, r.commitment);
    }

    /// The stretch that the next settlement is of: the weights at the proven position, those after the stretch's first block (and every later one),
    /// how far it may go, and the rotations that are over after it.
    function _stretch() internal view returns (Weights memory before, Weights memory then, uint32 end, uint32 past) {
        (uint32 from, uint256 count) = (provenSteps, _rotations.length);
        (past, end) = (_provenRotations, type(uint32).max);
        before.commitment = past == 0 ? _registration.commitment : _rotations[past - 1].commitment;
        then.commitment = before.commitment;
        if (past == count) return (before, then, end, past);
        Rotation memory r = _rotations[past];
        if (from > r.announced) (before.ahead, before.aheadStep) = (r.commitment, r.atStep);
        if (from < r.announced) return (before, then, r.announced, past);
        if (from < r.atStep) {
            (then.ahead, then.aheadStep) = (r.commitment, r.atStep);
            return (before, then, r.atStep, past);
        }
        then.commitment = r.commitment;
        past++;
        if (past != count) end = _rotations[past].announced;
    }
}
