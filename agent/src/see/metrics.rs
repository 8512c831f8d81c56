//! The metrics, and `/metrics` as Prometheus reads it. Names carry their units; `docs/operators/seeing.md` lists them.

use crate::see::Shown;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// The exposition in the OpenMetrics text format; runs that have names are told apart by the label `run`.
pub(crate) fn exposition(runs: Vec<(String, Shown)>) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("probity");
    registry.register_collector(Box::new(Now(runs)));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

/// What tells one run from another.
pub(crate) fn labels(shown: &Shown) -> Vec<(String, String)> {
    let about = &shown.about;
    let mandate = about.mandate.as_ref();
    [
        ("vault", mandate.map(|m| m.vault.clone()).unwrap_or_default()),
        ("chain_id", mandate.map(|m| m.chain_id.to_string()).unwrap_or_default()),
        ("model_commitment", about.model_commitment.clone()),
        ("paper", about.paper.to_string()),
        ("base", about.pair.base.clone()),
        ("quote", about.pair.quote.clone()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .to_vec()
}

/// Name, help and value of each counter.
pub(crate) fn counters(shown: &Shown) -> Vec<(&'static str, &'static str, u64)> {
    let f = &shown.figures;
    vec![
        ("decisions", "Decisions in the journal", f.decided.into()),
        ("decisions_on_chain", "Decisions whose transaction is mined", f.on_chain.into()),
        ("orders_unfilled", "Orders that got no fill", f.unfilled.into()),
        ("trades_bought", "Orders filled, buys", f.buys.into()),
        ("trades_sold", "Orders filled, sells", f.sells.into()),
        ("gas_used", "Gas of all transactions in the journal", f.gas_used_total),
    ]
}

/// Name, help and value of each gauge that has a value.
pub(crate) fn gauges(shown: &Shown) -> Vec<(&'static str, &'static str, f64)> {
    let (f, h) = (&shown.figures, &shown.health);
    let ratio = |bps: f64| bps / 10_000.0;
    let real = |n: u64| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let age = |at: Option<u64>| at.map(|at| real(shown.at_s.saturating_sub(at)));
    let weight = f.weight_bps.and_then(|w| i32::try_from(w).ok()).map(|w| ratio(f64::from(w)));
    let state = |name: &str| Some(if h.state == name { 1.0 } else { 0.0 });
    [
        ("decisions_folded", "Decisions in the recursive proof", Some(f64::from(f.folded))),
        ("decisions_proven", "Decisions in a compressed proof", Some(f64::from(f.proven))),
        ("decisions_posted", "Decisions in a proof on chain", Some(f64::from(f.posted))),
        ("decisions_settled", "Decisions that the vault has verified itself", f.settled.map(f64::from)),
        ("proof_backlog_decisions", "Decisions that are in no proof on chain", Some(f64::from(shown.backlog()))),
        (
            "rotation_at_decision",
            "First decision of the weights announced and still to take over",
            shown.about.rotation_ahead.map(|r| r.at_step.into()),
        ),
        ("fold_seconds", "Duration of the last fold", f.fold_ms.map(|ms| ms / 1_000.0)),
        ("compress_seconds", "Duration of the last compression", f.compress_s),
        ("proof_bytes", "Size of the last proof", f.proof_bytes.and_then(|b| u32::try_from(b).ok()).map(f64::from)),
        ("last_gas_used", "Gas of the last decision's transaction", f.gas_used_last.map(real)),
        ("price_quote", "Mean price of the last interval, quote units a base unit", f.price_quote),
        ("vault_value_quote", "Value of the vault, quote units", f.vault_quote),
        ("weight_ratio", "Share of the base asset", weight),
        ("return_ratio", "Change of value a share since the first decision", f.return_bps.map(ratio)),
        ("hold_return_ratio", "Change of the price since the first decision", f.hold_return_bps.map(ratio)),
        ("interval_seconds", "The mandate's decision interval", shown.about.mandate.as_ref().map(|m| f64::from(m.interval_s))),
        ("block_number", "Block of the last observation", h.block_number.map(real)),
        ("last_observation_age_seconds", "Wall time since the node last gave an observation", age(h.observed_at_s)),
        ("last_decision_age_seconds", "Wall time since the last decision", age(h.decided_at_s)),
        ("active", "1 while the run may buy and sell", state("active")),
        ("reducing", "1 while the run may only hold and sell", state("reducing")),
        ("halted", "1 while the run decides and sends nothing", state("halted")),
        ("drawdown_met", "1 after the mandate's drawdown limit was met", Some(if h.drawdown_at_step.is_some() { 1.0 } else { 0.0 })),
        ("fault", "1 after the run ended with an error", state("fault")),
    ]
    .into_iter()
    .filter_map(|(name, help, value)| value.map(|v| (name, help, v)))
    .collect()
}

#[derive(Debug)]
struct Now(Vec<(String, Shown)>);

impl Collector for Now {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let infos = self.0.iter().map(|(run, shown)| (run.as_str(), Info::new(labels(shown)))).collect();
        all(&mut to, ("run", "The run"), infos)?;
        for (name, help, values) in by_name(self.0.iter().map(|(run, shown)| (run.as_str(), counters(shown)))) {
            all(&mut to, (name, help), values.into_iter().map(|(run, v)| (run, ConstCounter::new(v))).collect())?;
        }
        for (name, help, values) in by_name(self.0.iter().map(|(run, shown)| (run.as_str(), gauges(shown)))) {
            all(&mut to, (name, help), values.into_iter().map(|(run, v)| (run, ConstGauge::new(v))).collect())?;
        }
        Ok(())
    }
}

/// One metric of every run that has it.
fn all<M: EncodeMetric>(to: &mut DescriptorEncoder<'_>, (name, help): (&str, &str), values: Vec<(&str, M)>) -> Result<(), std::fmt::Error> {
    let Some((_, first)) = values.first() else { return Ok(()) };
    let mut encoder = to.encode_descriptor(name, help, None, first.metric_type())?;
    if let [("", only)] = values.as_slice() {
        return only.encode(encoder);
    }
    for (run, value) in &values {
        value.encode(encoder.encode_family(&[("run", *run)])?)?;
    }
    Ok(())
}

/// Name and help of a metric, and its value of each run that has one.
type OfRuns<'a, V> = (&'static str, &'static str, Vec<(&'a str, V)>);

/// The metrics of all runs, each metric once, in the order of the first run that has it.
fn by_name<'a, V>(runs: impl Iterator<Item = (&'a str, Vec<(&'static str, &'static str, V)>)>) -> Vec<OfRuns<'a, V>> {
    let mut all: Vec<OfRuns<'a, V>> = Vec::new();
    for (run, metrics) in runs {
        for (name, help, value) in metrics {
            match all.iter_mut().find(|(known, ..)| *known == name) {
                Some((.., values)) => values.push((run, value)),
                None => all.push((name, help, vec![(run, value)])),
            }
        }
    }
    all
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use crate::see::Feed;

    #[test]
    fn runs_are_told_apart_and_each_metric_is_described_once() {
        let text = exposition(vec![("one".into(), Feed::default().shown()), ("two".into(), Feed::default().shown())]).unwrap();
        for line in ["probity_decisions_total{run=\"one\"} 0", "probity_decisions_total{run=\"two\"} 0", "probity_active{run=\"two\"}"] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert_eq!(text.matches("# TYPE probity_decisions counter").count(), 1, "{text}");
        let alone = exposition(vec![(String::new(), Feed::default().shown())]).unwrap();
        assert!(alone.contains("probity_decisions_total 0") && !alone.contains("run=\""), "{alone}");
    }
}
