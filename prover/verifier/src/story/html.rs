//! The report as HTML. Every text that came from outside goes through [`escape`].

use super::limits::terms;
use super::text::{amount, escape, grouped, percent, span, utc};
use super::track::Performance;
use super::{STORY_STYLE, Story, svg};
use crate::{Finding, Header, Origin, Severity, Verdict};
use std::fmt::Write as _;

/// Most findings a page shows of one severity; the JSON holds all.
const MAX_SHOWN: usize = 200;

/// The whole page.
pub(crate) fn page(story: &Story) -> String {
    let vault = story.header.as_ref().map_or_else(String::new, |h| format!(" of {}", escape(&h.mandate.vault)));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>{}: audit{vault}</title><style>{STORY_STYLE}</style></head><body><main>{}</main></body></html>\n",
        word(story.report.verdict),
        section(story)
    )
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "Accepted",
        Verdict::Rejected => "Rejected",
        Verdict::Undecided => "Could not tell",
    }
}

/// The inside.
pub(crate) fn section(story: &Story) -> String {
    let mut out = String::new();
    verdict(story, &mut out);
    statement(story, &mut out);
    since(story, &mut out);
    coverage(story, &mut out);
    findings(story, &mut out);
    if let Some(p) = &story.performance {
        performance(story, p, &mut out);
    }
    if let Some(header) = &story.header {
        mandate(story, header, &mut out);
    }
    origins(story, &mut out);
    out
}

fn verdict(story: &Story, out: &mut String) {
    let report = &story.report;
    let class = match report.verdict {
        Verdict::Accepted => "accepted",
        Verdict::Rejected => "rejected",
        Verdict::Undecided => "undecided",
    };
    let count = |severity| report.findings.iter().filter(|f| f.severity == severity).count();
    let c = &report.coverage;
    let words = match report.verdict {
        Verdict::Accepted if c.proven == c.decisions => {
            format!("Every one of the {} decisions in this log is proven, and nothing contradicts anything.", grouped(c.decisions.into()))
        }
        Verdict::Accepted => format!(
            "{} of {} decisions are proven; the rest is not contradicted, and not proven either.",
            grouped(c.proven.into()),
            grouped(c.decisions.into())
        ),
        Verdict::Rejected => format!(
            "Log, mandate and proof contradict each other in {} places. Nothing in this log should be relied on before they are explained.",
            count(Severity::Error)
        ),
        Verdict::Undecided => "The audit could not be carried out. That says nothing about the agent, good or bad.".to_owned(),
    };
    let _ = write!(
        out,
        "<h1>Audit of a trading agent</h1><div class=\"verdict {class}\" role=\"status\"><strong>{}</strong>{words}</div>",
        word(report.verdict)
    );
    if let Some(Origin::Insecure { name, .. }) = &report.parameters {
        let _ = write!(
            out,
            "<p><span class=\"tag warn\">insecure parameters</span> The proof was checked under parameters named insecure ({}): their maker can prove anything.</p>",
            escape(name)
        );
    }
}

fn list(out: &mut String, items: impl IntoIterator<Item = impl AsRef<str>>) {
    out.push_str("<ul>");
    for item in items {
        let _ = write!(out, "<li>{}</li>", escape(item.as_ref()));
    }
    out.push_str("</ul>");
}

fn statement(story: &Story, out: &mut String) {
    out.push_str("<h2>What this shows, and what not</h2><div class=\"two\"><div class=\"card\"><h3>Shown</h3>");
    match &story.report.statement {
        Some(statement) => list(out, &statement.shows),
        None => out.push_str("<p>Nothing: a statement stands only when the audit accepts a proof.</p>"),
    }
    out.push_str("</div><div class=\"card\"><h3>Not shown</h3>");
    match &story.report.statement {
        Some(statement) => list(out, &statement.does_not_show),
        None => out.push_str("<p>Everything is open.</p>"),
    }
    out.push_str("</div></div><h3>What this audit did not check</h3>");
    list(out, &story.not_checked);
}

fn figure(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
}

