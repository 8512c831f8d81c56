//! A whole recorded day of a real pool, log by log, against the exact pool: the last unit or nothing.
//!
//! The day comes without a table of ticks. What is known is learnt in order: the state after each swap, every change of
//! liquidity, and the net liquidity of a tick once a swap has crossed that one unknown tick alone. A swap is replayed where
//! everything it can have touched is known; the rest is counted, not guessed.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests may panic and report")]

use probity_backtest::v3::{Direction, Exact, Pool, Swap, U256, sqrt_ratio_at_tick};
use std::{collections::BTreeMap, path::PathBuf};

const SWAP: &str = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67";
const MINT: &str = "0x7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde";
const BURN: &str = "0x0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c";

fn rows(name: &str) -> Option<Vec<(Vec<String>, Vec<U256>)>> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/uniswap_v3/usdc_weth_2024-01-05")).join(name);
    if !path.exists() {
        println!("SKIPPED: {} is absent, no real swap was replayed", path.display());
        return None;
    }
    let mut reader = csv::Reader::from_path(path).unwrap();
    Some(
        reader
            .records()
            .map(|row| {
                let row = row.unwrap();
                let topics = row.get(5).unwrap().split('\'').filter(|t| t.starts_with("0x")).map(str::to_owned).collect();
                let data = row.get(6).unwrap().trim_start_matches("0x");
                let words = (0..data.len() / 64).map(|i| U256::from_str_radix(&data[i * 64..(i + 1) * 64], 16).unwrap()).collect();
                (topics, words)
            })
            .collect(),
    )
}

fn signed(word: U256) -> i128 {
    if word.bit(255) { -i128::try_from(U256::ZERO.wrapping_sub(word)).unwrap() } else { i128::try_from(word).unwrap() }
}

fn tick_of(topic: &str) -> i32 {
    i32::try_from(signed(U256::from_str_radix(&topic[2..], 16).unwrap())).unwrap()
}

/// What is known of a usable tick. `gross` only where every position that names it has been seen.
#[derive(Clone, Copy)]
struct Known {
    net: i128,
    gross: Option<u128>,
}

#[derive(Default, Debug)]
struct Count {
    swaps: usize,
    within: usize,
    across: usize,
    crossed: u32,
    first: usize,
    unknown: usize,
    silent: usize,
    liquidity: usize,
}

struct Replay {
    fee: u32,
    spacing: i32,
    state: Option<(U256, i32, u128)>,
    known: BTreeMap<i32, Known>,
    count: Count,
}

impl Replay {
    /// The pool as far as it is known, with another net liquidity at one tick if given.
    fn pool(&self, also: Option<(i32, i128)>) -> Pool {
        let (price, tick, liquidity) = self.state.unwrap();
        let ticks = self.known.iter().filter(|(_, k)| k.net != 0 || k.gross.is_some_and(|g| g > 0)).map(|(t, k)| (*t, k.net));
        Pool::with_ticks(self.fee, self.spacing, (price, tick, liquidity), ticks.chain(also)).unwrap()
    }

    fn swap(&mut self, words: &[U256]) {
        self.count.swaps += 1;
        let (a0, a1, price) = (signed(words[0]), signed(words[1]), words[2]);
        let after = (price, i32::try_from(signed(words[4])).unwrap(), u128::try_from(words[3]).unwrap());
        let Some((before, tick, liquidity)) = self.state.replace(after) else {
            self.count.first += 1;
            return;
        };
        self.state = Some((before, tick, liquidity));
        let down = a0 > 0;
        let direction = if down { Direction::ZeroForOne } else { Direction::OneForZero };
        let (given, taken) = if down { (a0.unsigned_abs(), a1.unsigned_abs()) } else { (a1.unsigned_abs(), a0.unsigned_abs()) };
        // Usable ticks the price can have touched.
        let mut touched = Vec::new();
        let mut t = tick.div_euclid(self.spacing) * self.spacing + if down { 0 } else { self.spacing };
        while if down { sqrt_ratio_at_tick(t).unwrap() >= price } else { sqrt_ratio_at_tick(t).unwrap() <= price } {
            touched.push(t);
            t += if down { -self.spacing } else { self.spacing };
        }
        let unknown: Vec<i32> = touched.iter().copied().filter(|t| !self.known.contains_key(t)).collect();
        let fits = |s: Swap| (s.amount_in, s.amount_out, s.sqrt_price, s.tick, s.liquidity) == (given, taken, after.0, after.1, after.2);
        // The log does not say what was fixed: the input, the output, or the price to stop at.
        let exact = |pool: &Pool| {
            let ways = [(Exact::In(given), None), (Exact::Out(taken), None), (Exact::In(u128::MAX), Some(price))];
            ways.into_iter().filter_map(|(exact, limit)| pool.quote(direction, exact, limit).ok()).find(|s| fits(*s))
        };
        let sign = if down { -1 } else { 1 };
        let seen: i128 = touched.iter().filter_map(|t| self.known.get(t)).map(|k| k.net * sign).sum();
        let change = i128::try_from(after.2).unwrap() - i128::try_from(liquidity).unwrap();
        let number = self.count.swaps;
        match unknown.as_slice() {
            [] => {
                let swap = exact(&self.pool(None)).unwrap_or_else(|| panic_at(number, "every tick known"));
                self.count.crossed += swap.crossed;
                if touched.is_empty() { self.count.within += 1 } else { self.count.across += 1 }
            }
            [one] if change != seen => {
                // One tick nobody has seen, and the liquidity changed by what no other tick explains: that is its net.
                let net = (change - seen) * sign;
                let swap = exact(&self.pool(Some((*one, net)))).unwrap_or_else(|| panic_at(number, "one tick from the liquidity"));
                self.known.insert(*one, Known { net, gross: None });
                self.count.crossed += swap.crossed;
                self.count.across += 1;
            }
            many => {
                // Nothing says whether these are initialised. Where the liquidity is explained without them and the last unit
                // fits without them, they are taken as empty from here on; this swap itself is not counted as replayed.
                if change == seen && exact(&self.pool(None)).is_some() {
                    self.known.extend(many.iter().map(|t| (*t, Known { net: 0, gross: Some(0) })));
                    self.count.silent += 1;
                } else {
                    self.count.unknown += 1;
                }
            }
        }
        self.state = Some(after);
    }

