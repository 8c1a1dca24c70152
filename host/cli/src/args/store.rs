use clap::Subcommand;
use std::path::PathBuf;

#[derive(Subcommand)]
#[command(after_help = "\
`verify`, `backup` and `export` work beside a server that has the data folder; `repair` and `compact` need it stopped.
A server gives space back by itself, see `lockstep serve --help` for how long runs are kept.")]
pub(crate) enum StoreCommand {
    /// Read everything that is stored and name what is damaged, and whose it is
    Verify,
    /// Take what is damaged out of the store, keeping what can be read of it in a file, so that the rest works again
    Repair,
    /// Copy the data folder to a new folder, and check the copy
    Backup {
        /// The folder to make
        to: PathBuf,
    },
    /// Make the data folder, which must not be there, of a backup, and check it
    Restore {
        /// The folder of the backup
        from: PathBuf,
    },
    /// Write all runs, boards and components to a new file, as lines of JSON
    Export {
        /// The file to make
        to: PathBuf,
    },
    /// Make the store of a data folder that has none of an export
    Import {
        /// The file of the export
        from: PathBuf,
    },
    /// Give back the space of what is no longer needed, now and all of it
    Compact,
}
