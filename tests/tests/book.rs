//! The book: every page is in its summary, every link leads somewhere, and its commands do what it says.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and says loudly that it skips")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn pages() -> Vec<(PathBuf, String)> {
    let docs = probity_tests::root().join("docs");
    let mut folders = vec![docs.clone()];
    let mut out = vec![docs.join("SUMMARY.md")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") && path != out[0] {
                out.push(path);
            }
        }
    }
    out.into_iter().map(|p| (p.clone(), std::fs::read_to_string(p).unwrap())).collect()
}

/// Targets of inline links and pictures, without anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(|t| t.split('#').next().unwrap_or(t))
}

#[test]
fn every_link_leads_somewhere_and_every_page_is_listed() {
    let (docs, all) = (probity_tests::root().join("docs"), pages());
    let summary = &all[0].1;
    for (path, text) in &all {
        let folder = path.parent().unwrap();
        for target in links(text).filter(|t| !t.is_empty() && !t.contains("://")) {
            assert!(folder.join(target).exists(), "{}: {target} is not there", path.display());
        }
        if path != &all[0].0 {
            let name = format!("({})", path.strip_prefix(&docs).unwrap().display());
            assert!(summary.contains(&name), "{name} is not in SUMMARY.md");
        }
    }
    for picture in std::fs::read_dir(probity_tests::root().join("docs/book/pictures")).unwrap() {
        let text = std::fs::read_to_string(picture.unwrap().path()).unwrap();
        assert!(text.contains("role=\"img\"") && text.contains("<title") && text.contains("<desc"));
    }
}

#[test]
fn the_verifiers_packages_are_the_listed_ones() {
    let root = probity_tests::root();
    let out = Command::new("cargo")
        .args(["tree", "-p", "probity-verifier", "-e", "normal", "--prefix", "none", "--format", "{p}", "--offline"])
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let used: BTreeSet<&str> = text.lines().filter_map(|l| l.split_whitespace().next()).filter(|n| *n != "probity-verifier").collect();
    let page = std::fs::read_to_string(root.join("docs/book/verifier.md")).unwrap();
    let list = page.split("## Everything").nth(1).unwrap().split("\n## ").next().unwrap();
    let listed: BTreeSet<&str> = list.split('`').skip(1).step_by(2).collect();
    assert_eq!(used, listed, "docs/book/verifier.md");
}

/// `$` lines of `console` blocks, each with its expected exit status (`? N` below it, else 0).
fn commands(text: &str) -> Vec<(String, i32)> {
    let mut out: Vec<(String, i32)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if inside => match (line.strip_prefix("$ "), line.strip_prefix("? "), out.last_mut()) {
                (Some(command), ..) => out.push((command.to_owned(), 0)),
                (None, Some(status), Some(last)) => last.1 = status.parse().unwrap(),
                _ => {}
            },
            _ => {}
        }
    }
    out
}

#[test]
fn the_commands_of_the_book_run() {
    let mut count = 0;
    for (path, text) in pages() {
        for (command, status) in commands(&text) {
            let mut words = command.split_whitespace();
            let name = words.next().unwrap();
            let program = match name {
                "python3" => PathBuf::from(name),
                // The self-test has a test of its own beside the verifier.
                "probity-verify" if command.ends_with("selftest") => continue,
                other => probity_tests::binary(other).unwrap(),
            };
            let out = match Command::new(&program).args(words).current_dir(probity_tests::root()).output() {
                Ok(out) => out,
                Err(e) if name == "python3" && e.kind() == std::io::ErrorKind::NotFound => {
                    eprintln!("SKIPPED: no python3 on PATH, {command} was not run");
                    continue;
                }
                Err(e) => unreachable!("{}: {e}", Path::new(name).display()),
            };
            let said = String::from_utf8_lossy(&out.stderr);
            assert_eq!(out.status.code(), Some(status), "{}: {command}\n{said}", path.display());
            count += 1;
        }
    }
    assert!(count >= 6, "{count} commands");
}
