//! Flags of `data`.

use clap::Subcommand;
use std::path::PathBuf;

/// Recorded data.
#[derive(Debug, Subcommand)]
pub(crate) enum DataAction {
    /// Gaps, duplicates, order, impossible bars: everything at once. Exit code 1 if a backtest would refuse the file.
    Check {
        /// Bars (CSV, may be gzipped, or Parquet).
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Read a pool's Swap, Mint and Burn logs from a node; an interrupted pull goes on.
    Pull {
        /// The node; what follows its host may be a secret and is never shown.
        #[arg(long, value_name = "URL", env = "PROBITY_RPC", hide_env_values = true)]
        rpc: String,
        /// The pool.
        #[arg(long, value_name = "ADDRESS")]
        pool: String,
        /// First block.
        #[arg(long, value_name = "BLOCK")]
        from: u64,
        /// Last block; 64 behind the newest if left out.
        #[arg(long, value_name = "BLOCK")]
        to: Option<u64>,
        /// Most blocks asked for at once.
        #[arg(long, value_name = "BLOCKS", default_value_t = 2_000)]
        chunk: u64,
        /// CSV file. Never overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Bars of a pool's recorded swaps; an interval without a swap gets none.
    Bars {
        /// Logs as `data pull` writes them.
        #[arg(long, value_name = "FILE")]
        logs: PathBuf,
        /// Seconds of one bar.
        #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
        interval_s: u32,
        /// Base is the pool's token0 (default: token1, as in USDC/WETH).
        #[arg(long)]
        base_is_token0: bool,
        /// Decimals of the quote token.
        #[arg(long, default_value_t = 6)]
        quote_decimals: u8,
        /// Decimals of the base token.
        #[arg(long, default_value_t = 18)]
        base_decimals: u8,
        /// CSV file. Never overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}
