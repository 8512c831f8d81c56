//! `probity serve`: the dashboard of a run's folder, read from its journal; a run that goes on is followed.

use crate::cli::ServeArgs;
use crate::journal::Journal;
use crate::market::MarketChoice;
use crate::see::server::Server;
use crate::see::{About, Event, Feed, Pair};
use crate::{output, run, secret};
use anyhow::{Context, Result, ensure};
use probity_learn::ModelFile;
use probity_strategy::Mandate;
use probity_verifier::{Header, commit_model};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Time between two looks into the journal.
const LOOK: Duration = Duration::from_secs(1);

/// Runs the command until Ctrl-C.
pub(crate) fn run(args: &ServeArgs) -> Result<ExitCode> {
    ensure!(args.dir.join("journal.sqlite").is_file(), "--dir {}: expected the folder of a run (with journal.sqlite)", args.dir.display());
    run::on_runtime(async {
        let feed = Feed::default();
        let about = about(&args.dir)?;
        let journal = Journal::open(&args.dir)?;
        let mut seen = show(&journal, &about, &feed)?;
        let server = Server::start(args.listen, args.serve_beyond_loopback, vec![(String::new(), feed.clone())]).await?;
        output::talk(format!("{} at http://{}/, metrics at /metrics; Ctrl-C ends it", args.dir.display(), server.address()));
        loop {
            tokio::select! {
                ended = tokio::signal::ctrl_c() => return ended.map(|()| ExitCode::SUCCESS).context("waiting for Ctrl-C"),
                () = tokio::time::sleep(LOOK) => {}
            }
            // SQLite's own counter of what other connections wrote.
            if journal.version()? != seen {
                seen = show(&journal, &about, &feed)?;
            }
        }
    })
}

fn show(journal: &Journal, about: &About, feed: &Feed) -> Result<i64> {
    let version = journal.version()?;
    feed.start(about.clone());
    feed.restore(&journal.entries()?, &journal.announcements()?, &journal.posts()?, journal.last_change()?.as_ref());
    if journal.meta("sealed")?.is_some() {
        feed.tell(&Event::Ended { sealed: true });
    }
    Ok(version)
}

/// What the folder says the run is.
fn about(dir: &Path) -> Result<About> {
    let journal = Journal::open(dir)?;
    let meta = |key: &str| journal.meta(key)?.with_context(|| format!("journal: expected its {key}; the run has not got that far"));
    let mandate: Mandate = serde_json::from_str(&meta("mandate")?).context("journal: mandate")?;
    let pair: Pair = serde_json::from_str(&meta("pair")?).context("journal: pair")?;
    let market: Option<MarketChoice> =
        journal.meta("market")?.map(|kept| serde_json::from_str(&kept)).transpose().context("journal: market")?;
    let shape = ModelFile::load(&dir.join("model.json"))?.shape;
    let reveal = secret::read_opening(&dir.join("opening.json"))?;
    let header = Header::new(mandate, commit_model(&shape, &reveal.model, &reveal.salt));
    let simulated = matches!(market, Some(MarketChoice::Simulated { .. }));
    // What the session of another process holds is not in the journal.
    Ok(About { live: false, paper: journal.is_paper()?, ..About::of(&header, meta("source")?, simulated, pair) })
}
