use super::{BindingsArgs, PullArgs, PushArgs, WrapArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum ComponentCommand {
    /// List components and the kinds that use them
    List,
    /// Add a component, or every .wasm file of a folder, or from a registry; nothing uses it until it is activated
    Add(AddArgs),
    /// Show a stored component, or what a kind uses and may do
    Show {
        /// Digest of a component, or an unambiguous beginning of it, or a step kind
        #[arg(value_name = "DIGEST|KIND")]
        name: String,
    },
    /// Make recorded calls again with another component, and show what would change
    Backtest(BacktestArgs),
    /// Say what a component is: imports, exports, descriptor, limits, signatures; a file is not added
    Inspect {
        /// A .wasm file, or the digest of a stored component
        #[arg(value_name = "FILE|DIGEST")]
        name: String,
    },
    /// Say what a kind may do; without options: show it
    Grant(GrantArgs),
    /// Put a component into a folder or an OCI registry
    Push(PushArgs),
    /// Get a component from a folder or an OCI registry
    Pull(PullArgs),
    /// Let a kind use a component from now on; live runs keep the one they began with
    Activate(ActivateArgs),
    /// Make a component of a core module that names its world, as compilers for Rust and C give
    Wrap(WrapArgs),
    /// Write the C bindings of a world
    Bindings(BindingsArgs),
    /// Let some runs of a kind get a candidate; without a digest: show how it does
    Canary(CanaryArgs),
    /// Let a kind use its canary's component in all runs from now on
    Promote(KindArgs),
    /// End a kind's canary, or else let it use again what it used before
    Rollback(KindArgs),
    /// Let a component be called no more, in no run
    StopDigest {
        /// Digest of the component, or an unambiguous beginning of it
        digest: String,
        /// Why, for those whose runs stop
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Let a stopped component be called again
    ResumeDigest {
        /// Digest of the component, or an unambiguous beginning of it
        digest: String,
        /// Why, for the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Show which components a kind has used
    History {
        /// Step kind
        kind: String,
    },
    /// Remove components that nothing needs
    Gc {
        /// Only say which
        #[arg(long)]
        dry_run: bool,
    },
    /// Show what was done to components and kinds, and by whom
    Audit {
        /// The last so many entries
        #[arg(long, value_name = "N", default_value = "50")]
        last: usize,
    },
    /// Make a pair of keys for signing components
    Keygen {
        /// Name of the key; the files are NAME.key and NAME.pub
        name: String,
    },
    /// Sign a component: a file gets a signature file beside it, a stored one keeps it
    Sign {
        /// A .wasm file, or the digest of a stored component
        #[arg(value_name = "FILE|DIGEST")]
        name: String,
        /// The private key file of `keygen`
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Whose signatures count, and what for
    #[command(subcommand)]
    Trust(TrustCommand),
}

#[derive(Args)]
#[command(after_help = "\
A signature in FILE.sig beside FILE is taken along.")]
pub(crate) struct AddArgs {
    /// .wasm files, or folders of them; or one pinned reference, as `component pull` takes it
    #[arg(required = true, value_name = "FILE|DIR|REF")]
    pub(crate) paths: Vec<PathBuf>,
    /// The signature, if it is not in FILE.sig
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Args)]
#[command(after_help = "\
A grant belongs to the kind: it can be given before the kind has a component, and stays
when another component takes over. Runs keep what they were granted when they started.
Files that change later are seen when the folder is granted again, by runs that start then.")]
pub(crate) struct GrantArgs {
    /// Step kind
    pub(crate) kind: String,
    /// The import of an interface, such as checks
    #[arg(long, value_name = "INTERFACE")]
    pub(crate) import: Vec<String>,
    /// A job kind; {role} stands for the role of the step
    #[arg(long, value_name = "JOB")]
    pub(crate) job: Vec<String>,
    /// An effect, such as merge
    #[arg(long, value_name = "EFFECT")]
    pub(crate) effect: Vec<String>,
    /// A folder whose files a WASI component may read at PATH, as they are now; to take it away, PATH alone
    #[arg(long, value_name = "PATH=FOLDER")]
    pub(crate) dir: Vec<String>,
    /// Take it away instead
    #[arg(long)]
    pub(crate) revoke: bool,
    /// Take away even what the active component asks for: its runs fail where they ask
    #[arg(long, requires = "revoke")]
    pub(crate) force: bool,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Args)]
#[command(after_help = "\
Calls are found from the newest run backwards and made again with what was recorded: what
the component was given, and what it was told when it asked. Nothing is stored, no run
notices, and a file is not added to the registry. Fuel is compared only between calls made
under the same engine configuration.

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
The kind keeps what it was granted before; the --grant options add to it. --require-identical
and the --max options look at a backtest over the last 1,000 recorded calls of the kind.
To go back: `lockstep component rollback KIND`.")]
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
    /// Also if it cannot take over the states of live runs, which keep the component they have
    #[arg(long)]
    pub(crate) skip_migration: bool,
    #[command(flatten)]
    pub(crate) gates: GateArgs,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// What a backtest must show first.
#[derive(Args)]
pub(crate) struct GateArgs {
    /// Only if every recorded call of the kind comes out the same
    #[arg(long)]
    pub(crate) require_identical: bool,
    /// Only if at most so many recorded calls come out differently
    #[arg(long, value_name = "N")]
    pub(crate) max_changed: Option<u64>,
    /// Only if recorded calls use at most so many percent more fuel in all
    #[arg(long, value_name = "PCT", value_parser = percentage)]
    pub(crate) max_fuel_growth: Option<f64>,
}

#[derive(Args)]
#[command(after_help = "\
Runs get the candidate when they start; which of them is decided by their ids, so that it
can be told again. `lockstep component promote KIND` lets all runs have it, and
`lockstep component rollback KIND` ends the canary; runs that have it keep it.")]
pub(crate) struct CanaryArgs {
    /// Step kind
    pub(crate) kind: String,
    /// Digest of the candidate, or an unambiguous beginning of it
    pub(crate) digest: Option<String>,
    /// Percentage of runs that get it, such as 10%
    #[arg(long, value_name = "PERCENT", value_parser = share, conflicts_with = "item", requires = "digest")]
    pub(crate) share: Option<u8>,
    /// An item whose runs get it; may be given several times
    #[arg(long, value_name = "ITEM", requires = "digest")]
    pub(crate) item: Vec<String>,
    #[command(flatten)]
    pub(crate) gates: GateArgs,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Args)]
pub(crate) struct KindArgs {
    /// Step kind
    pub(crate) kind: String,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum TrustCommand {
    /// Ask for signatures: off, warn where one is missing, or require one of a trusted key
    Policy {
        /// What is asked; without it: show it
        #[arg(value_parser = ["off", "warn", "require"])]
        policy: Option<String>,
    },
    /// Trust a key
    Add {
        /// A public key file of `keygen`, or the 64 digits of a key
        #[arg(value_name = "KEYFILE|KEY")]
        key: String,
        /// What the key is called here; by default as in the file
        #[arg(long)]
        name: Option<String>,
    },
    /// List trusted keys
    List,
    /// Trust a key no more
    Remove {
        /// What the key is called
        name: String,
    },
}

fn share(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse() {
        Ok(percent @ 1..=100) => Ok(percent),
        _ => Err("a percentage from 1% to 100% is expected".to_owned()),
    }
}

fn percentage(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if percent.is_finite() && percent >= 0.0 => Ok(percent),
        _ => Err("a percentage such as 5 or 12.5% is expected".to_owned()),
    }
}
