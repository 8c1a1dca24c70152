use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum DeliveriesCommand {
    /// List deliveries, the newest first
    #[command(visible_alias = "ls")]
    List {
        /// At most so many
        #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
        /// Only those before this one, by the number `--json` shows
        #[arg(long, value_name = "NUMBER")]
        before: Option<u64>,
    },
    /// Show a delivery with its payload
    Show {
        /// The id the forge gave it
        id: String,
    },
    /// Have a delivery taken up again, as things stand now
    Replay {
        /// The id the forge gave it
        id: String,
    },
}
