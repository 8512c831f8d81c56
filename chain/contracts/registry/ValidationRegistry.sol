// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

/// @title Requests for validation and what validators answered, for development chains
/// @notice probity's own, after the Validation Registry of ERC-8004 (draft of January 2026). Not the deployed registry. It judges nothing:
/// a response is the word of the validator that the agent's owner chose.
contract ValidationRegistry {
    struct Validation {
        address validator;
        uint8 response;
        bool answered;
        uint64 lastUpdate;
        uint256 agentId;
        bytes32 responseHash;
        string tag;
    }

    error NoRegistry();
    error NoValidator();
    error AlreadyRequested(bytes32 requestHash);
    error UnknownRequest(bytes32 requestHash);
    error NotOwnerOrOperator(address caller, uint256 agentId);
    error NotTheValidator(address expected);
    error ResponseOutOfRange(uint8 most);

    event ValidationRequest(address indexed validatorAddress, uint256 indexed agentId, string requestURI, bytes32 indexed requestHash);
    event ValidationResponse(
        address indexed validatorAddress,
        uint256 indexed agentId,
        bytes32 indexed requestHash,
        uint8 response,
        string responseURI,
        bytes32 responseHash,
        string tag
    );

    uint8 private constant MOST = 100;

    IERC721 private immutable identity;
    mapping(bytes32 requestHash => Validation) private validations;
    mapping(uint256 agentId => bytes32[]) private ofAgent;
    mapping(address validator => bytes32[]) private ofValidator;

    constructor(address identityRegistry) {
        if (identityRegistry.code.length == 0) revert NoRegistry();
        identity = IERC721(identityRegistry);
    }

    function getIdentityRegistry() external view returns (address) {
        return address(identity);
    }

    function validationRequest(address validatorAddress, uint256 agentId, string calldata requestURI, bytes32 requestHash) external {
        if (validatorAddress == address(0)) revert NoValidator();
        Validation storage v = validations[requestHash];
        if (v.validator != address(0)) revert AlreadyRequested(requestHash);
        address owner = identity.ownerOf(agentId);
        bool may = msg.sender == owner || identity.getApproved(agentId) == msg.sender || identity.isApprovedForAll(owner, msg.sender);
        if (!may) revert NotOwnerOrOperator(msg.sender, agentId);
        (v.validator, v.agentId, v.lastUpdate) = (validatorAddress, agentId, uint64(block.timestamp));
        ofAgent[agentId].push(requestHash);
        ofValidator[validatorAddress].push(requestHash);
        emit ValidationRequest(validatorAddress, agentId, requestURI, requestHash);
    }

    /// @notice May be called again: the newest response counts.
    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
    ) external {
        Validation storage v = _known(requestHash);
        if (msg.sender != v.validator) revert NotTheValidator(v.validator);
        if (response > MOST) revert ResponseOutOfRange(MOST);
        (v.response, v.answered, v.lastUpdate) = (response, true, uint64(block.timestamp));
        (v.responseHash, v.tag) = (responseHash, tag);
        emit ValidationResponse(msg.sender, v.agentId, requestHash, response, responseURI, responseHash, tag);
    }

    function getValidationStatus(bytes32 requestHash)
        external
        view
        returns (address validatorAddress, uint256 agentId, uint8 response, bytes32 responseHash, string memory tag, uint256 lastUpdate)
    {
        Validation storage v = _known(requestHash);
        return (v.validator, v.agentId, v.response, v.responseHash, v.tag, v.lastUpdate);
    }

    /// @notice Mean of the responses about an agent; an empty list or tag filters nothing.
    function getSummary(uint256 agentId, address[] calldata validatorAddresses, string calldata tag)
        external
        view
        returns (uint64 count, uint8 averageResponse)
    {
        uint256 sum = 0;
        bytes32[] storage hashes = ofAgent[agentId];
        for (uint256 i = 0; i < hashes.length; ++i) {
            Validation storage v = validations[hashes[i]];
            if (!v.answered || !_among(v.validator, validatorAddresses)) continue;
            if (bytes(tag).length != 0 && keccak256(bytes(tag)) != keccak256(bytes(v.tag))) continue;
            sum += v.response;
            ++count;
        }
        if (count != 0) averageResponse = uint8(sum / count);
    }

    function getAgentValidations(uint256 agentId) external view returns (bytes32[] memory) {
        return ofAgent[agentId];
    }

    function getValidatorRequests(address validatorAddress) external view returns (bytes32[] memory) {
        return ofValidator[validatorAddress];
    }

    function _known(bytes32 requestHash) private view returns (Validation storage v) {
        v = validations[requestHash];
        if (v.validator == address(0)) revert UnknownRequest(requestHash);
    }

    function _among(address one, address[] calldata all) private pure returns (bool) {
        for (uint256 i = 0; i < all.length; ++i) if (all[i] == one) return true;
        return all.length == 0;
    }
}
