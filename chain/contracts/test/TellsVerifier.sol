// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @title A broken verifier of the tests: it holds every settlement to be true, and answers what the settlement itself says
/// @notice What a vault refuses in front of it, it refuses whatever a prover can do.
contract TellsVerifier {
    /// Bytes of a claim before the settlement.
    uint256 private constant CLAIM = 448;

    fallback(bytes calldata claim) external returns (bytes memory) {
        return claim[CLAIM:];
    }
}