/// What an earlier audit covered, and what this one added to it.
fn since(story: &Story, out: &mut String) {
    let Some(since) = &story.report.since else { return };
    let (before, all) = (since.decisions, story.report.coverage.decisions);
    let range = |from: u32, to: u32| match to.saturating_sub(from) {
        0 => "none".to_owned(),
        1 => format!("decision {}", grouped(from.into())),
        n => format!("decisions {} to {} ({})", grouped(from.into()), grouped(to.saturating_sub(1).into()), grouped(n.into())),
    };
    out.push_str("<h2 id=\"since\">Audited before, and new</h2><dl class=\"figures\">");
    figure(out, "Audited before", &range(0, before));
    figure(out, "New in this audit", &range(before, all));
    figure(out, "Lines of the log read before", &grouped(since.lines.into()));
    figure(out, "Notes and warnings not repeated", &grouped(since.findings.info.saturating_add(since.findings.warn).into()));
    let _ = write!(
        out,
        "</dl><p>Gone on from the audit state with digest <code>{}</code>.</p><div class=\"two\"><div class=\"card\"><h3>Checked again</h3>",
        escape(&since.state)
    );
    list(out, &since.again);
    out.push_str("</div><div class=\"card\"><h3>Taken from the earlier audit</h3>");
    list(out, &since.relies_on);
    out.push_str("</div></div>");
}

fn coverage(story: &Story, out: &mut String) {
    let c = &story.report.coverage;
    out.push_str("<h2>Coverage</h2><dl class=\"figures\">");
    figure(out, "Decisions in the log", &grouped(c.decisions.into()));
    figure(out, "Proven", &grouped(c.proven.into()));
    figure(out, "Computed again", &grouped(c.replayed.into()));
    figure(out, "Orders", &grouped(c.orders.into()));
    figure(out, "Intervals without a decision", &grouped(c.gaps.into()));
    figure(out, "Log", if c.sealed { "closed" } else { "open: more may follow" });
    out.push_str("</dl>");
    if let Some(p) = &story.performance {
        let _ = write!(
            out,
            "<p>From {} to {} ({}), blocks {} to {}. Decisions at which funds came in or went out by declaration, the first apart: {}.</p>",
            utc(p.first_time_s),
            utc(p.last_time_s),
            span(p.last_time_s.saturating_sub(p.first_time_s)),
            grouped(p.blocks.0.into()),
            grouped(p.blocks.1.into()),
            p.flows
        );
    }
    match &story.report.chain {
        Some(chain) => {
            let _ = write!(
                out,
                "<p>Compared with the chain as <code>{}</code> serves it, at block {}: {} decisions found in both, {} orders filled, {} not; {} proofs posted, covering {} decisions.</p>",
                escape(&chain.node),
                grouped(chain.block_number.into()),
                grouped(chain.decisions.into()),
                grouped(chain.filled.into()),
                grouped(chain.unfilled.into()),
                grouped(chain.proofs_posted.into()),
                grouped(chain.decisions_posted.into())
            );
            let _ = match &chain.header {
                Some(h) => write!(
                    out,
                    "<p>Trusted block header: <code>{}</code> (block {}). Registration, number of decisions and last head follow from it by Merkle proofs; events are the node's word.</p>",
                    escape(&h.hash),
                    grouped(h.number.into())
                ),
                None => write!(out, "<p>All of it on that node's word.</p>"),
            };
            let _ = write!(
                out,
                "<p>Mean ticks that follow from the pool's own storage, under the block that each record names: {} of {}.</p>",
                grouped(chain.pool_proven.into()),
                grouped(chain.decisions.into())
            );
        }
        None => out.push_str("<p class=\"soft\">Not compared with the chain: when proofs were posted is not known here.</p>"),
    }
}

fn findings(story: &Story, out: &mut String) {
    let all = &story.report.findings;
    let _ = write!(out, "<h2 id=\"findings\">Findings ({})</h2>", all.len());
    if all.is_empty() {
        out.push_str("<p>None.</p>");
    }
    for (severity, class, title) in [
        (Severity::Error, "error", "Errors: something contradicts something"),
        (Severity::Warn, "warn", "Warnings: the evidence is weaker"),
        (Severity::Info, "info", "Worth knowing"),
    ] {
        let some: Vec<&Finding> = all.iter().filter(|f| f.severity == severity).collect();
        if some.is_empty() {
            continue;
        }
        let body = rows(&some, class);
        let open = if severity == Severity::Info && some.len() > 8 { "" } else { " open" };
        let _ = write!(
            out,
            "<details{open}><summary><strong>{title}</strong> ({})</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{title}\"><table class=\"cards\"><thead><tr><th scope=\"col\">What</th><th scope=\"col\">Where</th><th scope=\"col\">Expected and found</th><th scope=\"col\">What it could mean</th></tr></thead><tbody>{body}</tbody></table></div>",
            some.len()
        );
        if some.len() > MAX_SHOWN {
            let _ = write!(out, "<p>{} more are in the JSON.</p>", some.len().saturating_sub(MAX_SHOWN));
        }
        out.push_str("</details>");
    }
}

