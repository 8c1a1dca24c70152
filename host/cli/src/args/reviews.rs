use clap::{Args, Subcommand};
use lockstep_types::board::ItemId;

#[derive(Args)]
pub(crate) struct ReviewArg {
    /// The item: an id, or the number at its end
    #[arg(value_name = "ITEM")]
    pub(crate) item: ItemId,
    /// Which review [default: the one the item has]
    #[arg(long, value_parser = ["requirements", "clarity"])]
    pub(crate) kind: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum ReviewsCommand {
    /// Show what the reviewer found, and what was replied
    Show(ReviewArg),
    /// Have an item reviewed outside any run
    Review(ReviewArg),
    /// Reply to a finding
    Reply {
        #[command(flatten)]
        review: ReviewArg,
        /// The finding: its number in `reviews show`, or its id
        finding: String,
        /// The reply
        text: String,
    },
    /// Set a finding's status
    SetStatus {
        #[command(flatten)]
        review: ReviewArg,
        /// The finding: its number in `reviews show`, or its id
        finding: String,
        /// The status
        #[arg(value_parser = ["open", "answered", "resolved", "dismissed"])]
        status: String,
    },
    /// Have the replies worked into the text, and the text reviewed again
    Incorporate {
        #[command(flatten)]
        review: ReviewArg,
        /// What else is to be different
        #[arg(long, value_name = "TEXT")]
        feedback: Option<String>,
    },
    /// Go on with the text as it is
    Proceed {
        #[command(flatten)]
        review: ReviewArg,
        /// Even if findings are open
        #[arg(long)]
        force: bool,
    },
    /// Grant one more round when the rounds are spent
    ExtraRound(ReviewArg),
    /// Have a rewritten text reviewed again
    ReReview(ReviewArg),
    /// Take any action the review has
    Act {
        #[command(flatten)]
        review: ReviewArg,
        /// Name of the action
        action: String,
        /// What it takes: one JSON object, or fields
        #[arg(value_name = "JSON | KEY=VALUE")]
        input: Vec<String>,
    },
}
