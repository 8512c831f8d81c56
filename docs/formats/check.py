#!/usr/bin/env python3
"""Checks a probity decision log without the program that wrote it: plain Python 3, no packages, no proof.

Recomputes the mandate digest, the chain of heads (Poseidon, its constants generated here), and the public arithmetic: step, clock, price
at the tick, fills, halts, limits of the orders, turnover, seal. With --opening, also that the commitment opens to the model. With --proof,
also that the envelope around a proof speaks of this log; whether the proof inside is true, it cannot say.
It cannot say either whether an observation is true: that takes the proof, and the chain.

usage: check.py LOG... [--opening OPENING] [--proof ENVELOPE]     exit status: 0 nothing wrong, 1 something wrong, 2 could not tell
"""
import hashlib, json, re, sys

P = 21888242871839275222246405745257275088548364400416034343698204186575808495617
FULL = 8  # full rounds


def grain(width, partial):
    """The self-shrinking Grain LFSR of the Poseidon paper, for a prime field, x^5, 254 bits and these numbers."""
    fields = [(1, 2), (1, 4), (254, 12), (width, 12), (FULL, 10), (partial, 10), (2**30 - 1, 30)]
    state = [v >> i & 1 for v, n in fields for i in reversed(range(n))]

    def step():
        bit = state[62] ^ state[51] ^ state[38] ^ state[23] ^ state[13] ^ state[0]
        state.pop(0)
        state.append(bit)
        return bit

    for _ in range(160):
        step()
    while True:
        if step():
            yield step()
        else:
            step()


class Sponge:
    """Poseidon of a width and a number of partial rounds."""

    def __init__(self, width, partial):
        self.width, self.partial, self.rounds = width, partial, None

    def constants(self):
        bits, out = grain(self.width, self.partial), []
        while len(out) < self.width * (FULL + self.partial):
            value = 0
            for _ in range(254):
                value = value << 1 | next(bits)
            if value < P:
                out.append(value)
        self.rounds = out
        self.mds = [[pow(i + self.width + j, -1, P) for j in range(self.width)] for i in range(self.width)]

    def permute(self, state):
        for r in range(FULL + self.partial):
            state = [(v + self.rounds[self.width * r + i]) % P for i, v in enumerate(state)]
            full = r < FULL // 2 or r >= FULL // 2 + self.partial
            state = [pow(v, 5, P) if full or i == 0 else v for i, v in enumerate(state)]
            state = [sum(self.mds[i][j] * v for i, v in enumerate(state)) % P for j in range(self.width)]
        return state

    def hash(self, elements):
        """The capacity starts with a polynomial of the pattern (absorb n, squeeze 1) modulo 2^128."""
        if not self.rounds:
            self.constants()
        x, rate = 2**128 - 159, self.width - 1
        state = [(x * (len(elements) + 2**31) + x * x) % 2**128] + [0] * rate
        for i in range(0, len(elements), rate):
            for j, e in enumerate(elements[i : i + rate]):
                state[1 + j] = (state[1 + j] + e) % P
            state = self.permute(state)
        return state[1]


NARROW, WIDE = Sponge(6, 56), Sponge(25, 59)
MODEL, MANDATE, GENESIS, RECORD, ROTATION = 1, 2, 3, 4, 6
NOTICE = 12  # fewest steps between an announcement and the first decision of the new weights


def poseidon(domain, elements):
    return (WIDE if domain == MODEL else NARROW).hash([0x70726F6269747900 | domain] + elements)

SQRT = """fffcb933bd6fad37aa2d162d1a594001 fff97272373d413259a46990580e213a fff2e50f5f656932ef12357cf3c7fdcc ffe5caca7e10e4e61c3624eaa0941cd0
ffcb9843d60f6159c9db58835c926644 ff973b41fa98c081472e6896dfb254c0 ff2ea16466c96a3843ec78b326b52861 fe5dee046a99a2a811c461f1969c3053
fcbe86c7900a88aedcffc83b479aa3a4 f987a7253ac413176f2b074cf7815e54 f3392b0822b70005940c7a398e4b70f3 e7159475a2c29b7443b29c7fa6e889d9
d097f3bdfd2022b8845ad8f792aa5825 a9f746462d870fdf8a65dc1f90e061e5 70d869a156d2a1b890bb3df62baf32f7 31be135f97d08fd981231505542fcfa6
09aa508b5b7a84e1c677de54f3e99bc9 005d6af8dedb81196699c329225ee604 00002216e584f5fa1ea926041bedfe98""".split()


