// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721URIStorage} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721URIStorage.sol";

/// @title Agents as tokens, for development chains
/// @notice probity's own, after the Identity Registry of ERC-8004 (draft of January 2026): registration, URI, metadata. Not the deployed
/// registry and not upgradeable; of agentWallet only what the owner starts with, no signed change of it.
contract IdentityRegistry is ERC721URIStorage {
    struct MetadataEntry {
        string metadataKey;
        bytes metadataValue;
    }

    error NotOwnerOrOperator(address caller, uint256 agentId);
    error ReservedKey();

    event Registered(uint256 indexed agentId, string agentURI, address indexed owner);
    event MetadataSet(uint256 indexed agentId, string indexed indexedMetadataKey, string metadataKey, bytes metadataValue);
    event URIUpdated(uint256 indexed agentId, string newURI, address indexed updatedBy);

    bytes32 private constant WALLET = keccak256("agentWallet");

    uint256 private agents;
    mapping(uint256 agentId => mapping(string key => bytes)) private metadata;
    mapping(uint256 agentId => address) private wallets;

    constructor() ERC721("probity development agents", "DEVAGENT") {}

    modifier byOwnerOrOperator(uint256 agentId) {
        if (!_isAuthorized(ownerOf(agentId), msg.sender, agentId)) revert NotOwnerOrOperator(msg.sender, agentId);
        _;
    }

    function register() external returns (uint256) {
        return _register("", new MetadataEntry[](0));
    }

    function register(string calldata agentURI) external returns (uint256) {
        return _register(agentURI, new MetadataEntry[](0));
    }

    function register(string calldata agentURI, MetadataEntry[] calldata entries) external returns (uint256) {
        return _register(agentURI, entries);
    }

    function setAgentURI(uint256 agentId, string calldata newURI) external byOwnerOrOperator(agentId) {
        _setTokenURI(agentId, newURI);
        emit URIUpdated(agentId, newURI, msg.sender);
    }

    function setMetadata(uint256 agentId, string calldata key, bytes calldata value) external byOwnerOrOperator(agentId) {
        _setMetadata(agentId, key, value);
    }

    function getMetadata(uint256 agentId, string calldata key) external view returns (bytes memory) {
        return metadata[agentId][key];
    }

    function getAgentWallet(uint256 agentId) external view returns (address) {
        _requireOwned(agentId);
        return wallets[agentId];
    }

    function _register(string memory agentURI, MetadataEntry[] memory entries) private returns (uint256 agentId) {
        agentId = agents++;
        wallets[agentId] = msg.sender;
        emit Registered(agentId, agentURI, msg.sender);
        _setTokenURI(agentId, agentURI);
        for (uint256 i = 0; i < entries.length; ++i) _setMetadata(agentId, entries[i].metadataKey, entries[i].metadataValue);
        _safeMint(msg.sender, agentId);
    }

    function _setMetadata(uint256 agentId, string memory key, bytes memory value) private {
        if (keccak256(bytes(key)) == WALLET) revert ReservedKey();
        metadata[agentId][key] = value;
        emit MetadataSet(agentId, key, key, value);
    }

    /// @dev A sold agent does not keep the seller's wallet.
    function _update(address to, uint256 agentId, address auth) internal override returns (address from) {
        from = super._update(to, agentId, auth);
        if (from != address(0)) delete wallets[agentId];
    }
}
