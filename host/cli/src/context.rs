use crate::args::Cli;
use crate::data::DataFolder;
use crate::term::Term;
use lockstep_types::board::WorkspaceId;

/// The workspace where none is named.
const DEFAULT_WORKSPACE: &str = "default";

/// What every command works with.
pub(crate) struct Context {
    pub(crate) term: Term,
    pub(crate) folder: DataFolder,
    /// Who is at the terminal, for the journal.
    pub(crate) by: String,
    /// The workspace that was named.
    pub(crate) named_workspace: Option<WorkspaceId>,
    /// The `--data` option to repeat in commands that are shown.
    data_option: String,
    /// The `--workspace` option likewise.
    workspace_option: String,
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
        let from_environment = std::env::var("LOCKSTEP_WORKSPACE").ok();
        let workspace_option = match &cli.workspace {
            Some(id) if from_environment.as_deref() != Some(id.as_str()) => format!(" --workspace {id}"),
            _ => String::new(),
        };
        Ok(Self {
            term,
            folder: DataFolder::find(cli.data.as_deref())?,
            by,
            named_workspace: cli.workspace.clone(),
            data_option,
            workspace_option,
        })
    }

    /// Whether it is the one that every host has.
    pub(crate) fn names_default_workspace(&self) -> bool {
        self.named_workspace.as_ref().is_none_or(|id| id.as_str() == DEFAULT_WORKSPACE)
    }

    /// The workspace that is meant.
    pub(crate) fn workspace(&self) -> anyhow::Result<WorkspaceId> {
        match &self.named_workspace {
            Some(id) => Ok(id.clone()),
            None => Ok(DEFAULT_WORKSPACE.parse()?),
        }
    }

    /// A command of ours about the workspace as it can be typed.
    pub(crate) fn board_command(&self, rest: &str) -> String {
        format!("lockstep{}{} {rest}", self.data_option, self.workspace_option)
    }

    /// A command of ours about a workspace, which is the default one if none is told.
    pub(crate) fn command_in(&self, workspace: Option<&WorkspaceId>, rest: &str) -> String {
        match workspace.filter(|id| id.as_str() != DEFAULT_WORKSPACE) {
            Some(id) => self.command(&format!("--workspace {id} {rest}")),
            None => self.command(rest),
        }
    }

    /// A command of ours as it can be typed.
    pub(crate) fn command(&self, rest: &str) -> String {
        format!("lockstep{} {rest}", self.data_option)
    }

    /// What is said about components, with the commands it names as they can be typed.
    pub(crate) fn with_commands(&self, text: &str) -> String {
        text.replace("lockstep component ", &self.command("component "))
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
