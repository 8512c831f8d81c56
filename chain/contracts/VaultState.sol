// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// The functions of a Uniswap v3 pool that the vault calls.
interface IPool {
    function token0() external view returns (address);
    function token1() external view returns (address);
    function fee() external view returns (uint24);
    function slot0()
        external
        view
        returns (uint160 sqrtPriceX96, int24 tick, uint16 observationIndex, uint16 cardinality, uint16 cardinalityNext, uint8 feeProtocol, bool unlocked);
    function observations(uint256 index)
        external
        view
        returns (uint32 blockTimestamp, int56 tickCumulative, uint160 secondsPerLiquidityCumulativeX128, bool initialized);
    function observe(uint32[] calldata secondsAgos) external view returns (int56[] memory tickCumulatives, uint160[] memory);
    function swap(address recipient, bool zeroForOne, int256 amountSpecified, uint160 sqrtPriceLimitX96, bytes calldata data)
        external
        returns (int256 amount0, int256 amount1);
}

/// What the vault asks of its share contract: tokens of whoever calls it, out of what he approved there, into the vault.
interface IShares {
    function pull(IERC20 token, address payer, uint256 amount) external;
}

/// @title What the vault keeps, says and refuses
abstract contract VaultState is ReentrancyGuardTransient {
    /// The engine's range of oriented ticks (S0).
    int24 internal constant MIN_X = -304_998;
    int24 internal constant MAX_X = 221_817;
    uint256 internal constant MIN_PRICE = 1 << 19;
    uint256 internal constant BPS = 10_000;
    /// Most decisions that may await their proof: a settlement of them must fit into a transaction.
    uint32 public constant MOST_UNPROVEN = 1_024;
    /// Fewest decisions between the announcement of other weights and the first that they make (C12).
    uint32 public constant NOTICE = 12;
    /// Order of BN254's scalar field.
    uint256 internal constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    bytes32 internal constant TAG_DOMAIN = "probity.settlement.1.domain";

    uint8 public constant HOLD = 0;
    uint8 public constant BUY = 1;
    uint8 public constant SELL = 2;

    /// S1, as it is hashed into the observation digest.
    struct Observation {
        uint32 step;
        uint64 time;
        uint64 blockNumber;
        bytes32 blockHash;
        int24 meanTick;
        uint96 priceX64;
        uint96 quote;
        uint96 base;
        uint96 shares;
        bool filled;
        uint96 fillOut;
    }

    /// A decision as the operator sends it.
    struct Decision {
        uint32 step;
        uint64 time;
        uint64 blockNumber;
        bytes32 blockHash;
        bytes32 observationDigest;
        bytes32 headBefore;
        bytes32 headAfter;
        uint8 side;
        uint96 amountIn;
        uint128 minOut;
        bytes32 proofDigest;
    }

    /// What was promised.
    struct Registration {
        bytes32 mandateDigest;
        bytes32 commitment;
        bytes32 genesisHead;
        uint64 genesisTime;
        uint32 interval;
        uint96 maxTradeQuote;
        uint16 maxSlippageBps;
    }

    /// How decisions are proven to the vault itself, fixed before the first one. No trade once more than `maxUnprovenDecisions` decisions
    /// (this one included) or `maxUnprovenSeconds` since the first of them await their proof; 0 decisions: strict, a trade's own
    /// transaction carries its proof.
    struct Terms {
        address verifier;
        bytes32 genesisState;
        uint32 maxUnprovenDecisions;
        uint32 maxUnprovenSeconds;
    }

    /// What the next observation will say of the vault: the accounts right after the last decision.
    struct Accounts {
        uint96 quote;
        uint96 base;
        uint96 shares;
    }

    /// A stretch of decisions that ends here. What is decided later does not make a settlement of it void.
    struct Epoch {
        uint32 steps;
        /// Time of the first decision after it; 0 while there is none.
        uint64 nextTime;
        bytes32 head;
        bytes32 trail;
        uint256 fingerprint;
    }

    /// The announcement of other weights.
    struct Rotation {
        bytes32 commitment;
        /// Decisions before it.
        uint32 announced;
        /// The first decision that they make.
        uint32 atStep;
        /// Before this time they make none, however many late decisions come at once.
        uint64 notBefore;
    }

    /// Weights as the circuit's z has them: the commitment in force and the rotation ahead; 0, 0 without one.
    struct Weights {
        bytes32 commitment;
        bytes32 ahead;
        uint32 aheadStep;
    }

    /// Where settlement stands: the terms, the position now, the proven position with the weights there, and how far the next settlement may go.
    struct Standing {
        address verifier;
        bytes32 genesisState;
        uint32 maxUnprovenDecisions;
        uint32 maxUnprovenSeconds;
        uint32 steps;
        bytes32 head;
        bytes32 trail;
        uint256 fingerprint;
        uint32 provenSteps;
        bytes32 provenHead;
        bytes32 provenState;
        bytes32 provenTrail;
        uint256 provenFingerprint;
        Weights weights;
        uint64 firstUnprovenTime;
        uint32 settlesTo;
    }

    IERC20 public immutable quote;
    IERC20 public immutable base;
    IPool public immutable pool;
    address public immutable operator;
    /// Who holds which share of the accounts; nobody but it moves funds in or out.
    IShares public immutable shares;
    bool public immutable baseIsToken1;

    Registration internal _registration;
    /// Two full slots from here on: what every decision reads. 0: not registered yet.
    uint56 public registeredBlock;
    bool internal _armed;

    /// The vault's own accounts; a token sent without a deposit changes nothing.
    uint96 public quoteBalance;
    uint96 public baseBalance;
    /// Something moved in or out since the last decision: then `_before` has the accounts as they were right after it.
    bool internal _flowed;
    uint96 public totalShares;
    /// The fill of the last decision.
    uint96 internal _fillOut;
    bool internal _filled;
    /// No trade and no deposit any more.
    bool public withdrawOnly;
    bool internal _closed;
    /// The registration's, 0 before it.
    uint32 internal _interval;
    Accounts internal _before;

    bytes32 public head;
    /// One slot, written by every decision: how many there are and how many are proven; the time of the last one, and of the first that
    /// awaits its proof.
    uint32 public nextStep;
    uint32 public provenSteps;
    uint64 public lastTime;
    uint64 public firstUnprovenTime;
    /// The pool's cumulative tick at `lastTime`, once there is a decision: a closed fact, and half of the next mean.
    int56 internal _lastCumulative;
    /// Of the two below, those that are so.
    uint8 internal _marks;
    /// The newest closed epoch ends at `nextStep`.
    uint8 internal constant EPOCH_ENDS_HERE = 1;
    /// Announced weights have not taken over yet.
    uint8 internal constant ROTATION_AHEAD = 2;
    /// What the pool may still ask for in the swap that runs; zero when none runs.
    uint96 internal transient _due;

    /// Settlement (docs/design/settlement.md): the verifier and the terms.
    address internal verifier;
    uint32 internal maxUnprovenDecisions;
    uint32 internal maxUnprovenSeconds;
    /// Rotations that took over within the proven decisions.
    uint32 internal _provenRotations;
    bytes32 internal genesisState;
    /// The chain of challenges and the fingerprint of the vault's own records, up to now and up to the last proven decision.
    bytes32 internal trail;
    uint256 internal fingerprint;
    bytes32 internal provenTrail;
    uint256 internal provenFingerprint;
    bytes32 internal provenHead;
    bytes32 internal provenState;
    Epoch[] internal _epochs;
    /// Every announcement of other weights, oldest first: each later than the take-over of the one before.
    Rotation[] internal _rotations;

    /// The operator's bond in quote, no part of the accounts, and how long the first unproven decision may wait before it is lost.
    uint96 public bond;
    uint32 public settleWithin;
    /// When the operator closed the vault; 0 while it is open.
    uint64 public closedTime;

    event Registered(Registration registration, address operator, address pool);
    event Decided(uint32 indexed step, Observation observation, Decision decision, bool executed, uint96 amountOut);
    event ProofPosted(uint32 indexed steps, bytes32 indexed head, bytes32 digest, uint256 length);
    event Armed(Terms terms, bytes32 trail);
    event Settled(uint32 indexed steps, bytes32 indexed head, bytes32 state, bytes32 trail, uint256 fingerprint);
    event Announced(uint32 indexed step, bytes32 commitment, uint32 atStep, bytes32 headBefore, bytes32 headAfter);
    event Rotated(uint32 indexed step, bytes32 commitment);
    event EpochClosed(uint32 indexed epoch, uint32 steps, bytes32 head);
    event Pledged(uint96 bond, uint32 settleWithin);
    event DeadlineMissed(uint96 bond, uint64 firstUnprovenTime);
    event Closed();
    event BondReturned(uint96 bond);
    event Flow(address indexed account, bool deposit, uint96 quote, uint96 base, uint96 shares);

    error NotOperator();
    error NotSelf();
    error NotPool();
    error NotShares();
    error WrongTokens();
    error AlreadyRegistered();
    error NotRegistered();
    error NotSeeded();
    error RegistrationOutOfRange();
    error WrongStep(uint32 expected);
    error WrongHead(bytes32 expected);
    error WrongTime(uint64 last, uint64 interval);
    error AnchorUnknown();
    error AnchorTooOldToTrade();
    error ObservationMismatch(Observation seen);
    error LimitBreached(string limit);
    error ProofMismatch();
    error PartialSwap();
    error OutputTooLow();
    error UnexpectedTransfer();
    error TooLittleGas();
    error AlreadyArmed();
    error NotArmed();
    error NothingToSettle();
    error SettlementRefused(uint256 code);
    error SettlesOtherDecisions();
    error TooManyUnproven(uint32 most);
    error NoSuchEpoch(uint32 epochs);
    error CrossesRotation(uint32 until);
    error RotationAhead(uint32 atStep);
    error TooLittleNotice(uint256 least);
    error NoticeNotOver(uint64 until);
    error NotAScalar();
    error OnlyHolds();
    error AlreadyPledged();
    error DeadlineNotMissed(uint64 until);
    error WithdrawOnly();
    error VaultClosed();
    error StillUnproven(uint32 decisions);
    error BondHeld(uint64 until);

    modifier onlyOperator() {
        if (msg.sender != operator) revert NotOperator();
        _;
    }

    constructor(IERC20 quote_, IERC20 base_, IPool pool_, address operator_, IShares shares_) {
        (address t0, address t1) = (pool_.token0(), pool_.token1());
        bool order = t0 == address(quote_) && t1 == address(base_);
        if (!order && !(t1 == address(quote_) && t0 == address(base_))) revert WrongTokens();
        (quote, base, pool, operator, shares, baseIsToken1) = (quote_, base_, pool_, operator_, shares_, order);
    }

    /// Before anything moves in or out between two decisions: keeps what the next observation has to say.
    function _noteFlow() internal {
        if (_flowed || registeredBlock == 0) return;
        _flowed = true;
        _before = Accounts(quoteBalance, baseBalance, totalShares);
    }

    /// A token that delivers another amount than asked for is refused.
    function _receive(IERC20 token, address payer, uint96 amount) internal {
        if (amount == 0) return;
        uint256 before = token.balanceOf(address(this));
        shares.pull(token, payer, amount);
        if (token.balanceOf(address(this)) - before != amount) revert UnexpectedTransfer();
    }
}
