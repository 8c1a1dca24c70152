use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum ComponentCommand {
    /// List components and the kinds that use them
    List,
    /// Add a component; nothing uses it until it is activated
    Add {
        /// The component, a .wasm file
        file: PathBuf,
    },
    /// Make recorded calls again with another component, and show what would change
    Backtest(BacktestArgs),
    /// Let a kind use a component from now on; live runs keep the one they began with
    Activate(ActivateArgs),
    /// Show which components a kind has used
    History {
        /// Step kind
        kind: String,
    },
}

#[derive(Args)]
#[command(after_help = "\
Calls are found from the newest run backwards and made again with what was recorded: what the
component was given, and what it was told when it asked. Nothing is stored, no run notices, and
a file is not added to the registry. Fuel is compared only between calls made under the same engine
configuration.

Examples:
  lockstep component backtest my-gate.wasm --kind ci-gate
  lockstep component backtest 3fa1 --kind ci-gate --since 7d --show 100

Exit status: 0 every call comes out the same, 3 some do not, 5 it cannot be tried.")]
pub(crate) struct BacktestArgs {
    /// A .wasm file, or the digest of a stored component or a beginning of it
    #[arg(value_name = "FILE | DIGEST")]
    pub(crate) candidate: String,
    /// Step kind
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: String,
    /// Only the last so many calls [default: 1000, unless --since or --run is given]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) last: Option<u32>,
    /// Only calls since then: 90m, 24h, 7d, 2026-01-05 or 2026-01-05T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = crate::ids::since)]
    pub(crate) since: Option<lockstep_types::Timestamp>,
    /// Only calls of this run; may be given several times
    #[arg(long = "run", value_name = "RUN")]
    pub(crate) runs: Vec<String>,
    /// Tell of at most so many calls one by one
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) show: usize,
}

#[derive(Args)]
#[command(after_help = "\
The kind keeps what it was granted before; the --grant options add to it.
To go back: activate the digest before, see `lockstep component history KIND`.")]
pub(crate) struct ActivateArgs {
    /// Step kind
    pub(crate) kind: String,
    /// Digest of the component, or an unambiguous beginning of it
    pub(crate) digest: String,
    /// Also allow the import of an interface, such as checks
    #[arg(long, value_name = "INTERFACE")]
    pub(crate) grant_import: Vec<String>,
    /// Also allow a job kind; {role} stands for the role of the step
    #[arg(long, value_name = "JOB")]
    pub(crate) grant_job: Vec<String>,
    /// Also allow an effect, such as merge
    #[arg(long, value_name = "EFFECT")]
    pub(crate) grant_effect: Vec<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}
