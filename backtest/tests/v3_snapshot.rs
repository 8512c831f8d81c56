//! The pool of a real block against the real bytecode.
//!
//! `EXPECTED` is what the chain's own QuoterV2 and pool answered for that block's state, run by anvil; the test
//! `the_real_bytecode_says_the_same` asks them again where anvil is at hand (on the PATH, or from `make tools`):
//! `cargo nextest run --release -p probity-backtest --test v3_snapshot --no-capture`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests may panic and report")]

use probity_backtest::v3::{Direction, Exact, Pool, PoolError, Snapshot, Swap, U256};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const USDC: &str = "a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48";
const WETH: &str = "c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2";
const QUOTER: &str = "0x61fFE014bA17989E743c5F6cB21bF9697530B21e";
const ETHER: u128 = 1_000_000_000_000_000_000;

fn folder() -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/chain/minifork_12522061"));
    if !path.exists() {
        println!("SKIPPED: {} is absent, the snapshot was not compared", path.display());
    }
    path.exists().then_some(path)
}

fn snapshot(folder: &Path) -> Snapshot {
    Snapshot::parse(&std::fs::read_to_string(folder.join("pool_snapshot.json")).unwrap()).unwrap()
}

/// 1 … 9,000 ETH, and about as much in USDC.
fn cases() -> Vec<(Direction, Exact)> {
    let ethers = [1, 3, 10, 47, 100, 333, 1_000, 2_500, 5_000, 9_000];
    let sells = ethers.iter().map(|e| (Direction::OneForZero, Exact::In(e * ETHER + 7)));
    let buys = ethers.iter().map(|e| (Direction::ZeroForOne, Exact::In(e * 2_456_789_013)));
    let outs = ethers
        .iter()
        .flat_map(|e| [(Direction::OneForZero, Exact::Out(e * 2_345_678_901)), (Direction::ZeroForOne, Exact::Out(e * ETHER + 11))]);
    // Far out, where ticks lie more than a word apart: the pauses at ends of words round as well.
    let far = [
        (Direction::OneForZero, Exact::In(60_000 * ETHER)),
        (Direction::OneForZero, Exact::In(3_000_000 * ETHER + 1)),
        (Direction::OneForZero, Exact::In(u128::MAX >> 2)),
        (Direction::ZeroForOne, Exact::In(400_000_000_000_001)),
        (Direction::ZeroForOne, Exact::In(9_000_000_000_000_000_003)),
        (Direction::ZeroForOne, Exact::In(u128::MAX >> 2)),
        (Direction::OneForZero, Exact::Out(90_000_000_000_001)),
        (Direction::ZeroForOne, Exact::Out(68_000 * ETHER + 3)),
    ];
    sells.chain(buys).chain(outs).chain(far).collect()
}

/// What the bytecode says: the other amount and the root price after it. (The quoter also counts ticks, by a rule of its own
/// that can count one the swap never reached; the count is not compared.)
type Answer = (String, String);

fn ours(pool: &Pool, (direction, exact): (Direction, Exact)) -> Answer {
    let s: Swap = pool.quote(direction, exact, None).unwrap();
    let other = if matches!(exact, Exact::In(_)) { s.amount_out } else { s.amount_in };
    (other.to_string(), s.sqrt_price.to_string())
}

#[test]
fn swaps_equal_what_the_bytecode_answered() {
    let Some(folder) = folder() else { return };
    let pool = snapshot(&folder).pool;
    assert_eq!((pool.ticks().ticks().len(), pool.tick()), (454, 198_253));
    assert_eq!(EXPECTED.len(), cases().len());
    for (case, (other, price)) in cases().into_iter().zip(EXPECTED) {
        assert_eq!(ours(&pool, case), ((*other).to_owned(), (*price).to_owned()), "{case:?}");
    }
    let most = pool.quote(Direction::OneForZero, Exact::In(9_000 * ETHER), None).unwrap();
    println!("9,000 ETH cross {} initialised ticks", most.crossed);
    assert!(most.crossed >= 10, "{most:?}");
}

