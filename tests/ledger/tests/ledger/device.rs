//! The Ethereum app of an emulated Ledger: reports of 64 bytes in, reports out. One key, no screen: its mood stands for its owner.
//!
//! By Ledger's own documents: the framing is that of the HID transport, the commands are those of app-ethereum (`ethapp.adoc`).

use k256::ecdsa::SigningKey;
use sha3::{Digest, Keccak256};
use std::collections::VecDeque;

/// Bytes of a report.
pub(crate) const REPORT: usize = 64;
/// `m/44'/60'/0'/0/0`, as the app takes it: how many steps, and each.
const PATH: [u8; 21] = [5, 0x80, 0, 0, 44, 0x80, 0, 0, 60, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const CHANNEL: [u8; 2] = [1, 1];
const TAG: u8 = 5;
const DONE: u16 = 0x9000;

/// What the device, or who holds it, does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Confirms,
    Declines,
    Locked,
    OtherApp,
    NoBlindSigning,
    /// Signs other bytes than it was given.
    SignsAnother,
    /// Says that all is well, and nothing else.
    SaysNothing,
    /// Shows the transaction and waits.
    Waits,
}

/// The device.
pub(crate) struct Device {
    key: SigningKey,
    pub(crate) mood: Mood,
    pub(crate) signed: u32,
    message: Vec<u8>,
    transaction: Vec<u8>,
    answers: VecDeque<[u8; REPORT]>,
}

impl Device {
    pub(crate) fn new() -> Self {
        Self {
            key: SigningKey::from_slice(&[0x11; 32]).unwrap(),
            mood: Mood::Confirms,
            signed: 0,
            message: Vec::new(),
            transaction: Vec::new(),
            answers: VecDeque::new(),
        }
    }

    /// Takes a report; with the last one of a command, the answer is ready.
    pub(crate) fn take(&mut self, report: &[u8]) {
        assert_eq!((report.len(), &report[..2], report[2]), (REPORT, &CHANNEL[..], TAG));
        let index = usize::from(u16::from_be_bytes([report[3], report[4]]));
        if index == 0 {
            self.message.clear();
        }
        assert_eq!(self.message.len(), index * (REPORT - 5), "reports in their order");
        self.message.extend_from_slice(&report[5..]);
        let length = usize::from(u16::from_be_bytes([self.message[0], self.message[1]]));
        if self.message.len() >= length + 2 {
            let command = self.message[2..length + 2].to_vec();
            self.run(&command);
        }
    }

    /// The next report of an answer, if the device has one and does not wait for its owner.
    pub(crate) fn give(&mut self) -> Option<[u8; REPORT]> {
        if self.mood == Mood::Waits { None } else { self.answers.pop_front() }
    }

    fn run(&mut self, command: &[u8]) {
        let [0xe0, ins, p1, 0, length, data @ ..] = command else { panic!("expected a command, got {command:02x?}") };
        assert_eq!(usize::from(*length), data.len());
        match (self.mood, ins) {
            (Mood::Locked, _) => self.answer(&[], 0x5515),
            (Mood::OtherApp, _) => self.answer(&[], 0x6d00),
            (Mood::SaysNothing, _) => self.answer(&[], DONE),
            (_, 0x02) if *data == PATH => self.tell_address(),
            (_, 0x04) => self.part(*p1, data),
            _ => self.answer(&[], 0x6a80),
        }
    }

    fn tell_address(&mut self) {
        let point = self.key.verifying_key().to_encoded_point(false);
        let hash = Keccak256::digest(&point.as_bytes()[1..]);
        let address: String = hash[12..].iter().map(|byte| format!("{byte:02x}")).collect();
        let told = [&[65][..], point.as_bytes(), &[40], address.as_bytes()].concat();
        self.answer(&told, DONE);
    }

    /// A part of a transaction, the first one behind the path; with the last one it is shown.
    fn part(&mut self, p1: u8, data: &[u8]) {
        if p1 == 0 {
            let Some(rest) = data.strip_prefix(&PATH) else { return self.answer(&[], 0x6a80) };
            self.transaction = rest.to_vec();
        } else {
            self.transaction.extend_from_slice(data);
        }
        match whole(&self.transaction) {
            Some(length) if self.transaction.len() >= length => {
                assert_eq!(self.transaction.len(), length, "nothing behind the transaction");
                self.confirm();
            }
            _ => self.answer(&[], DONE),
        }
    }

    fn confirm(&mut self) {
        let mut shown = std::mem::take(&mut self.transaction);
        match self.mood {
            Mood::Declines => return self.answer(&[], 0x6985),
            Mood::NoBlindSigning => return self.answer(&[], 0x6a80),
            Mood::SignsAnother => shown[8] ^= 1,
            _ => {}
        }
        let (signature, parity) = self.key.sign_prehash_recoverable(&Keccak256::digest(&shown)).unwrap();
        self.signed += 1;
        let told = [&[parity.to_byte()][..], &signature.to_bytes()].concat();
        self.answer(&told, DONE);
    }

    fn answer(&mut self, data: &[u8], status: u16) {
        let said = [data, &status.to_be_bytes()].concat();
        let length = u16::try_from(said.len()).unwrap().to_be_bytes();
        for (index, part) in [&length[..], &said].concat().chunks(REPORT - 5).enumerate() {
            let mut report = [0; REPORT];
            report[..2].copy_from_slice(&CHANNEL);
            report[2] = TAG;
            report[3..5].copy_from_slice(&u16::try_from(index).unwrap().to_be_bytes());
            report[5..5 + part.len()].copy_from_slice(part);
            self.answers.push_back(report);
        }
    }
}

/// Length of a transaction of type 2 by its first bytes; `None` while they are too few.
fn whole(bytes: &[u8]) -> Option<usize> {
    let (kind, list) = bytes.split_first()?;
    assert_eq!(*kind, 2, "an EIP-1559 transaction");
    match *list.first()? {
        short @ 0xc0..=0xf7 => Some(2 + usize::from(short - 0xc0)),
        long @ 0xf8.. => {
            let width = usize::from(long - 0xf7);
            let length = list.get(1..=width)?.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
            Some(2 + width + length)
        }
        other => panic!("expected a list, got {other:02x}"),
    }
}
