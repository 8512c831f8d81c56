//! Keys on a Ledger: ethers' own driver over a device that is emulated below it, report by report, and a chain. No real device was at
//! hand. One test: the driver looks for devices once a process.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod device;
mod hid;

use device::Mood;
use hid::device;
use probity_chain::{ChainError, Identities, KeyPath, Sender, Signer};
use probity_tests::Anvil;
use serde_json::json;
use std::time::Duration;

const ACCOUNT: &str = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a";
const CHAIN: u64 = 31_337;
const PATIENCE: Duration = Duration::from_secs(1);

fn path() -> KeyPath {
    "m/44'/60'/0'/0/0".parse().unwrap()
}

fn said(error: &ChainError) -> String {
    assert!(matches!(error, ChainError::Signing { .. }), "{error:?}");
    error.to_string()
}

fn in_the_mood(mood: Mood) {
    device(|device| device.mood = mood);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_confirmed_on_the_device_is_sent_and_nothing_else() {
    // Nothing usable at the start: each says what to do.
    for (mood, expected) in [
        (Mood::Locked, "unlock it and open its Ethereum app"),
        (Mood::OtherApp, "unlock it and open its Ethereum app"),
        (Mood::SaysNothing, "its driver gave up on what it answered"),
    ] {
        in_the_mood(mood);
        let error = said(&Signer::ledger(&path(), PATIENCE).await.unwrap_err());
        assert!(error.contains(expected) && error.contains("the Ledger's key m/44'/60'/0'/0/0"), "{mood:?}: {error}");
        in_the_mood(Mood::Confirms);
    }
    // A path whose key the device does not give.
    let other: KeyPath = "m/44'/60'/7'".parse().unwrap();
    assert!(Signer::ledger(&other, PATIENCE).await.is_err());

    let chain = Anvil::start(&["--chain-id", "31337"]);
    chain.call("anvil_setBalance", &json!([ACCOUNT, "0x8ac7230489e80000"]));
    let signer = Signer::ledger(&path(), PATIENCE).await.unwrap();
    assert_eq!(format!("{:?}", signer.address()), ACCOUNT);
    let sender = Sender::signed_by(chain.url(), signer, CHAIN, 5).await.unwrap();
    let sent = || chain.call("eth_getTransactionCount", &json!([ACCOUNT, "pending"]));

    // A contract's bytes: dozens of commands, hundreds of reports.
    Identities::deploy(&sender).await.unwrap();
    assert_eq!((sent(), device(|d| d.signed)), (json!("0x1"), 1));

    for (mood, expected) in [
        (Mood::Declines, "it was declined on the device"),
        (Mood::NoBlindSigning, "switch on blind signing"),
        (Mood::Locked, "unlock it and open its Ethereum app"),
        (Mood::OtherApp, "unlock it and open its Ethereum app"),
        (Mood::SaysNothing, "Got 0 expected at least 65"),
        (Mood::SignsAnother, "the signature is not the account's; it is not sent"),
    ] {
        in_the_mood(mood);
        let error = said(&Identities::deploy(&sender).await.unwrap_err());
        assert!(error.contains(expected), "{mood:?}: {error}");
    }
    assert_eq!(sent(), json!("0x1"), "nothing was sent");

    // Who comes too late signs for nothing; the next one waits for its turn.
    in_the_mood(Mood::Waits);
    let error = said(&Identities::deploy(&sender).await.unwrap_err());
    assert!(error.contains("no answer after 1 s; what is confirmed from now on is not sent"), "{error}");
    let error = said(&Identities::deploy(&sender).await.unwrap_err());
    assert!(error.contains("it still shows an earlier transaction: confirm or decline it there"), "{error}");
    let before = device(|d| d.signed);
    in_the_mood(Mood::Confirms);
    Identities::deploy(&sender).await.unwrap();
    assert_eq!(device(|d| d.signed), before + 2, "the late one and this one");
    assert_eq!(sent(), json!("0x2"), "the late one was not sent");
}
