//! Flags of the dashboard: of `run`, and of `serve`.

use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a running agent shows itself.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServeFlags {
    /// Dashboard and /metrics at this address of this machine (127.0.0.1:8180; port 0: any free one). Read-only; off if left out.
    #[arg(id = "serve", long = "serve", value_name = "ADDRESS:PORT")]
    pub(crate) address: Option<SocketAddr>,
    /// Let --serve listen beyond this machine: whoever reaches the address sees the run. There is no password.
    #[arg(id = "serve_beyond_loopback", long = "serve-beyond-loopback", requires = "serve")]
    pub(crate) beyond_loopback: bool,
}

/// Flags of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Folder of the run.
    #[arg(long, value_name = "DIR", default_value = ".probity/run")]
    pub(crate) dir: PathBuf,
    /// Address of this machine to listen at.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8180")]
    pub(crate) listen: SocketAddr,
    /// Listen beyond this machine: whoever reaches the address sees the run. There is no password.
    #[arg(long)]
    pub(crate) serve_beyond_loopback: bool,
}
