use clap::Args;

#[derive(Args)]
#[command(after_help = "\
Requests need the bearer token in the file `token` of the data folder, or one made by
`lockstep token add`; the address and the process id are in `server.json` beside it. Ctrl-C or SIGTERM ends the server,
with exit status 0; live runs go on when it starts again.")]
pub(crate) struct ServeArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7420")]
    pub(crate) listen: String,
    /// Remove runs that were done so many days ago [default: they are kept]
    #[arg(long, value_name = "DAYS")]
    pub(crate) keep_done: Option<u32>,
    /// Remove runs that failed so many days ago [default: they are kept]
    #[arg(long, value_name = "DAYS")]
    pub(crate) keep_failed: Option<u32>,
    /// Keep so many runs and remove the oldest beyond that, but none that can still go on or that its item shows
    #[arg(long, value_name = "RUNS")]
    pub(crate) keep_runs: Option<u64>,
    /// Accept an address that other machines can reach; tokens are then all that protects the host
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// The address browsers know it by, where a proxy that speaks TLS stands before it: https://steps.example.com
    /// [default: `origin` of [server] in config.toml]
    #[arg(long, value_name = "URL")]
    pub(crate) origin: Option<String>,
}