struct Anvil {
    child: Child,
    port: u16,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Anvil {
    fn start(state: &Path) -> Option<Self> {
        let local = concat!(env!("CARGO_MANIFEST_DIR"), "/../chain/contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for program in ["anvil", local] {
            let mut command = Command::new(program);
            command.args(["--chain-id", "1", "--prune-history", "--silent", "--port", &port.to_string(), "--load-state"]).arg(state);
            if let Ok(child) = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
                let anvil = Self { child, port };
                let start = Instant::now();
                while TcpStream::connect(("127.0.0.1", port)).is_err() {
                    assert!(start.elapsed() < Duration::from_secs(20), "anvil does not answer");
                    std::thread::sleep(Duration::from_millis(20));
                }
                return Some(anvil);
            }
        }
        println!("SKIPPED: anvil is neither on the PATH nor installed by `make tools`; only the recorded answers were compared");
        None
    }

    fn call(&self, to: &str, data: &str) -> Vec<U256> {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{{"to":"{to}","data":"0x{data}"}},"latest"]}}"#);
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n";
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, hex) = answer.split_once("\"result\":\"0x").unwrap_or_else(|| unreachable!("anvil: {answer}"));
        let hex = hex.split('"').next().unwrap();
        (0..hex.len() / 64).map(|i| U256::from_str_radix(&hex[i * 64..(i + 1) * 64], 16).unwrap()).collect()
    }

    fn quote(&self, (direction, exact): (Direction, Exact)) -> Answer {
        let (from, to) = if direction == Direction::ZeroForOne { (USDC, WETH) } else { (WETH, USDC) };
        let (selector, amount) = match exact {
            Exact::In(v) => ("c6a5026a", v),
            Exact::Out(v) => ("bd21704a", v),
        };
        let words = self.call(QUOTER, &format!("{selector}{from:0>64}{to:0>64}{amount:064x}{:064x}{:064x}", 3_000, 0));
        (words[0].to_string(), words[1].to_string())
    }
}

#[test]
fn the_real_bytecode_says_the_same() {
    let Some(folder) = folder() else { return };
    let Some(anvil) = Anvil::start(&folder.join("anvil_state.json")) else { return };
    let pool = snapshot(&folder).pool;
    for case in cases() {
        let (other, price) = anvil.quote(case);
        println!("    (\"{other}\", \"{price}\"),");
        assert_eq!(ours(&pool, case), (other, price), "{case:?}");
    }
}

#[test]
fn a_pool_pays_no_more_than_it_holds() {
    let Some(folder) = folder() else { return };
    let mut pool = snapshot(&folder).pool;
    let before = pool.clone();
    let [usdc, weth] = pool.balances();
    // To the end of the range: more than anybody has, and still no more than the pool's own tokens come out.
    let all = pool.swap(Direction::OneForZero, Exact::In(u128::MAX >> 1), None).unwrap();
    assert!(all.amount_out <= usdc && all.amount_in < u128::MAX >> 1, "{all:?}");
    let mut pool = before.clone();
    let all = pool.swap(Direction::ZeroForOne, Exact::In(u128::MAX >> 1), None).unwrap();
    assert!(all.amount_out <= weth, "{all:?}");
    // Books that hold less than the positions say: refused as the chain refuses it, and nothing moves.
    let text = std::fs::read_to_string(folder.join("pool_snapshot.json")).unwrap();
    let poor = text.replacen("\"balance0\": \"98847661397132\"", "\"balance0\": \"2449579151\"", 1);
    assert_ne!(poor, text);
    let mut poor = Snapshot::parse(&poor).unwrap().pool;
    let kept = poor.clone();
    let error = poor.swap(Direction::OneForZero, Exact::In(ETHER + 7), None).unwrap_err();
    assert_eq!((error, poor), (PoolError::CannotPay { amount: 2_449_579_152, balance: 2_449_579_151 }, kept));
    println!("taken at most: {} of {weth} wei", all.amount_out);
}

