//! Questions a step often asks of its input.

use crate::{Change, RunInfo, StepInfo};

impl Change {
    /// Whether there is a branch a helper can push to: the head branch with a commit, or that of a pull request.
    #[must_use]
    pub fn has_branch(&self) -> bool {
        let of_pull_request =
            self.pull_request.as_ref().and_then(|pull_request| pull_request.branch.as_ref());
        self.head_commit.is_some() || of_pull_request.is_some()
    }
}

impl RunInfo {
    /// The JSON text of a document of the item.
    #[must_use]
    pub fn document(&self, name: &str) -> Option<&str> {
        self.documents.iter().find(|document| document.name == name).map(|document| document.value.as_str())
    }

    /// The latest output of an earlier step of this role that is not blank.
    #[must_use]
    pub fn latest_output(&self, role: &str) -> Option<&str> {
        let mut outputs = self.outputs.iter().rev().filter(|output| output.role == role);
        outputs.find(|output| !output.output.trim().is_empty()).map(|output| output.output.as_str())
    }
}

impl StepInfo {
    /// Whether somebody carries out this job kind or effect.
    #[must_use]
    pub fn is_wired(&self, name: &str) -> bool {
        self.wired.iter().any(|wired| wired == name)
    }
}