    fn liquidity(&mut self, topics: &[String], amount: i128, amounts: [u128; 2]) {
        let (lower, upper) = (tick_of(&topics[2]), tick_of(&topics[3]));
        if amount == 0 {
            return;
        }
        if let Some((price, tick, liquidity)) = self.state {
            let mut pool = Pool::with_ticks(self.fee, self.spacing, (price, tick, liquidity), []).unwrap();
            // Somebody minted what is now burnt: give the pool that first, at the rounding of the mint.
            if amount < 0 {
                pool.provide(lower, upper, -amount).unwrap();
            }
            assert_eq!(pool.provide(lower, upper, amount).unwrap(), amounts, "liquidity event");
            self.count.liquidity += 1;
            if lower <= tick && tick < upper {
                self.state = Some((price, tick, liquidity.checked_add_signed(amount).unwrap()));
            }
        }
        for (t, net) in [(lower, amount), (upper, -amount)] {
            if let Some(k) = self.known.get_mut(&t) {
                k.net += net;
                k.gross = k.gross.map(|g| g.checked_add_signed(amount).unwrap());
                // A net of 0 with positions never seen: it may or may not be there any more.
                if k.net == 0 && k.gross.is_none() {
                    self.known.remove(&t);
                }
            }
        }
    }
}

#[expect(clippy::panic, reason = "a test may panic")]
fn panic_at(number: usize, why: &str) -> Swap {
    panic!("swap {number} of the day ({why}) does not replay to the last unit")
}

fn replay(name: &str, fee: u32, spacing: i32) -> Option<Count> {
    let mut r = Replay { fee, spacing, state: None, known: BTreeMap::new(), count: Count::default() };
    for (topics, words) in rows(name)? {
        let amount = |i: usize| u128::try_from(words[i]).unwrap();
        match topics[0].as_str() {
            SWAP => r.swap(&words),
            MINT => r.liquidity(&topics, signed(words[1]), [amount(2), amount(3)]),
            BURN => r.liquidity(&topics, -signed(words[0]), [amount(1), amount(2)]),
            _ => {}
        }
    }
    println!("{name}: {:?}", r.count);
    let c = &r.count;
    assert_eq!(c.swaps, c.within + c.across + c.first + c.unknown + c.silent);
    Some(r.count)
}

#[test]
fn the_five_basis_point_pool_replays() {
    let Some(c) = replay("ethereum-0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640-2024-01-05.raw.csv", 500, 10) else { return };
    // 6,020 of 6,046 to the last unit. Left out: the first (nothing is known before it) and 25 that were the first through
    // ticks of which nothing was known.
    assert_eq!((c.swaps, c.within, c.across, c.first, c.silent, c.unknown), (6_046, 5_372, 648, 1, 4, 21));
    assert_eq!((c.crossed, c.liquidity), (626, 109));
}

#[test]
fn the_thirty_basis_point_pool_replays() {
    let Some(c) = replay("ethereum-0x8ad599c3a0ff1de082011efddc58f1908eb6e6d8-2024-01-05.raw.csv", 3_000, 60) else { return };
    assert_eq!((c.swaps, c.within, c.across, c.first, c.silent, c.unknown), (267, 244, 22, 1, 0, 0));
    assert_eq!((c.crossed, c.liquidity), (22, 15));
}
