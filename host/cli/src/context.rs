use crate::args::Cli;
use crate::data::DataFolder;
use crate::term::Term;

/// What every command works with.
pub(crate) struct Context {
    pub(crate) term: Term,
    pub(crate) folder: DataFolder,
    /// Who is at the terminal, for the journal.
    pub(crate) by: String,
    /// The `--data` option to repeat in commands that are shown.
    data_option: String,
}

impl Context {
    pub(crate) fn new(cli: &Cli, term: Term) -> anyhow::Result<Self> {
        let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        let by = user.filter(|name| !name.is_empty()).unwrap_or_else(|| "operator".to_owned());
        // A folder that comes from the environment will be found there again.
        let from_environment = std::env::var_os("LOCKSTEP_DATA").map(std::path::PathBuf::from) == cli.data;
        let data_option = match &cli.data {
            Some(dir) if !from_environment => format!(" --data {}", quoted(&dir.to_string_lossy())),
            _ => String::new(),
        };
        Ok(Self { term, folder: DataFolder::find(cli.data.as_deref())?, by, data_option })
    }

    /// A command of ours as it can be typed.
    pub(crate) fn command(&self, rest: &str) -> String {
        format!("lockstep{} {rest}", self.data_option)
    }
}

/// `text` as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("/home/me/data"), "/home/me/data");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
