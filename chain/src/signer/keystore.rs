//! An encrypted key file: Web3 Secret Storage, version 3, as geth, clef and every wallet write it.
//!
//! The file is checked before any work is done for it: parameters that would take the memory or the day are refused. What is
//! derived on the way is overwritten afterwards. Why not the library's own: `docs/decisions/0008-keystore.md`.

use crate::ChainError;
use crate::signer::{Kind, Signer};
use aes::cipher::{KeyIvInit, StreamCipher};
use ethers::signers::Signer as _;
use ethers::types::Address;
use ethers::utils::keccak256;
use hmac::Hmac;
use rand_core::{OsRng, RngCore};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::path::Path;
use zeroize::Zeroizing;

type Cipher = ctr::Ctr128BE<aes::Aes128>;

/// The most that a file's scrypt may take, bytes (geth's standard takes 256 MiB).
const MAX_MEMORY: u64 = 1 << 30;
/// The most rounds of a file's PBKDF2.
const MAX_ROUNDS: u32 = 10_000_000;
/// A key file is small; anything longer is something else.
const MAX_FILE: u64 = 1 << 16;
/// Bytes of the derived key: half encrypts, half authenticates.
const DERIVED: usize = 32;

/// What guessing one password costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// geth's standard: 256 MiB and about a second.
    Standard,
    /// geth's light one: 4 MiB. For passwords that are random anyway.
    Light,
}

impl Cost {
    const fn n_r_p(self) -> (u64, u32, u32) {
        match self {
            Self::Standard => (1 << 18, 8, 1),
            Self::Light => (1 << 12, 8, 6),
        }
    }
}

/// A key file: nothing in it is secret as long as its password is good.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Keystore {
    version: u8,
    #[serde(default)]
    id: String,
    /// What the file says; known only once it is unlocked. Some wallets leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: String,
    kdf: String,
    kdfparams: KdfParams,
    mac: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum KdfParams {
    Scrypt { dklen: u32, n: u64, r: u32, p: u32, salt: String },
    Pbkdf2 { dklen: u32, c: u32, prf: String, salt: String },
}

impl Keystore {
    /// Encrypts an account's key; none if the account's key is not in this process.
    pub fn seal(signer: &Signer, password: &str, cost: Cost) -> Result<Self, ChainError> {
        let Kind::Local(wallet) = &signer.0 else {
            return Err(ChainError::value("key", "one in this process", "an account of a signing service"));
        };
        let (mut salt, mut iv, mut id) = ([0u8; 32], [0u8; 16], [0u8; 16]);
        for bytes in [&mut salt[..], &mut iv[..], &mut id[..]] {
            OsRng.fill_bytes(bytes);
        }
        let (n, r, p) = cost.n_r_p();
        let kdfparams = KdfParams::Scrypt { dklen: 32, n, r, p, salt: hex::encode(salt) };
        let derived = kdfparams.derive("scrypt", password)?;
        let mut text = Zeroizing::new(<[u8; 32]>::from(wallet.signer().to_bytes()));
        apply(&derived, &iv, text.as_mut());
        Ok(Self {
            version: 3,
            id: uuid(id),
            address: Some(hex::encode(wallet.address())),
            crypto: Crypto {
                cipher: "aes-128-ctr".into(),
                cipherparams: CipherParams { iv: hex::encode(iv) },
                ciphertext: hex::encode(*text),
                kdf: "scrypt".into(),
                kdfparams,
                mac: hex::encode(mac(&derived, text.as_ref())),
            },
        })
    }

    /// Reads a key file.
    pub fn read(path: &Path) -> Result<Self, ChainError> {
        let fail = |reason: String| ChainError::Keystore { file: path.display().to_string(), reason };
        let length = std::fs::metadata(path).map_err(|e| fail(e.to_string()))?.len();
        if length > MAX_FILE {
            return Err(fail(format!("expected at most {MAX_FILE} bytes, got {length}")));
        }
        let text = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
        Self::parse(&text).map_err(fail)
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let expected = "expected an encrypted key in Web3 Secret Storage format, version 3";
        // A raw key by mistake must not be quoted.
        let file: Self =
            serde_json::from_slice(text).map_err(|e| format!("{expected} (stopped at line {}, column {})", e.line(), e.column()))?;
        if file.version != 3 {
            return Err(format!("version: expected 3, got {}", file.version));
        }
        if file.crypto.cipher != "aes-128-ctr" {
            return Err("crypto.cipher: expected aes-128-ctr".into());
        }
        Ok(file)
    }