def price_x64(x):
    ratio = 1 << 128
    for i, factor in enumerate(SQRT):
        if abs(x) >> i & 1:
            ratio = ratio * int(factor, 16) >> 128
    if x > 0:
        ratio = (2**256 - 1) // ratio
    s = -(-ratio >> 32)
    return min(max(s * s >> 128, 2**19), 2**96 - 1)


MISSING = object()


class Bad(Exception):
    """The log is not well formed."""


def whole(lo, hi):
    def check(v, at):
        if type(v) is not int or not lo <= v <= hi:
            raise Bad(f"{at}: expected an integer {lo} … {hi}, got {v!r}")
        return v

    return check


def text(pattern, convert=str, valid=lambda v: True):
    def check(v, at):
        if not isinstance(v, str) or not re.fullmatch(pattern, v) or not valid(convert(v)):
            raise Bad(f"{at}: expected {pattern} in range, got {v!r}")
        return convert(v)

    return check


def flag(v, at):
    if not isinstance(v, bool):
        raise Bad(f"{at}: expected true or false, got {v!r}")
    return v


def maybe(inner):
    def check(v, at):
        return None if v is None else inner(v, at)

    check.optional = None
    return check


def absent(inner):
    # A field that may be missing, but is not null.
    def check(v, at):
        return None if v is MISSING else inner(v, at)

    check.optional = MISSING
    return check


def items(inner):
    def check(v, at):
        if not isinstance(v, list):
            raise Bad(f"{at}: expected a list")
        return [inner(e, at) for e in v]

    return check


def fields(**inner):
    def check(v, at):
        needed = {k for k, f in inner.items() if not hasattr(f, "optional")}
        if not isinstance(v, dict) or not needed <= set(v) <= set(inner):
            raise Bad(f"{at}: expected exactly the fields {', '.join(inner)}")
        return {k: f(v.get(k, getattr(f, "optional", None)), f"{at}.{k}") for k, f in inner.items()}

    return check


def decimal(lo, hi):
    return text(r"0|[1-9][0-9]*", int, lambda v: lo <= v <= hi)


AMOUNT, U16, U32, U64 = decimal(0, 2**96 - 1), whole(0, 2**16 - 1), whole(0, 2**32 - 1), whole(0, 2**64 - 1)
DIGEST, HASH = text("0x[0-9a-f]{64}", lambda v: int(v, 16), lambda v: v < P), text("0x[0-9a-f]{64}")
ADDRESS = text("0x[0-9a-f]{40}")
BPS = whole(0, 10000)
LIMITS = fields(max_weight_bps=BPS, max_trade_bps=whole(1, 10000), min_trade_bps=whole(2, 10000), max_turnover_bps=whole(1, 2**24),
                turnover_window_steps=whole(1, 65535), max_drawdown_bps=whole(1, 10000), max_slippage_bps=BPS,
                max_trade_quote=decimal(1, 2**80 - 1), warmup_steps=U16)
RECURRENT = fields(units=whole(1, 32), gate_shift=whole(1, 12), candidate_shift=whole(1, 12))
MANDATE_FIELDS = fields(version=whole(1, 1), chain_id=whole(1, 2**64 - 1), vault=ADDRESS, pool=ADDRESS, base_is_token1=flag,
                        interval_s=whole(1, 604800), genesis_time_s=whole(0, 2**40), decisions_per_fold=whole(1, 64),
                        proof_engine=text("transparent|pairing"),
                        model=fields(dims=items(whole(1, 128)), shifts=items(whole(1, 16)), recurrent=absent(RECURRENT)), limits=LIMITS)
HEADER = fields(format=text("probity-log"), version=whole(2, 2), program_version=text(".*"), model_commitment=DIGEST, mandate_digest=DIGEST,
                genesis_head=DIGEST, mandate=MANDATE_FIELDS)
OBSERVATION = fields(step=U32, time_s=U64, block_number=U64, block_hash=HASH, mean_tick=whole(-2**31, 2**31 - 1),
                     price_x64=decimal(2**19, 2**96 - 1), quote=AMOUNT, base=AMOUNT, shares=AMOUNT, fill=maybe(fields(amount_out=AMOUNT)))