fn rows(findings: &[&Finding], class: &str) -> String {
    let mut out = String::new();
    for f in findings.iter().take(MAX_SHOWN) {
        let mut place = Vec::new();
        place.extend(f.step.map(|s| format!("decision {}", grouped(s.into()))));
        place.extend(f.line.map(|l| format!("line {}", grouped(l.into()))));
        place.extend(f.field.as_ref().map(|f| format!("<code>{}</code>", escape(f))));
        let _ = write!(
            out,
            "<tr><td><span class=\"tag {class}\">{}</span></td><td>{}</td><td class=\"mono\">{}</td><td>{}</td></tr>",
            escape(&spaced(&format!("{:?}", f.code))),
            if place.is_empty() { "the whole".to_owned() } else { place.join("<br>") },
            escape(&f.message),
            f.code.could_mean()
        );
    }
    out
}

/// `HeadMismatch` as `head mismatch`.
fn spaced(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn performance(story: &Story, p: &Performance, out: &mut String) {
    let quote = |raw| amount(raw, story.units.as_ref().map(|u| (u.quote.as_str(), u.quote_decimals)));
    out.push_str("<h2>Performance, recomputed from fills</h2><p class=\"soft\">From the balances, prices and fills in the log, decision by decision; no figure of the operator is used. Values are at the mean price of each decision.</p>");
    if story.report.verdict != Verdict::Accepted {
        out.push_str("<p><span class=\"tag warn\">not relied on</span> The audit did not accept this log: these figures are what the log says, no more.</p>");
    }
    out.push_str("<dl class=\"figures\">");
    figure(out, "Return without flows", &percent(p.return_ppm));
    figure(out, "Price over the same time", &percent(p.price_change_ppm));
    figure(out, "Deepest fall", &percent(p.deepest_fall_ppm));
    figure(out, "Orders filled", &format!("{} of {}", grouped(p.fills.into()), grouped(p.orders.into())));
    figure(out, "Value, first decision", &quote(p.first_nav));
    figure(out, "Value, last decision", &quote(p.last_nav));
    figure(out, "Put in, taken out", &format!("{}, {}", quote(p.put_in), quote(p.taken_out)));
    figure(out, "Bought, sold", &format!("{}, {}", quote(p.bought), quote(p.sold)));
    out.push_str("</dl>");
    let (cost, lost) = (p.fill_cost.unsigned_abs(), p.fill_cost >= 0);
    let traded = p.bought.saturating_add(p.sold);
    let share = cost.checked_shr(20).unwrap_or(0).saturating_mul(10_000).checked_div(traded.checked_shr(20).unwrap_or(0));
    let share = share.or_else(|| cost.saturating_mul(10_000).checked_div(traded)).unwrap_or(0);
    let _ = write!(
        out,
        "<h3>Fees and costs</h3><p>Fills {} {} against the price each was decided on ({} of what was traded): pool fee, price impact, and what the price moved between decision and trade. The vault charges no fee of its own. Gas is the operator's and is not in the log.</p>",
        if lost { "cost" } else { "gained" },
        quote(cost),
        super::text::bps(share)
    );
    if let Some(drawing) = svg::equity(&story.points, &story.marks) {
        let _ = write!(
            out,
            "<figure>{drawing}<figcaption>Both lines begin at 0\u{202f}%. Deposits and withdrawals do not move the fund's line. Long logs are thinned evenly.</figcaption></figure>"
        );
    }
    if let Some(drawing) = story.header.as_ref().and_then(|h| svg::weight(&story.points, h.mandate.limits.max_weight_bps)) {
        let _ = write!(
            out,
            "<figure>{drawing}<figcaption>What the decisions did: the share of the value in the base asset.</figcaption></figure>"
        );
    }
    table(story, out);
}

/// The drawings as numbers, for whoever cannot see them.
fn table(story: &Story, out: &mut String) {
    let every = story.points.len().div_ceil(40).max(1);
    out.push_str("<details><summary>The drawings as a table</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"The drawings as a table\"><table><thead><tr><th scope=\"col\">Decision</th><th scope=\"col\">Time</th><th scope=\"col\">Fund</th><th scope=\"col\">Price</th><th scope=\"col\">Base asset</th></tr></thead><tbody>");
    for point in story.points.iter().step_by(every) {
        let change = |v: u128| percent(i64::try_from(v / 1_000).unwrap_or(i64::MAX).saturating_sub(1_000_000));
        let _ = write!(
            out,
            "<tr><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td></tr>",
            grouped(point.step.into()),
            utc(point.time_s),
            change(point.index),
            change(point.price),
            super::text::bps(u128::try_from(point.weight_bps).unwrap_or(0))
        );
    }
    out.push_str("</tbody></table></div></details>");
}

fn mandate(story: &Story, header: &Header, out: &mut String) {
    out.push_str("<h2>The mandate, and how close each limit came</h2><dl>");
    for (name, words) in terms(&header.mandate) {
        let _ = write!(out, "<dt><strong>{name}</strong></dt><dd>{}</dd>", escape(&words));
    }
    out.push_str("</dl>");
    if story.limits.is_empty() {
        return;
    }
    out.push_str("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Limits\"><table class=\"cards\"><thead><tr><th scope=\"col\">Promise</th><th scope=\"col\">Closest it came</th><th scope=\"col\">Used</th><th scope=\"col\">At decision</th></tr></thead><tbody>");
    for row in &story.limits {
        let used = row.used_percent.map_or_else(
            || "\u{2013}".to_owned(),
            |p| {
                format!(
                    "<meter min=\"0\" max=\"100\" low=\"90\" high=\"100\" optimum=\"0\" value=\"{}\">{p}</meter> {p}\u{202f}%",
                    p.min(100)
                )
            },
        );
        let _ = write!(
            out,
            "<tr><td>{}<br><code class=\"soft\">{}</code></td><td class=\"num\">{}</td><td class=\"num\">{used}</td><td class=\"num\">{}</td></tr>",
            escape(&row.promise),
            row.field,
            escape(&row.closest),
            row.step.map_or_else(|| "\u{2013}".to_owned(), |s| grouped(s.into()))
        );
    }
    out.push_str("</tbody></table></div>");
}

fn origins(story: &Story, out: &mut String) {
    out.push_str("<h2>Identity and versions</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Identity and versions\"><table><tbody>");
    let mut row = |name: &str, value: &str| {
        let _ = write!(out, "<tr><th scope=\"row\">{name}</th><td class=\"mono\">{}</td></tr>", escape(value));
    };
    if let Some(h) = &story.header {
        row("Mandate digest", &h.mandate_digest.to_string());
        row("Model commitment", &h.model_commitment.to_string());
        row("Head before the first decision", &h.genesis_head.to_string());
    }
    if let Some(s) = &story.report.statement {
        row("Proven head", &s.head.to_string());
        row("Proven in folds", &s.folds.to_string());
    }
    let origin = match &story.report.parameters {
        None => "no proof was verified".to_owned(),
        Some(Origin::Transparent) => "derived from public labels on this machine: nobody has to be trusted for them".to_owned(),
        Some(Origin::KnownCeremony { ceremony, power, blake2b }) => format!("{ceremony}, file of 2^{power}, BLAKE2b-512 {blake2b}"),
        Some(Origin::NamedByDigest { blake2b }) => format!("a file named by its BLAKE2b-512 {blake2b}"),
        Some(Origin::Insecure { name, blake2b }) => format!("INSECURE ({name}), BLAKE2b-512 {blake2b}"),
    };
    row("Parameters", &origin);
    let v = &story.versions;
    row(
        "Checked by",
        &format!("probity {}; log format {}, proof envelope {}, circuit {}, report {}", v.program, v.log, v.envelope, v.circuit, v.report),
    );
    row("Log written by", &format!("probity {} (its own word; nothing depends on it)", v.log_written_by));
    out.push_str("</tbody></table></div>");
}