    /// The file's text.
    pub fn text(&self) -> Result<String, ChainError> {
        serde_json::to_string_pretty(self).map_err(|e| ChainError::value("key file", "one that can be written", e))
    }

    /// The account as the file names it, if it does.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        self.address.as_ref()?.parse().ok()
    }

    /// Decrypts the key. Takes the memory and the time that the file asks for: about a second.
    pub fn unlock(&self, password: &str) -> Result<Signer, ChainError> {
        let signer = self.decrypt(password)?;
        match self.address() {
            Some(named) if named != signer.address() => {
                Err(ChainError::value("key file's address", format!("{:?}, the key's", signer.address()), format!("{named:?}")))
            }
            _ => Ok(signer),
        }
    }

    fn decrypt(&self, password: &str) -> Result<Signer, ChainError> {
        let c = &self.crypto;
        let iv: [u8; 16] = bytes("crypto.cipherparams.iv", &c.cipherparams.iv)?;
        let mut text = Zeroizing::new(bytes::<32>("crypto.ciphertext", &c.ciphertext)?);
        let expected: [u8; 32] = bytes("crypto.mac", &c.mac)?;
        let derived = c.kdfparams.derive(&c.kdf, password)?;
        if mac(&derived, text.as_ref()) != expected {
            return Err(ChainError::value("key file's password", "the one it was made with", "another one, or the file is damaged"));
        }
        apply(&derived, &iv, text.as_mut());
        let wallet = ethers::signers::LocalWallet::from_bytes(text.as_ref());
        wallet.map(Signer::local).map_err(|_| ChainError::value("key file", "a private key", "a number that is none"))
    }
}

impl KdfParams {
    fn derive(&self, kdf: &str, password: &str) -> Result<Zeroizing<[u8; DERIVED]>, ChainError> {
        let mut out = Zeroizing::new([0u8; DERIVED]);
        let bad = |what: String| ChainError::value("crypto.kdfparams", "a key of 32 bytes at a cost that can be borne", what);
        let salt = |text: &str| hex::decode(text).map_err(|_| ChainError::value("crypto.kdfparams.salt", "hex", "something else"));
        match (self, kdf) {
            (Self::Scrypt { dklen: 32, n, r, p, salt: text }, "scrypt") => {
                let memory = n.checked_mul(u64::from(*r)).and_then(|m| m.checked_mul(128));
                if !n.is_power_of_two() || *n < 2 || memory.is_none_or(|m| m > MAX_MEMORY) || *p == 0 || *p > 16 {
                    return Err(bad(format!("n = {n}, r = {r}, p = {p}")));
                }
                let log_n = u8::try_from(n.trailing_zeros()).unwrap_or(u8::MAX);
                let params = scrypt::Params::new(log_n, *r, *p).map_err(|_| bad(format!("n = {n}, r = {r}, p = {p}")))?;
                scrypt::scrypt(password.as_bytes(), &salt(text)?, &params, out.as_mut()).map_err(|_| bad("no length".into()))?;
            }
            (Self::Pbkdf2 { dklen: 32, c, prf, salt: text }, "pbkdf2") if prf == "hmac-sha256" => {
                if !(1..=MAX_ROUNDS).contains(c) {
                    return Err(bad(format!("c = {c}")));
                }
                pbkdf2::pbkdf2::<Hmac<Sha256>>(password.as_bytes(), &salt(text)?, *c, out.as_mut());
            }
            _ => return Err(bad(format!("{kdf} with parameters of another kind, length or function"))),
        }
        Ok(out)
    }
}

fn bytes<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], ChainError> {
    let decoded = hex::decode(text).ok().and_then(|bytes| <[u8; N]>::try_from(bytes).ok());
    decoded.ok_or_else(|| ChainError::value(field, format!("{N} bytes hex"), "something else"))
}

/// Encrypts or decrypts in place.
fn apply(derived: &[u8; DERIVED], iv: &[u8; 16], text: &mut [u8]) {
    let mut key = Zeroizing::new([0u8; 16]);
    key.copy_from_slice(&derived[..16]);
    Cipher::new((&*key).into(), iv.into()).apply_keystream(text);
}