DECISION = fields(order=maybe(fields(side=text("buy|sell"), amount_in=AMOUNT, min_out=decimal(0, 2**126 - 1))), halted=flag)
ENTRY = fields(record=fields(observation=OBSERVATION, decision=DECISION), head=DIGEST)
ANNOUNCEMENT = fields(rotation=fields(commitment=DIGEST, at_step=U32), head=DIGEST)
SEAL = fields(seal=fields(decisions=U32, head=DIGEST))
OPENING = fields(model=fields(scales=items(U16), weights=items(whole(-128, 127)), biases=items(whole(1 - 2**19, 2**19 - 1)),
                              policy=fields(gain=U16, band_gain=U16, band_bps=BPS, max_step_bps=BPS, cooldown_steps=U16)),
                 salt=text("[0-9a-fA-F]{64}"), then=maybe(lambda v, at: v))  # `then`: the weights that took over, not looked at


def parse(raw, at):
    def pairs(found):
        out = dict(found)
        if len(out) != len(found):
            raise Bad(f"{at}: a field is there twice")
        return out

    def integer(digits):
        if digits == "-0":
            raise Bad(f"{at}: -0")
        return int(digits)

    try:
        return json.loads(raw.decode(), object_pairs_hook=pairs, parse_int=integer)
    except (ValueError, RecursionError) as e:
        raise Bad(f"{at}: {e}") from None


def halves(hexadecimal):
    value = int(hexadecimal, 16)
    return [value >> 128, value & 2**128 - 1]


def mandate_digest(raw, m):
    # The canonical text: fields in the order of the format, no spaces.
    ordered = {k: raw[k] for k in ("version chain_id vault pool base_is_token1 interval_s genesis_time_s decisions_per_fold proof_engine model limits".split())}
    ordered["model"] = {k: raw["model"][k] for k in ("dims", "shifts")}
    if "recurrent" in raw["model"]:
        ordered["model"]["recurrent"] = {k: raw["model"]["recurrent"][k] for k in ("units", "gate_shift", "candidate_shift")}
    names = "max_weight_bps max_trade_bps min_trade_bps max_turnover_bps turnover_window_steps max_drawdown_bps max_slippage_bps max_trade_quote warmup_steps".split()
    ordered["limits"] = {k: raw["limits"][k] for k in names}
    sha = hashlib.sha256(json.dumps(ordered, separators=(",", ":")).encode()).hexdigest()
    return poseidon(MANDATE, halves(sha) + [int(m["base_is_token1"]), m["interval_s"]] + [m["limits"][n] for n in names])


def commitment(opening):
    model, p = opening["model"], opening["model"]["policy"]
    pack = lambda vs, width: [sum(v << width * i for i, v in enumerate(vs))]
    chunks = lambda vs, n: [vs[i : i + n] for i in range(0, len(vs), n)]
    out = halves(opening["salt"])
    for c in chunks(model["scales"], 8):
        out += pack(c, 16)
    out += pack([p[k] for k in ("gain", "band_gain", "band_bps", "max_step_bps", "cooldown_steps")], 16)
    for c in chunks([w + 128 for w in model["weights"]], 31):
        out += pack(c, 8)
    for c in chunks([b + 2**23 for b in model["biases"]], 10):
        out += pack(c, 24)
    return poseidon(MODEL, out)


def next_head(head, o, d):
    high, low = halves(o["block_hash"])
    order, fill = d["order"], o["fill"]
    word = (d["halted"] << 224) + ((fill is not None) << 225)
    if order:
        word += order["amount_in"] + (order["min_out"] << 96) + (1 << (222 if order["side"] == "buy" else 223))
    return poseidon(RECORD, [head, (o["price_x64"] + (o["quote"] << 96) + (o["step"] << 192)) % P, o["base"] + (o["shares"] << 96),
                             fill["amount_out"] if fill else 0, o["time_s"], o["mean_tick"] % P, (o["block_number"] << 128) + high, low,
                             word % P])


def value(base, price):
    return min(base * price >> 64, 2**96 - 1)