#[test]
fn broken_snapshots_are_refused_by_field() {
    let Some(folder) = folder() else { return };
    let text = std::fs::read_to_string(folder.join("pool_snapshot.json")).unwrap();
    let tick = text.find("\"-690720\"").unwrap();
    for (from, to, field) in [
        ("\"tick\": 198253", "\"tick\": 198254", "tick"),
        ("\"liquidity\": \"14846431237503112744\"", "\"liquidity\": \"14846431237503112745\"", "liquidity"),
        ("\"tick_spacing\": 60", "\"tick_spacing\": 7", "tick"),
        ("\"fee\": 3000", "\"fee\": 1000000", "fee"),
        ("\"-690720\"", "\"-690721\"", "tick"),
        ("\"balance0\": \"", "\"balance0\": \"-", "balance0"),
        ("\"sqrtPriceX96\": \"", "\"sqrtPriceX96\": \"x", "sqrtPriceX96"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let error = Snapshot::parse(&changed).unwrap_err();
        assert!(matches!(&error, PoolError::Value { field: f, .. } if *f == field), "{from}: {error}");
    }
    assert!(matches!(Snapshot::parse(&text[..tick]), Err(PoolError::Value { field: "snapshot", .. })));
}

const EXPECTED: &[(&str, &str)] = &[
    ("2449579152", "1598387767016013597031220242349884"),
    ("7348688534", "1598398408021486641102659877874742"),
    ("24495057700", "1598435651540642295352698602211747"),
    ("115112594267", "1598632510141893610674331859421631"),
    ("244877218851", "1598914496786929278567482200830383"),
    ("814809397313", "1600154173924538912890199739476405"),
    ("2441454084600", "1603717042109970755933768778177051"),
    ("6073174048436", "1611785790007060412055128147374541"),
    ("12045242954022", "1625522902270677746089535503838263"),
    ("21385684126437", "1648961796324857945023498239396542"),
    ("996928035401149118", "1598377126394580517973617793643143"),
    ("2990764197864218478", "1598366486263428500566667470589726"),
    ("9968981727333668118", "1598329246919936436127100507794431"),
    ("46848444801088301234", "1598132439212609079163876409542906"),
    ("99659964078781021099", "1597850609891809831060274449432536"),
    ("331611186736484859097", "1596619988444027717464089979833210"),
    ("993645615527617754912", "1593123072380431975253265861041322"),
    ("2471948751142315361203", "1585333255909635404286506304641313"),
    ("4904607517803575724448", "1573053173456212555306830034249573"),
    ("8741789748185418597304", "1565319557914529812711842185697625"),
    ("957584313009679729", "1598387541343234893570067799501911"),
    ("2464359463", "1598377110001003732933504169513282"),
    ("2872771252895126911", "1598397731100589505355324740061996"),
    ("7393127755", "1598366436976457048809693100782230"),
    ("9576117844217694149", "1598433396274472492734533707434392"),
    ("24644335146", "1598329081390543654376354360223549"),
    ("45013062733524995078", "1598621938636730032797304062809412"),
    ("115842685905", "1598131630436429998085849588699092"),
    ("95788658525926574621", "1598892090333092042163974733476725"),
    ("246517428115", "1597848795285942868804856267326222"),
    ("319213382860385355740", "1600080822190320211574787123924427"),
    ("821540840971", "1596612652627037974271082873124163"),
    ("960645269242900661679", "1603505795152850896666428453234755"),
    ("2472552343918", "1593089508039712850335272928539676"),
    ("2413277353973202320179", "1611318686716284058245066727318962"),
    ("6212249899695", "1585185740862498002857018301534889"),
    ("4866283795969044153875", "1624776715887257457114245898551910"),
    ("12526730680763", "1572576577928527177571277822617391"),
    ("8880755123516050668297", "1648253557681594837805913673787033"),
    ("22774714950091", "1565016960473848446011875299253736"),
    ("97368839279398", "48163941566363679328525947500800364"),
    ("97379213929584", "281560132773719761952303040514883160973"),
    ("97379214039223", "1461446703485210103287273052203988822378723970341"),
    ("68810180191180737652917", "685380002247308202089584245409"),
    ("68810187595937498885343", "47116855326654117711817"),
    ("68810187595937502058319", "4295128740"),
    ("45422088898610407771592", "2265494111328213947817619991717553"),
    ("218105898413024", "766574784574395366726445642385955"),
];
