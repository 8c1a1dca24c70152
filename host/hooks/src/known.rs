use lockstep_types::{FailureClass, ItemStatus, RunId, RunStatus, StepStatus};

/// The item that a pull request belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub item: String,
    /// Where it stands.
    pub status: ItemStatus,
    /// Its current run.
    pub run: Option<KnownRun>,
}

/// A run, as far as it matters to what happens on a forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRun {
    /// Its id.
    pub id: RunId,
    /// State.
    pub status: RunStatus,
    /// Why it failed, if it did.
    pub failure: Option<FailureClass>,
    /// The head commit it stands for.
    pub head: Option<String>,
    /// The tip of the local branch, where it was looked at.
    pub tip: Option<String>,
    /// Whether looking brought the local branch forward.
    pub tip_is_news: bool,
    /// Whether an effect is under way, which may be a merge or move the branch itself.
    pub has_effect: bool,
    /// Whether a job is under way that may move the branch itself.
    pub has_writer: bool,
    /// Its steps in order.
    pub steps: Vec<KnownStep>,
    /// How often it may be sent back.
    pub budgets: Budgets,
    /// What was taken up from the forge so far, oldest first.
    pub marks: Vec<Mark>,
    /// Kind and text of all its cards, open or not.
    pub cards: Vec<(String, String)>,
}

/// A step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownStep {
    /// Name.
    pub name: String,
    /// Step kind.
    pub kind: String,
    /// State.
    pub status: StepStatus,
    /// The open question is an approval.
    pub asks_approval: bool,
    /// What a reviewer asked of it, while it works on that.
    pub review: Option<String>,
}

/// How often a run may be sent back for one head lineage: since it began, or since somebody else pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// For failed checks and rejections of a merge queue: what a gate may ask for (SPEC CI-9).
    pub repairs: u32,
    /// For requested changes: reviews of one document before a person decides (SPEC RV-5).
    pub reviews: u32,
}

/// What a run was sent back for. It is kept in the run's own journal as who did it, so that it is there exactly if that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What it was.
    pub kind: MarkKind,
    /// The head commit then.
    pub head: String,
    /// What told of it: a delivery, a review.
    pub from: String,
}

/// What a run was sent back for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// A check failed.
    Check,
    /// The merge queue rejected it.
    Queue,
    /// A reviewer asked for changes.
    Review,
    /// Somebody else pushed.
    Push,
}

impl MarkKind {
    const ALL: [Self; 4] = [Self::Check, Self::Queue, Self::Review, Self::Push];

    fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Queue => "merge-queue",
            Self::Review => "review",
            Self::Push => "push",
        }
    }
}

impl Mark {
    /// As whom the run is sent back: `github check at 1f3a… (d1)`.
    #[must_use]
    pub fn by(&self) -> String {
        format!("github {} at {} ({})", self.kind.word(), self.head, self.from)
    }

    /// The mark that [`Mark::by`] made a text of; none for whoever else sent a run back.
    #[must_use]
    pub fn read(by: &str) -> Option<Self> {
        let (kind, rest) = by.strip_prefix("github ")?.split_once(" at ")?;
        let kind = MarkKind::ALL.into_iter().find(|known| known.word() == kind)?;
        let (head, from) = rest.strip_suffix(')')?.split_once(" (")?;
        Some(Self { kind, head: head.to_owned(), from: from.to_owned() })
    }
}

impl KnownRun {
    /// Marks since the run began, or since somebody else pushed.
    pub(crate) fn lineage(&self) -> &[Mark] {
        let pushed = self.marks.iter().rposition(|mark| mark.kind == MarkKind::Push);
        &self.marks[pushed.map_or(0, |at| at + 1)..]
    }

    pub(crate) fn is_live(&self) -> bool {
        self.status.is_live()
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, MarkKind};

    #[test]
    fn a_mark_is_read_back_and_nothing_else_is_one() {
        for kind in MarkKind::ALL {
            let mark = Mark { kind, head: "ab12".to_owned(), from: "review 80 (by ann)".to_owned() };
            assert_eq!(Mark::read(&mark.by()), Some(mark));
        }
        for other in ["", "ann", "github", "github check at 1", "github nothing at 1 (2)", "human"] {
            assert_eq!(Mark::read(other), None, "{other}");
        }
    }
}