class Walk:
    """One pass over the decisions."""

    def __init__(self, mandate, head, say):
        self.m, self.limits, self.head, self.say = mandate, mandate["limits"], head, say
        self.step, self.time, self.pending, self.halted, self.used, self.block = 0, mandate["genesis_time_s"], None, False, 0, 0
        self.mark, self.balances, self.ahead = (0, 0), (0, 0), None

    def announce(self, rotation, head):
        """Other weights, from a later step on."""
        found = poseidon(ROTATION, [self.head, rotation["commitment"], rotation["at_step"]])
        if found != head:
            self.say("head_mismatch", f"expected 0x{found:064x}")
        if rotation["at_step"] < self.step + NOTICE or not rotation["commitment"]:
            self.say("rotation_refused", f"expected a commitment and a step of at least {self.step + NOTICE}")
        if self.ahead is not None and self.ahead != self.step:
            self.say("rotation_refused", f"expected one at a time; another is ahead at step {self.ahead}")
        self.ahead, self.head = rotation["at_step"], head

    def entry(self, record, head):
        o, d, m, say = record["observation"], record["decision"], self.m, self.say
        if o["step"] != self.step:
            say("step_index", f"expected {self.step}, got {o['step']}")
        found = next_head(self.head, o, d)
        if found != head:
            say("head_mismatch", f"expected 0x{found:064x}")
        if o["time_s"] <= self.time:
            say("time_not_forward", f"expected after {self.time}")
        if max(o["time_s"] - m["genesis_time_s"], 0) % m["interval_s"]:
            say("time_off_grid", f"expected {m['genesis_time_s']} plus a multiple of {m['interval_s']}")
        gap = o["time_s"] - self.time != m["interval_s"]
        if gap:
            say("gap", "not one interval after the decision before", "note")
        if o["block_number"] < self.block:
            say("block_order", f"expected at least {self.block}", "note")
        if abs(o["mean_tick"]) > 887272:
            say("tick_range", "expected within ±887272")
        price = price_x64(min(max(-o["mean_tick"] if m["base_is_token1"] else o["mean_tick"], -304998), 221817))
        if price != o["price_x64"]:
            say("price_mismatch", f"expected {price}")
        worth = value(o["base"], o["price_x64"])
        nav = o["quote"] + worth
        anomaly = self.fill(o, "note" if d["halted"] else "error")
        now, then = nav * self.mark[1], self.mark[0] * o["shares"]
        drawdown = now * 10000 < then * (10000 - self.limits["max_drawdown_bps"])
        if o["shares"] and (not self.mark[1] or now > then):
            self.mark = (nav, o["shares"])
        if o["shares"] == 0:
            say("no_shares", "expected shares, got none")
        halted = self.halted or anomaly or drawdown
        if d["halted"] != halted:
            say("halt_mismatch", f"expected {halted}")
        if self.step % self.limits["turnover_window_steps"] == 0:
            self.used = 0
        if d["order"]:
            self.order(d["order"], o, nav, worth * 10000 // (nav + 1) + 1, halted, gap)
        if self.ahead == self.step:
            self.ahead = None
        self.step, self.time, self.block, self.head = self.step + 1, o["time_s"], o["block_number"], head
        self.pending, self.halted, self.balances = d["order"], halted or d["halted"], (o["quote"], o["base"])

    def fill(self, o, weight):
        # An honest agent halts on an impossible fill; not halting is an error of its own.
        (quote, base), fill, order = self.balances, o["fill"], self.pending
        if fill and order:
            given, taken = order["amount_in"], fill["amount_out"]
            quote, base = (quote - given, base + taken) if order["side"] == "buy" else (quote + taken, base - given)
        for name, flow in (("quote", o["quote"] - quote), ("base", o["base"] - base)):
            if flow:
                self.say("flow", f"{name}: {flow:+} raw units that no fill explains", "note")
        if fill and not order:
            self.say("fill_without_order", "a fill and no order", weight)
        elif fill and fill["amount_out"] < order["min_out"]:
            self.say("fill_below_limit", f"expected at least {order['min_out']}", weight)
        else:
            return False
        return True

    def order(self, order, o, nav, weight, halted, gap):
        limits, amount, buy = self.limits, order["amount_in"], order["side"] == "buy"
        keep = lambda v: -(-v * (10000 - limits["max_slippage_bps"]) // 10000)
        worth = amount if buy else value(amount, o["price_x64"])
        cap = limits["max_trade_quote"]
        spent = worth * 10000 // nav if nav else 0
        self.used += spent
        warm = self.step < limits["warmup_steps"]
        slack = 0 if buy else (o["price_x64"] >> 64) + 2
        room = max(limits["max_weight_bps"] - weight, 0)
        expected = keep((amount << 64) // o["price_x64"] + 1)
        for ok, what in [
            (amount > 0, "an amount"),
            (worth <= cap, f"worth at most max_trade_quote, {cap}"),
            (worth * 10000 <= limits["max_trade_bps"] * nav, "worth at most max_trade_bps"),
            (not gap, "none after a gap"),
            # A weight above the largest is sold off even then.
            (halted or not warm or (not buy and weight > limits["max_weight_bps"]), "none during warm-up"),
            (not (buy and halted), "no buy while halted"),
            (not buy or amount * 10000 <= room * nav, "a weight of at most max_weight_bps"),
            (not buy or amount > cap or order["min_out"] == expected, f"min_out {expected}"),
            (buy or amount <= o["base"], "at most the base held"),
            (buy or order["min_out"] >= keep(worth), f"min_out of at least {keep(worth)}"),
            (not buy and amount >= o["base"] or worth + slack >= min(limits["min_trade_bps"] * nav // 10000, cap), "worth at least min_trade_bps"),
            (self.used <= limits["max_turnover_bps"], "turnover within max_turnover_bps"),
        ]:
            if not ok:
                self.say("order_limit", f"expected {what}; got {order['side']} of {amount} for at least {order['min_out']}")


def envelope(raw):
    """The claims of a proof envelope: commitment, mandate digest, rotation ahead, decisions, head."""
    if len(raw) > 65536 or len(raw) < 222 or raw[:8] != b"PROBITYP":
        raise Bad("proof: expected PROBITYP, 222 … 65536 bytes")
    number = lambda at, n: int.from_bytes(raw[at : at + n], "big")
    if number(8, 2) != 3 or raw[12] not in (1, 2):
        raise Bad("proof: expected format 3, engine 1 or 2")
    if raw[217]:
        raise Bad("proof.start: expected 0, a proof from genesis; segments are not for this checker")
    if number(218, 4) != len(raw) - 222:
        raise Bad("proof.length: expected the bytes that follow")
    digests = [number(at, 32) for at in (13, 49, 81, 113, 153, 185)]
    at_step, decisions = number(145, 4), number(149, 4)
    if any(v >= P for v in digests):
        raise Bad("proof: expected canonical field elements")
    if not number(45, 4):
        raise Bad("proof: expected folds")
    if at_step and not digests[3]:
        raise Bad("proof.end.at_step: expected 0 where no rotation is ahead")
    names = ("commitment", "mandate", "ahead", "head")
    return {"engine": ("transparent", "pairing")[raw[12] - 1], "at_step": at_step, "decisions": decisions, **dict(zip(names, digests[1:5]))}


def check(raw, opening, proof, out):
    """Checks the bytes of one log; returns the number of errors."""
    errors, line, sealed = 0, 1, None

    def say(code, message, weight="error"):
        nonlocal errors
        errors += weight == "error"
        out(f"line {line}: {weight}: {code}: {message}")

    try:
        lines = raw.split(b"\n")
        if lines.pop() != b"" or not lines:
            line = len(lines) + 1
            raise Bad("the last line does not end: torn write or truncated log")
        if any(len(text_line) > 65536 for text_line in lines):
            raise Bad("a line of more than 65536 bytes")
        loose = parse(lines[0], "header")
        header = HEADER(loose, "header")
        m = header["mandate"]
        dims, shifts = m["model"]["dims"], m["model"]["shifts"]
        cells = (m["model"]["recurrent"] or {"units": 0})["units"]
        if not 2 <= len(dims) <= 5 or dims[0] != 16 + cells or dims[-1] != 3 or len(shifts) + 2 != len(dims):
            raise Bad(f"header.mandate.model: expected {16 + cells} inputs, 3 outputs, 2 … 5 layers, one shift a hidden layer")
        if int(loose["mandate"]["vault"], 16) == 0:
            say("no_vault", "the zero address is no vault: a run on paper or a backtest", "note")
        digest = mandate_digest(loose["mandate"], m)
        genesis = poseidon(GENESIS, [header["mandate_digest"], header["model_commitment"]])
        for name, expected in (("mandate_digest", digest), ("genesis_head", genesis)):
            if header[name] != expected:
                say("header_mismatch", f"{name}: expected 0x{expected:064x}")
        sizes = (2 * cells * (16 + cells) + sum(a * b for a, b in zip(dims, dims[1:])), 2 * cells + sum(dims[1:]))
        if opening and (len(opening["model"]["weights"]), len(opening["model"]["biases"])) != sizes:
            say("reveal_mismatch", f"expected {sizes[0]} weights and {sizes[1]} biases")
        if opening and commitment(opening) != header["model_commitment"]:
            say("reveal_mismatch", "the opening does not open the commitment")
        walk = Walk(m, header["genesis_head"], say)
        # After each decision: the head, the commitment in force and the rotation ahead.
        force, ahead = header["model_commitment"], (0, 0)
        places = [(header["genesis_head"], force, ahead)]
        if proof:
            if proof["mandate"] != digest:
                say("proof_other_mandate", f"expected 0x{digest:064x}")
            if proof["engine"] != m["proof_engine"]:
                say("proof_other_parameters", f"expected a proof of the {m['proof_engine']} engine")
        for line, text_line in enumerate(lines[1:], 2):
            found = parse(text_line, "line")
            if sealed:
                say("after_seal", f"expected the end after the seal on line {sealed}")
            if ahead[0] and ahead[1] == walk.step and not (isinstance(found, dict) and "seal" in found):
                force, ahead = ahead[0], (0, 0)
            if isinstance(found, dict) and "seal" in found:
                seal, sealed = SEAL(found, "line")["seal"], line
                if (seal["decisions"], seal["head"]) != (walk.step, walk.head):
                    say("seal_mismatch", f"expected {walk.step} decisions and head 0x{walk.head:064x}")
            elif isinstance(found, dict) and "rotation" in found:
                announced = ANNOUNCEMENT(found, "line")
                ahead = (announced["rotation"]["commitment"], announced["rotation"]["at_step"])
                walk.announce(announced["rotation"], announced["head"])
            else:
                entry = ENTRY(found, "line")
                walk.entry(entry["record"], entry["head"])
                places.append((entry["head"], force, ahead))
        if proof and proof["decisions"] > walk.step:
            say("log_shorter_than_proof", f"expected {proof['decisions']} decisions")
        elif proof and places[proof["decisions"]][1:] != (proof["commitment"], (proof["ahead"], proof["at_step"])):
            say("proof_other_commitment", "expected the weights that the log says are in force, and those that it says are announced")
        elif proof and places[proof["decisions"]][0] != proof["head"]:
            say("proof_other_head", f"expected 0x{proof['head']:064x} after {proof['decisions']} decisions")
        elif proof and proof["decisions"] < walk.step:
            say("unproven_tail", f"the proof claims {proof['decisions']} of {walk.step} decisions", "error" if sealed else "note")
        out(f"{walk.step} decisions, {errors} errors; {'the proof itself was not checked' if proof else 'no proof was looked at'}")
    except Bad as e:
        say("log_malformed", str(e))
    if not sealed:
        say("unsealed", "what follows the last line is unknown", "note")
    return errors


def main(args):
    opening = proof = None
    try:
        if "--proof" in args:
            at = args.index("--proof")
            with open(args[at + 1], "rb") as f:
                proof = envelope(f.read())
            args = args[:at] + args[at + 2 :]
        if "--opening" in args:
            at = args.index("--opening")
            with open(args[at + 1], "rb") as f:
                opening = OPENING(parse(f.read(), "opening"), "opening")
            args = args[:at] + args[at + 2 :]
        if not args or any(a.startswith("-") for a in args):
            raise IndexError
        logs = []
        for path in args:
            with open(path, "rb") as f:
                logs.append((path, f.read()))
    except IndexError:
        print(__doc__, file=sys.stderr)
        return 2
    except (OSError, Bad) as e:
        print(f"check.py: {e}", file=sys.stderr)
        return 2
    name = len(logs) > 1
    return int(sum(check(raw, opening, proof, lambda t: print(f"{path}: {t}" if name else t)) for path, raw in logs) > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
