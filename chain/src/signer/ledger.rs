//! A Ledger on USB, by ethers' own driver. Its owner confirms every transaction on the device.
//!
//! The driver waits for hours and can panic on what a device answers, so it is asked from threads of its own: an answer that is late,
//! unknown or none is an error here, and a signature that comes after its time goes nowhere.

use super::signed;
use crate::ChainError;
use ethers::signers::{HDPath, Ledger as Device, LedgerError, Signer as _};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Address, Bytes};
use std::future::Future;
use std::sync::{Arc, Once};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

/// Steps that a path may have: the Ethereum app takes no more.
const MOST_STEPS: usize = 10;
/// Above this an index is written with an apostrophe.
const HARDENED: u32 = 1 << 31;
/// Only what names no chain itself would be signed for this one: nothing of ours.
const NO_CHAIN: u64 = 1;

/// Name of the threads that ask the driver.
const ASKING: &str = "ledger";

/// Which key of the device: a BIP-32 path, as `m/44'/60'/0'/0/0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPath(String);

impl std::str::FromStr for KeyPath {
    type Err = ChainError;

    fn from_str(text: &str) -> Result<Self, ChainError> {
        let steps: Vec<&str> = text.split('/').collect();
        let is_index = |step: &str| {
            let digits = step.strip_suffix('\'').unwrap_or(step);
            digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u32>().is_ok_and(|index| index < HARDENED)
        };
        match steps.split_first() {
            Some((&"m", rest)) if (1..=MOST_STEPS).contains(&rest.len()) && rest.iter().all(|step| is_index(step)) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(ChainError::value("path of the Ledger's key", "a BIP-32 path as m/44'/60'/0'/0/0", text)),
        }
    }
}

impl std::fmt::Display for KeyPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) struct Ledger {
    device: Arc<Device>,
    path: KeyPath,
    account: Address,
    patience: Duration,
    /// Held until the device has answered, also by a question whose asker has gone.
    turn: Arc<Mutex<()>>,
}

impl Ledger {
    pub(super) async fn open(path: &KeyPath, patience: Duration) -> Result<Self, ChainError> {
        let turn = Arc::new(Mutex::new(()));
        let wanted = HDPath::Other(path.0.clone());
        let opened = asked(turn.clone().lock_owned().await, patience, async move { Device::new(wanted, NO_CHAIN).await });
        let device = opened.await.map_err(|reason| failed(path, reason))?;
        Ok(Self { account: device.address(), device: Arc::new(device), path: path.clone(), patience, turn })
    }

    pub(super) const fn account(&self) -> Address {
        self.account
    }

    pub(super) async fn sign(&self, tx: &TypedTransaction) -> Result<Bytes, ChainError> {
        let fail = |reason: String| failed(&self.path, reason);
        if tx.as_eip1559_ref().is_none() || tx.chain_id().is_none() {
            return Err(fail("expected an EIP-1559 transaction that names its chain".into()));
        }
        let Ok(turn) = tokio::time::timeout(self.patience, self.turn.clone().lock_owned()).await else {
            return Err(fail("it still shows an earlier transaction: confirm or decline it there".into()));
        };
        let (device, wanted) = (self.device.clone(), tx.clone());
        let signature = asked(turn, self.patience, async move { device.sign_tx(&wanted).await }).await.map_err(fail)?;
        let raw = tx.rlp_signed(&signature);
        signed::check(tx, self.account, &raw).map_err(|reason| fail(format!("{reason}; it is not sent")))?;
        Ok(raw)
    }
}

/// What the device answers, or why there is no answer. The turn is given back when it has answered.
async fn asked<T, Q>(turn: OwnedMutexGuard<()>, patience: Duration, question: Q) -> Result<T, String>
where
    T: Send + 'static,
    Q: Future<Output = Result<T, LedgerError>> + Send + 'static,
{
    hush();
    let (tell, told) = oneshot::channel();
    let runtime = Handle::current();
    // Not one of the runtime's own threads: it would wait for the device when the program ends.
    let asking = std::thread::Builder::new().name(ASKING.to_owned()).spawn(move || {
        let answer = runtime.block_on(question);
        drop(turn);
        // Nobody listens any more if it came too late.
        tell.send(answer).ok();
    });
    asking.map_err(|e| format!("no thread to ask it from: {e}"))?;
    match tokio::time::timeout(patience, told).await {
        Ok(Ok(answer)) => answer.map_err(|error| in_words(&error)),
        Ok(Err(_)) => Err("its driver gave up on what it answered, or on USB itself (is there USB on this machine?)".into()),
        Err(_) => Err(format!("no answer after {} s; what is confirmed from now on is not sent", patience.as_secs())),
    }
}

/// A panic of the driver is told as an error, once, and not printed as well; every other panic is printed as before.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name() != Some(ASKING) {
                print(panic);
            }
        }));
    });
}

/// The driver's errors, and what to do about the usual ones.
fn in_words(error: &LedgerError) -> String {
    let text = error.to_string();
    let hint = if text.contains("not found") {
        "plug it in and unlock it (on Linux the account needs Ledger's udev rules), then start again"
    } else if text.contains("6985") {
        "it was declined on the device"
    } else if text.contains("6a80") {
        "switch on blind signing in the device's Ethereum app: a contract's call data cannot be shown in words"
    } else if text.contains("found none") || text.contains("6d00") || text.contains("6e00") || text.contains("6804") {
        "unlock it and open its Ethereum app"
    } else {
        return text;
    };
    format!("{text}: {hint}")
}

fn failed(path: &KeyPath, reason: String) -> ChainError {
    ChainError::Signing { signer: format!("the Ledger's key {path}"), reason }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::KeyPath;

    #[test]
    fn a_path_is_taken_whole_or_refused() {
        for good in ["m/44'/60'/0'/0/0", "m/0", "m/2147483647'", "m/1/2/3/4/5/6/7/8/9/10"] {
            assert_eq!(good.parse::<KeyPath>().unwrap().to_string(), good);
        }
        for bad in
            ["", "m", "m/", "44'/60'", "m/44h", "m/-1", "m/+1", "m/2147483648", "m/1''", "m/'", "m/1/2/3/4/5/6/7/8/9/10/11", "m/ 1", "M/1"]
        {
            let said = bad.parse::<KeyPath>().unwrap_err().to_string();
            assert!(said.contains("expected a BIP-32 path as m/44'/60'/0'/0/0"), "{bad}: {said}");
        }
    }
}
