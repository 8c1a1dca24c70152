use crate::Board;
use lockstep_types::board::{Change, Row, RowKey, Workspace};

/// The changes of one command as they come together, with the numbers it makes ids of.
pub(crate) struct Changes {
    workspace: Workspace,
    numbered: bool,
    list: Vec<Change>,
}

impl Changes {
    pub(crate) fn of(board: &Board) -> Self {
        Self { workspace: board.workspace().clone(), numbered: false, list: Vec::new() }
    }

    /// A new id: `prefix-7`. The prefix is a word, or the id of the workspace, which leaves room for the number.
    pub(crate) fn id<T: TryFrom<String, Error = lockstep_types::InvalidId>>(&mut self, prefix: &str) -> T {
        self.numbered = true;
        self.workspace.last_number = self.workspace.last_number.saturating_add(1);
        let id = format!("{prefix}-{}", self.workspace.last_number);
        T::try_from(id).expect("a short id and a number make an id")
    }

    pub(crate) fn put(&mut self, row: Row) {
        self.list.push(Change::Put(row));
    }

    pub(crate) fn remove(&mut self, key: RowKey) {
        self.list.push(Change::Remove(key));
    }

    pub(crate) fn finish(mut self) -> Vec<Change> {
        if self.numbered {
            self.put(Row::Workspace(self.workspace.clone()));
        }
        self.list
    }
}
