// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {TickMath} from "@uniswap/v4-core/src/libraries/TickMath.sol";

/// The functions of a Uniswap v3 pool that the vault calls.
interface IPool {
    function token0() external view returns (address);
    function token1() external view returns (address);
    function observe(uint32[] calldata secondsAgos) external view returns (int56[] memory tickCumulatives, uint160[] memory);
    function swap(address recipient, bool zeroForOne, int256 amountSpecified, uint160 sqrtPriceLimitX96, bytes calldata data)
        external
        returns (int256 amount0, int256 amount1);
}

/// @title The vault of one mandate
/// @notice Holds the funds, records every decision with the observation as the chain sees it, and trades only in one pool.
/// Section numbers (S0 … S9) are those of docs/design/step.md.
///
/// There is no owner and nothing to upgrade. The operator can only seed, register, decide and post. Depositors can leave at
/// any time, in kind.
///
/// What it does not do:
/// - It does not verify the posted proofs of the whole history. It takes and announces them, for heads that it has itself;
///   whether they hold is for whoever reads them. What it verifies itself are settlements, if it was armed with a verifier.
/// - Armed, it does not keep decisions from being taken unproven up to the limits of its terms: trades come before their proofs,
///   unless the terms are strict.
/// - It does not keep the operator from deciding badly within the limits, from deciding late (then nothing is traded), or
///   from making its own order fail by moving the pool first. All of that shows in the record.
/// - It does not check the pool's code or the tokens'. A depositor checks that the pool is the factory's.
/// - An anchor older than 256 blocks cannot be checked here. Such a decision is recorded and never trades; a reader compares
///   its block hash with the chain's.
/// - A withdrawal moves both tokens or none: a token that refuses to pay an account keeps that account's other token here too.
contract ProbityVault is ReentrancyGuard {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /// The engine's range of oriented ticks (S0).
    int24 private constant MIN_X = -304_998;
    int24 private constant MAX_X = 221_817;
    uint256 private constant MIN_PRICE = 1 << 19;
    uint256 private constant BPS = 10_000;
    /// Shares of the first deposit that nobody can withdraw: the share count never returns to zero.
    uint96 public constant LOCKED_SHARES = 1_000;

    /// Most decisions that may await their proof: a settlement of them must fit into a transaction.
    uint32 public constant MOST_UNPROVEN = 1_024;
    /// Order of BN254's scalar field.
    uint256 private constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    bytes32 private constant TAG_DOMAIN = "probity.settlement.1.domain";

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
    struct Snapshot {
        uint96 quote;
        uint96 base;
        uint96 shares;
        uint96 fillOut;
        bool filled;
    }

    IERC20 public immutable quote;
    IERC20 public immutable base;
    IPool public immutable pool;
    address public immutable operator;
    bool public immutable baseIsToken1;

    Registration private _registration;
    uint64 public registeredBlock;

    /// The vault's own accounts; a token sent without a deposit changes nothing.
    uint96 public quoteBalance;
    uint96 public baseBalance;
    uint96 public totalShares;
    mapping(address => uint96) public sharesOf;

    Snapshot private _snapshot;
    bytes32 public head;
    uint64 public lastTime;
    uint32 public nextStep;
    /// What the pool may still ask for in the swap that runs; zero when none runs.
    uint96 private _due;
    /// Time of the first decision that awaits its proof.
    uint64 public firstUnprovenTime;
    /// The head after so many decisions; at 0 the genesis head.
    mapping(uint32 => bytes32) public headAt;

    /// Settlement (docs/design/settlement.md): the verifier and the terms, and how many decisions are proven.
    address public verifier;
    uint32 public provenSteps;
    uint32 public maxUnprovenDecisions;
    uint32 public maxUnprovenSeconds;
    bytes32 public genesisState;
    /// The chain of challenges and the fingerprint of the vault's own records, up to now and up to the last proven decision.
    bytes32 public trail;
    uint256 public fingerprint;
    bytes32 public provenTrail;
    uint256 public provenFingerprint;
    bytes32 public provenHead;
    bytes32 public provenState;

    event Registered(Registration registration, address operator, address pool);
    event Decided(uint32 indexed step, Observation observation, Decision decision, bool executed, uint96 amountOut);
    event ProofPosted(uint32 indexed steps, bytes32 indexed head, bytes32 digest, uint256 length);
    event Armed(Terms terms, bytes32 trail);
    event Settled(uint32 indexed steps, bytes32 indexed head, bytes32 state, bytes32 trail, uint256 fingerprint);
    event Flow(address indexed account, bool deposit, uint96 quote, uint96 base, uint96 shares);

    error NotOperator();
    error NotSelf();
    error NotPool();
    error WrongTokens();
    error AlreadyRegistered();
    error NotRegistered();
    error AlreadySeeded();
    error NotSeeded();
    error SeedTooSmall(uint96 least);
    error RegistrationOutOfRange();
    error WrongStep(uint32 expected);
    error WrongHead(bytes32 expected);
    error WrongTime(uint64 last, uint64 interval);
    error AnchorUnknown();
    error AnchorTooOldToTrade();
    error ObservationMismatch(Observation seen);
    error LimitBreached(string limit);
    error ProofMismatch();
    error NotEnoughShares();
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

    modifier onlyOperator() {
        if (msg.sender != operator) revert NotOperator();
        _;
    }

    constructor(IERC20 quote_, IERC20 base_, IPool pool_, address operator_) {
        (address t0, address t1) = (pool_.token0(), pool_.token1());
        bool order = t0 == address(quote_) && t1 == address(base_);
        if (!order && !(t1 == address(quote_) && t0 == address(base_))) revert WrongTokens();
        (quote, base, pool, operator, baseIsToken1) = (quote_, base_, pool_, operator_, order);
    }

    // ---------------------------------------------------------------- deposits and withdrawals, in kind

    /// The first deposit. One share a raw unit of quote; LOCKED_SHARES of them stay in the vault. Only the operator's: a
    /// stranger's dust would make every share coarse for ever.
    function seed(uint96 quoteAmount, uint96 baseAmount) external onlyOperator nonReentrant {
        if (totalShares != 0) revert AlreadySeeded();
        if (quoteAmount <= LOCKED_SHARES) revert SeedTooSmall(LOCKED_SHARES + 1);
        totalShares = quoteAmount;
        sharesOf[msg.sender] = quoteAmount - LOCKED_SHARES;
        _take(quoteAmount, baseAmount, quoteAmount);
    }

    /// Mints shares for both tokens pro rata, rounded up; at most the amounts named.
    function deposit(uint96 shares, uint96 maxQuote, uint96 maxBase) external nonReentrant {
        if (totalShares == 0) revert NotSeeded();
        if (shares == 0) revert NotEnoughShares();
        uint96 quoteAmount = Math.mulDiv(quoteBalance, shares, totalShares, Math.Rounding.Ceil).toUint96();
        uint96 baseAmount = Math.mulDiv(baseBalance, shares, totalShares, Math.Rounding.Ceil).toUint96();
        if (quoteAmount > maxQuote || baseAmount > maxBase) revert LimitBreached("deposit");
        totalShares += shares;
        sharesOf[msg.sender] += shares;
        _take(quoteAmount, baseAmount, shares);
    }

    /// Burns shares for both tokens pro rata, rounded down. Needs nobody's consent.
    function withdraw(uint96 shares) external nonReentrant {
        uint96 owned = sharesOf[msg.sender];
        if (shares == 0 || shares > owned) revert NotEnoughShares();
        uint96 quoteAmount = Math.mulDiv(quoteBalance, shares, totalShares).toUint96();
        uint96 baseAmount = Math.mulDiv(baseBalance, shares, totalShares).toUint96();
        sharesOf[msg.sender] = owned - shares;
        totalShares -= shares;
        quoteBalance -= quoteAmount;
        baseBalance -= baseAmount;
        emit Flow(msg.sender, false, quoteAmount, baseAmount, shares);
        if (quoteAmount != 0) quote.safeTransfer(msg.sender, quoteAmount);
        if (baseAmount != 0) base.safeTransfer(msg.sender, baseAmount);
    }

    function _take(uint96 quoteAmount, uint96 baseAmount, uint96 shares) private {
        quoteBalance += quoteAmount;
        baseBalance += baseAmount;
        emit Flow(msg.sender, true, quoteAmount, baseAmount, shares);
        _receive(quote, quoteAmount);
        _receive(base, baseAmount);
    }

    /// A token that delivers another amount than asked for is refused.
    function _receive(IERC20 token, uint96 amount) private {
        if (amount == 0) return;
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        if (token.balanceOf(address(this)) - before != amount) revert UnexpectedTransfer();
    }

    // ---------------------------------------------------------------- registration

    /// Binds the vault to a mandate and a model, once and before the first decision.
    function register(Registration calldata r) external onlyOperator {
        if (registeredBlock != 0) revert AlreadyRegistered();
        if (totalShares == 0) revert NotSeeded();
        if (r.interval == 0 || r.maxSlippageBps > BPS || r.maxTradeQuote == 0) revert RegistrationOutOfRange();
        if (r.genesisTime > block.timestamp + 1 days || uint256(r.genesisTime) + r.interval < block.timestamp) revert RegistrationOutOfRange();
        _registration = r;
        registeredBlock = uint64(block.number);
        (head, lastTime) = (r.genesisHead, r.genesisTime);
        headAt[0] = r.genesisHead;
        _snapshot = Snapshot(quoteBalance, baseBalance, totalShares, 0, false);
        emit Registered(r, operator, address(pool));
    }

    function registration() external view returns (Registration memory) {
        return _registration;
    }

    // ---------------------------------------------------------------- observation (S1)

    /// The observation at `time` as the chain sees it. Every part is a closed fact: oracle means of past seconds (a pool's
    /// cumulative tick at a second is settled by the ticks before it, whatever is swapped in that second's block or later),
    /// the hash of a past block, the vault's accounts right after its last decision.
    ///
    /// The pool refuses ("OLD") where its oracle does not go back that far: it must keep more observations than there can be
    /// blocks between `time - interval` and the decision's inclusion.
    function observation(uint64 time, uint64 blockNumber, bytes32 blockHash) public view returns (Observation memory o) {
        if (registeredBlock == 0) revert NotRegistered();
        uint32 interval = _registration.interval;
        if (time <= lastTime || time > block.timestamp || (time - _registration.genesisTime) % interval != 0) revert WrongTime(lastTime, interval);
        Snapshot memory s = _snapshot;
        int24 tick = _meanTick(time, interval);
        o = Observation(nextStep, time, blockNumber, blockHash, tick, priceX64(tick), s.quote, s.base, s.shares, s.filled, s.fillOut);
    }

    function _meanTick(uint64 time, uint32 interval) private view returns (int24) {
        uint32[] memory ago = new uint32[](2);
        ago[0] = (block.timestamp - time + interval).toUint32();
        ago[1] = (block.timestamp - time).toUint32();
        (int56[] memory c,) = pool.observe(ago);
        int56 delta = c[1] - c[0];
        int56 mean = delta / int56(uint56(interval));
        if (delta < 0 && delta % int56(uint56(interval)) != 0) mean--;
        return int24(mean);
    }

    /// Quote raw per base raw × 2^64 at a tick of the pool (S0).
    function priceX64(int24 tick) public view returns (uint96) {
        int24 x = baseIsToken1 ? -tick : tick;
        if (x < MIN_X) x = MIN_X;
        if (x > MAX_X) x = MAX_X;
        uint256 s = TickMath.getSqrtPriceAtTick(x);
        uint256 price = (s * s) >> 128;
        if (price < MIN_PRICE) price = MIN_PRICE;
        if (price > type(uint96).max) price = type(uint96).max;
        return uint96(price);
    }

    // ---------------------------------------------------------------- decisions

    /// Records decision `d` and, if it is in time, executes its order. A late decision is recorded and never trades, and so is one that
    /// comes while too much awaits its proof. `proof` may be empty; if not, its digest must be the one in `d`.
    function decide(Decision calldata d, bytes calldata proof) external onlyOperator nonReentrant {
        _decide(d, proof, proof[:0]);
    }

    /// The same with a settlement of everything up to this decision, this one included, verified before the order is executed.
    function decideSettled(Decision calldata d, bytes calldata proof, bytes calldata settlement) external onlyOperator nonReentrant {
        _decide(d, proof, settlement);
    }

    function _decide(Decision calldata d, bytes calldata proof, bytes calldata settlement) private {
        if (d.step != nextStep) revert WrongStep(nextStep);
        if (d.headBefore != head) revert WrongHead(head);
        if (d.side > SELL) revert LimitBreached("side");
        if (d.minOut >> 126 != 0) revert LimitBreached("minOut");
        if (d.side == HOLD && (d.amountIn != 0 || d.minOut != 0)) revert LimitBreached("hold");
        bool anchored = _checkAnchor(d);
        Observation memory o = observation(d.time, d.blockNumber, d.blockHash);
        if (keccak256(abi.encode(o)) != d.observationDigest) revert ObservationMismatch(o);

        bool executed;
        uint96 amountOut;
        bool fresh = block.timestamp < uint256(d.time) + _registration.interval;
        (head, lastTime, nextStep) = (d.headAfter, d.time, d.step + 1);
        headAt[d.step + 1] = d.headAfter;
        if (verifier != address(0)) fresh = _follow(d, o, settlement) && fresh;
        else if (settlement.length != 0) revert NotArmed();
        if (d.side != HOLD && fresh) {
            if (!anchored) revert AnchorTooOldToTrade();
            _checkLimits(d, o.priceX64);
            uint256 gasBefore = gasleft();
            try this.executeSwap(d.side, d.amountIn, d.minOut) returns (uint96 out) {
                (executed, amountOut) = (true, out);
            } catch {
                // Not filled: the decision stands, and the next observation says so. But a swap that was starved of gas did
                // not fail: each call level holds back a sixty-fourth, so starving leaves less than an eighth.
                if (gasleft() < gasBefore / 8) revert TooLittleGas();
            }
        }

        _snapshot = Snapshot(quoteBalance, baseBalance, totalShares, amountOut, executed);
        emit Decided(d.step, o, d, executed, amountOut);
        if (proof.length != 0) _post(d.step + 1, d.headAfter, d.proofDigest, proof);
    }

    // ---------------------------------------------------------------- settlement

    /// Names the verifier and the terms, once, after registration and before the first decision.
    function arm(Terms calldata t) external onlyOperator {
        if (registeredBlock == 0) revert NotRegistered();
        if (verifier != address(0) || nextStep != 0) revert AlreadyArmed();
        if (t.verifier.code.length == 0 || t.maxUnprovenDecisions > MOST_UNPROVEN || uint256(t.genesisState) >= R) revert RegistrationOutOfRange();
        (verifier, maxUnprovenDecisions, maxUnprovenSeconds, genesisState) = (t.verifier, t.maxUnprovenDecisions, t.maxUnprovenSeconds, t.genesisState);
        trail = _domain(0, 0);
        (provenTrail, provenHead, provenState) = (trail, head, t.genesisState);
        emit Armed(t, trail);
    }

    /// Proves every decision up to now. Anybody may; nothing depends on who does. A settlement that does not hold changes nothing.
    function settle(bytes calldata settlement) external nonReentrant {
        if (verifier == address(0)) revert NotArmed();
        _settle(settlement);
    }

    /// What a settlement is bound to: chain, vault, promise and range.
    function _domain(uint32 from, uint32 to) private view returns (bytes32) {
        Registration storage r = _registration;
        return keccak256(abi.encode(TAG_DOMAIN, block.chainid, address(this), r.mandateDigest, r.commitment, r.genesisHead, genesisState, from, to));
    }

    function _settle(bytes calldata settlement) private {
        (uint32 from, uint32 to) = (provenSteps, nextStep);
        if (from == to) revert NothingToSettle();
        bytes memory claim = abi.encodePacked(
            _domain(from, to),
            provenTrail,
            uint256(to - from),
            provenFingerprint,
            _registration.commitment,
            _registration.mandateDigest,
            uint256(0), // no rotation is ahead: a vault settles unrotated ranges
            uint256(0),
            uint256(from),
            provenHead,
            provenState,
            settlement
        );
        (bool holds, bytes memory answer) = verifier.staticcall(claim);
        if (!holds || answer.length != 9 * 32) revert SettlementRefused(answer.length == 32 ? uint256(bytes32(answer)) : 0);
        // Model, mandate and rotation ahead are those of the claim: the verifier lets no block change them.
        (bytes32 t, uint256 f,,,,, uint256 step, bytes32 h, bytes32 state) =
            abi.decode(answer, (bytes32, uint256, bytes32, bytes32, bytes32, uint256, uint256, bytes32, bytes32));
        if (t != trail || f != fingerprint || step != to || h != head) revert SettlesOtherDecisions();
        (provenTrail, provenFingerprint, provenHead, provenState) = (t, f, h, state);
        (provenSteps, firstUnprovenTime) = (to, 0);
        emit Settled(to, h, state, t, f);
    }

    /// Takes a decision into the trail, settles if there is a settlement, and says whether the decision may trade.
    function _follow(Decision calldata d, Observation memory o, bytes calldata settlement) private returns (bool) {
        uint256 unproven = nextStep - provenSteps;
        if (unproven > MOST_UNPROVEN) revert TooManyUnproven(MOST_UNPROVEN);
        bytes32 hash = keccak256(abi.encode(trail, d.observationDigest, d.headBefore, d.headAfter, d.side, d.amountIn, d.minOut));
        uint256 mark = uint128(uint256(hash));
        trail = keccak256(abi.encodePacked(trail, uint128(mark)));
        fingerprint = addmod(fingerprint, _evaluate(d, o, mark), R);
        if (unproven == 1) firstUnprovenTime = uint64(block.timestamp);
        if (settlement.length != 0) {
            _settle(settlement);
            return true;
        }
        return unproven <= maxUnprovenDecisions && block.timestamp - firstUnprovenTime <= maxUnprovenSeconds;
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

    /// Announces a proof of the first `steps` decisions, whose bytes are this call's data. The head must be the vault's own
    /// after so many decisions.
    function postProof(uint32 steps, bytes32 head_, bytes32 digest, bytes calldata proof) external onlyOperator {
        _post(steps, head_, digest, proof);
    }

    function _post(uint32 steps, bytes32 head_, bytes32 digest, bytes calldata proof) private {
        if (registeredBlock == 0) revert NotRegistered();
        if (steps > nextStep) revert WrongStep(nextStep);
        if (head_ != headAt[steps]) revert WrongHead(headAt[steps]);
        if (keccak256(proof) != digest) revert ProofMismatch();
        emit ProofPosted(steps, head_, digest, proof.length);
    }

    /// True if the anchor block's hash is the chain's; false if it is too old to tell.
    function _checkAnchor(Decision calldata d) private view returns (bool) {
        if (d.blockNumber >= block.number) revert AnchorUnknown();
        bytes32 known = blockhash(d.blockNumber);
        if (known == 0) return false;
        if (known != d.blockHash) revert AnchorUnknown();
        return true;
    }

    /// The mandate's limits that the vault can see: trade size and slippage bound (S8).
    function _checkLimits(Decision calldata d, uint96 price) private view {
        if (d.amountIn == 0) revert LimitBreached("amountIn");
        uint256 keep = BPS - _registration.maxSlippageBps;
        uint256 expect;
        if (d.side == BUY) {
            if (d.amountIn > _registration.maxTradeQuote) revert LimitBreached("maxTradeQuote");
            expect = (uint256(d.amountIn) << 64) / price + 1;
        } else {
            expect = (uint256(d.amountIn) * price) >> 64;
            if (expect > _registration.maxTradeQuote) revert LimitBreached("maxTradeQuote");
        }
        if (d.minOut < Math.ceilDiv(expect * keep, BPS)) revert LimitBreached("maxSlippageBps");
    }

    /// One exact-input swap in the pool, all or nothing. Only the vault itself calls it, so that a failure can be caught.
    /// The accounts change by what the tokens say, not only by what the pool says.
    function executeSwap(uint8 side, uint96 amountIn, uint128 minOut) external returns (uint96 out) {
        if (msg.sender != address(this)) revert NotSelf();
        // Quote is token0 iff base is token1; a buy gives quote.
        bool zeroForOne = (side == BUY) == baseIsToken1;
        uint160 limit = zeroForOne ? TickMath.MIN_SQRT_PRICE + 1 : TickMath.MAX_SQRT_PRICE - 1;
        (IERC20 given, IERC20 taken) = side == BUY ? (quote, base) : (base, quote);
        (uint256 givenBefore, uint256 takenBefore) = (given.balanceOf(address(this)), taken.balanceOf(address(this)));
        if (side == BUY) quoteBalance -= amountIn;
        else baseBalance -= amountIn;
        _due = amountIn;
        (int256 a0, int256 a1) = pool.swap(address(this), zeroForOne, int256(uint256(amountIn)), limit, "");
        _due = 0;
        (int256 paid, int256 got) = zeroForOne ? (a0, a1) : (a1, a0);
        if (paid != int256(uint256(amountIn))) revert PartialSwap();
        out = uint256(-got).toUint96();
        if (out < minOut) revert OutputTooLow();
        if (given.balanceOf(address(this)) + amountIn < givenBefore) revert UnexpectedTransfer();
        if (taken.balanceOf(address(this)) < takenBefore + out) revert UnexpectedTransfer();
        if (side == BUY) baseBalance += out;
        else quoteBalance += out;
    }

    /// The pool asks for its payment: once in a swap, and at most for the order's amount.
    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        if (msg.sender != address(pool) || _due == 0) revert NotPool();
        bool first = amount0 > 0;
        int256 amount = first ? amount0 : amount1;
        IERC20 token = first == baseIsToken1 ? quote : base;
        if (amount <= 0 || uint256(amount) > _due) revert UnexpectedTransfer();
        _due = 0;
        token.safeTransfer(msg.sender, uint256(amount));
    }
}