fn mac(derived: &[u8; DERIVED], text: &[u8]) -> [u8; 32] {
    let joined = Zeroizing::new([&derived[16..], text].concat());
    keccak256(joined.as_slice())
}

/// A random UUID's text.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let h = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Cost, Keystore};
    use crate::ChainError;
    use crate::signer::Signer;
    use ethers::signers::{LocalWallet, Signer as _};

    /// The two examples of the format's definition; both hold the same key under "testpassword".
    const PBKDF2: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2",
        "kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
        "mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
    const KEY: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

    #[test]
    fn the_definitions_example_opens() {
        let file = Keystore::parse(PBKDF2.as_bytes()).unwrap();
        assert_eq!(file.unlock("testpassword").unwrap().address(), Signer::from_key(KEY).unwrap().address());
        assert!(matches!(file.unlock("testpasswore"), Err(ChainError::Value { field: "key file's password", .. })));
    }

    #[test]
    fn files_pass_both_ways_between_this_and_the_library() {
        let dir = tempfile::tempdir().unwrap();
        let account = Signer::from_key(KEY).unwrap();
        let ours = dir.path().join("ours.json");
        std::fs::write(&ours, Keystore::seal(&account, "pass wörd", Cost::Light).unwrap().text().unwrap()).unwrap();
        assert_eq!(LocalWallet::decrypt_keystore(&ours, "pass wörd").unwrap().address(), account.address());
        assert_eq!(Keystore::read(&ours).unwrap().address(), Some(account.address()));
        let key = hex::decode(KEY).unwrap();
        LocalWallet::encrypt_keystore(dir.path(), &mut rand_core::OsRng, key, "pass wörd", Some("theirs.json")).unwrap();
        let theirs = Keystore::read(&dir.path().join("theirs.json")).unwrap();
        assert_eq!(theirs.unlock("pass wörd").unwrap().address(), account.address());
    }

    #[test]
    fn every_part_that_is_spoiled_is_refused_with_its_name_and_without_work_or_secret() {
        let good: serde_json::Value =
            serde_json::to_value(Keystore::seal(&Signer::from_key(KEY).unwrap(), "password", Cost::Light).unwrap()).unwrap();
        let refused = |pointer: &str, value: serde_json::Value, expected: &str| {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).unwrap() = value;
            let text = match Keystore::parse(bad.to_string().as_bytes()) {
                Err(text) => text,
                Ok(file) => file.unlock("password").unwrap_err().to_string(),
            };
            assert!(text.contains(expected) && !text.contains(KEY), "{pointer}: {text}");
        };
        refused("/version", 4.into(), "version: expected 3");
        refused("/crypto/cipher", "aes-128-cbc".into(), "crypto.cipher");
        refused("/crypto/cipherparams/iv", "00".into(), "crypto.cipherparams.iv: expected 16 bytes");
        refused("/crypto/ciphertext", KEY[2..].into(), "crypto.ciphertext: expected 32 bytes");
        refused("/crypto/ciphertext", KEY.into(), "key file's password");
        refused("/crypto/mac", "zz".into(), "crypto.mac");
        refused("/crypto/kdf", "pbkdf2".into(), "crypto.kdfparams");
        refused("/crypto/kdfparams/dklen", 16.into(), "crypto.kdfparams");
        refused("/crypto/kdfparams/n", 4095.into(), "n = 4095");
        refused("/crypto/kdfparams/n", (1u64 << 40).into(), "n = 1099511627776");
        refused("/crypto/kdfparams/n", 0.into(), "n = 0");
        refused("/crypto/kdfparams/r", u32::MAX.into(), "r = 4294967295");
        refused("/crypto/kdfparams/r", 0.into(), "r = 0");
        refused("/crypto/kdfparams/p", 1_000_000.into(), "p = 1000000");
        refused("/crypto/kdfparams/salt", "x".into(), "crypto.kdfparams.salt");
        refused("/address", "00".repeat(20).into(), "key file's address");
        // A raw key in place of a file is not quoted back.
        for raw in [KEY.to_owned(), format!("\"{KEY}\"")] {
            let text = Keystore::parse(raw.as_bytes()).unwrap_err();
            assert!(text.contains("Web3 Secret Storage") && !text.contains(&KEY[..12]), "{text}");
        }
    }
}
