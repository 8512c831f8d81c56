//! Keys through the binary: made, imported, shown; what is refused; and that no secret is told.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use probity_tests::{binary, json, run_with};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// 32 times 0x11, and its account.
const KEY: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const ACCOUNT: &str = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a";
const PASSWORD: &str = "correct horse";

fn private(path: &Path, text: &str, mode: u32) -> String {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Both outputs as text; neither key nor password may be in them.
fn words(out: &Output) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(!text.contains(&KEY[..16]) && !text.contains(PASSWORD), "a secret is told: {text}");
    text
}

fn import(args: &[&str], typed: &str) -> Output {
    let mut child = Command::new(binary("probity").unwrap())
        .args(args)
        .env("PROBITY_LOG", "trace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_key_is_imported_shown_and_never_told() {
    let temp = tempfile::tempdir().unwrap();
    let file = |name: &str| temp.path().join(name);
    let password = private(&file("password"), &format!("{PASSWORD}\n"), 0o600);
    let keystore = file("operator.keystore.json");
    let keystore = keystore.to_str().unwrap();

    let args = ["keys", "import", "--out", keystore, "--password-file", &password, "--json"];
    let out = import(&args, KEY);
    assert_eq!(out.status.code(), Some(0), "{}", words(&out));
    assert_eq!(json(&out)["result"]["address"], ACCOUNT);
    words(&out);
    assert_eq!(std::fs::metadata(keystore).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!std::fs::read_to_string(keystore).unwrap().contains(KEY));
    // It is never written over.
    let out = import(&args, KEY);
    assert_eq!((out.status.code(), words(&out).contains("expected a new file")), (Some(2), true));

    // The settings' account is the same one; two sources are one too many.
    let env = [("PROBITY__KEYS__KEYSTORE", keystore), ("PROBITY__KEYS__PASSWORD_FILE", password.as_str()), ("PROBITY_LOG", "trace")];
    let out = run_with("probity", &["keys", "show", "--json"], &env);
    assert_eq!((out.status.code(), json(&out)["result"]["address"].as_str()), (Some(0), Some(ACCOUNT)), "{}", words(&out));
    words(&out);
    let out = run_with("probity", &["keys", "show"], &[env[0], env[1], ("PROBITY_OPERATOR_KEY", KEY)]);
    assert_eq!(out.status.code(), Some(2));
    assert!(words(&out).contains("expected one source, got keys.keystore and PROBITY_OPERATOR_KEY"), "{}", words(&out));
    let out = run_with("probity", &["keys", "show"], &[env[0], env[1], ("PROBITY__KEYS__LEDGER_PATH", "m/0")]);
    assert!(words(&out).contains("expected one source, got keys.keystore and keys.ledger_path"), "{}", words(&out));
    let out = run_with("probity", &["keys", "show"], &[("PROBITY__KEYS__LEDGER_PATH", "44'/60'")]);
    assert_eq!(out.status.code(), Some(2));
    assert!(words(&out).contains("setting keys.ledger_path") && words(&out).contains("m/44'/60'/0'/0/0"), "{}", words(&out));
    // Whatever this machine has on USB, nothing included.
    let out = run_with("probity", &["keys", "show"], &[("PROBITY__KEYS__LEDGER_PATH", "m/44'/60'/0'/0/0")]);
    assert!(words(&out).contains("asking the Ledger for m/44'/60'/0'/0/0") && !words(&out).contains("panicked"), "{}", words(&out));
    let out = run_with("probity", &["config", "show"], &env);
    assert_eq!(out.status.code(), Some(0));
    words(&out);

    // Another password, one that others can read, and none.
    let wrong = private(&file("wrong"), "battery staple", 0o600);
    let out = run_with("probity", &["keys", "show", keystore, "--password-file", &wrong], &[]);
    assert_eq!(out.status.code(), Some(2));
    assert!(
        words(&out).contains("key file's password: expected the one it was made with") && !words(&out).contains("staple"),
        "{}",
        words(&out)
    );
    let open = private(&file("open"), PASSWORD, 0o644);
    let out = run_with("probity", &["keys", "show", keystore, "--password-file", &open], &[]);
    assert_eq!(out.status.code(), Some(2));
    assert!(words(&out).contains("expected mode 0600, got 0644"), "{}", words(&out));
    let out = import(&["keys", "show", keystore], "");
    assert_eq!(out.status.code(), Some(2));
    assert!(words(&out).contains("there is no terminal to ask on") && words(&out).contains("PROBITY_KEYSTORE_PASSWORD"), "{}", words(&out));
}

#[test]
fn what_is_no_key_and_no_password_is_refused_without_being_told() {
    let temp = tempfile::tempdir().unwrap();
    let out_file = temp.path().join("k.json");
    let args = ["keys", "import", "--out", out_file.to_str().unwrap()];
    let short = private(&temp.path().join("short"), "1234567", 0o600);
    for (key, password_file, expected) in [
        (&KEY[2..], None, "operator key: expected 32 bytes hex"),
        (&"00".repeat(32)[..], None, "operator key: expected 32 bytes hex"),
        (KEY, Some(&short), "password: expected 8 characters or more"),
        (KEY, None, "there is no terminal to ask on"),
    ] {
        let more = password_file.map_or(vec![], |file| vec!["--password-file", file.as_str()]);
        let out = import(&[&args[..], &more].concat(), key);
        assert_eq!(out.status.code(), Some(2));
        assert!(words(&out).contains(expected), "{}", words(&out));
        assert!(!out_file.exists());
    }
    // A fresh key is another one each time.
    let password = private(&temp.path().join("password"), PASSWORD, 0o600);
    let fresh = |name: &str| {
        let path = temp.path().join(name);
        let out = run_with("probity", &["keys", "new", "--out", path.to_str().unwrap(), "--password-file", &password, "--json"], &[]);
        assert_eq!(out.status.code(), Some(0), "{}", words(&out));
        json(&out)["result"]["address"].as_str().unwrap().to_owned()
    };
    assert_ne!(fresh("a.json"), fresh("b.json"));
}
