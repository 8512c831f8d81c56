//! Puts the verifier's WebAssembly module, script and style into one static HTML file: `make page`.
//!
//! `cargo run --release -p probity-page --example assemble -- MODULE.wasm OUT.html`. The page's policy names its own script by digest, so a
//! page whose script was changed does not run it.
#![expect(clippy::print_stdout, reason = "a build step")]

use sha2::{Digest, Sha256};
use std::io::Write;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 4 / 3 + 4);
    for three in bytes.chunks(3) {
        let word = three.iter().enumerate().fold(0u32, |w, (i, b)| w | u32::from(*b) << (16 - 8 * i));
        for place in 0..4 {
            let digit = usize::try_from(word >> (18 - 6 * place) & 63).unwrap_or(0);
            out.push(if place > three.len() { '=' } else { char::from(DIGITS[digit]) });
        }
    }
    out
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [module, out] = words.as_slice() else { return Err("usage: assemble MODULE.wasm OUT.html".into()) };
    let module = std::fs::read(module).map_err(|e| format!("{module}: {e}"))?;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&module)?;
    // A closing tag inside a script would end it.
    let text = |t: &str| serde_json::to_string(t).map(|t| t.replace("</", "<\\/"));
    let script = include_str!("../web/page.js")
        .replace("{{WORKER}}", &text(include_str!("../web/worker.js"))?)
        .replace("{{STYLE_TEXT}}", &text(probity_verifier::STORY_STYLE)?)
        .replace("{{MODULE}}", &base64(&packer.finish()?));
    let page = include_str!("../web/page.html")
        .replace("{{STYLE}}", probity_verifier::STORY_STYLE)
        .replace("{{VERSION}}", env!("CARGO_PKG_VERSION"))
        .replace("{{HASH}}", &base64(&Sha256::digest(&script)))
        .replace("{{SCRIPT}}", &script);
    if ["STYLE", "VERSION", "HASH", "SCRIPT", "MODULE", "WORKER", "STYLE_TEXT"].iter().any(|name| page.contains(&format!("{{{{{name}}}}}")))
    {
        return Err("a placeholder was left".into());
    }
    if let Some(folder) = std::path::Path::new(out).parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(out, &page)?;
    println!("{out}: {} bytes, module {} bytes, sha256 of the page {:x}", page.len(), module.len(), Sha256::digest(&page));
    Ok(())
}
