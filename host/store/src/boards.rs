//! Rows of boards: one value each, so that a command writes only what it changes.

use crate::committer::RowWrite;
use crate::error::{Failure, Shared};
use crate::keys;
use crate::log::frame::KEY_BYTES_MAX;
use crate::view::View;
use lockstep_ports::BoardCommit;
use lockstep_types::SCHEMA_VERSION;
use lockstep_types::board::{Change, Row, WorkspaceId};
use serde::{Deserialize, Serialize};

/// A row as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored<R> {
    schema: u16,
    row: R,
}

/// What of a row every version can read.
#[derive(Deserialize)]
struct Probe {
    schema: u16,
}

/// The writes that make a commit true.
pub(crate) fn encode(commit: &BoardCommit) -> Result<Vec<RowWrite>, Failure> {
    let write = |change: &Change| match change {
        Change::Put(row) => {
            let key = keys::board(&commit.workspace, &row.key());
            let value = serde_json::to_vec(&Stored { schema: SCHEMA_VERSION, row });
            value.map(|value| (key, Some(value.into())))
        }
        Change::Remove(key) => Ok((keys::board(&commit.workspace, key), None)),
    };
    let writes: Result<Vec<RowWrite>, _> = commit.changes.iter().map(write).collect();
    let writes = writes.map_err(|error| Failure::Io("encode a row of a board", Shared::new(error)))?;
    if writes.iter().any(|(key, _)| key.len() > KEY_BYTES_MAX) {
        let why = format!("the key of a row may have {KEY_BYTES_MAX} bytes");
        return Err(Failure::Io("write a row of a board", Shared::new(why)));
    }
    Ok(writes)
}

/// The rows of all boards, by key.
pub(crate) fn all(view: &View) -> Result<Vec<(WorkspaceId, Row)>, Failure> {
    view.all(keys::BOARDS)?.iter().map(|(key, value)| decode(key, value)).collect()
}

fn decode(key: &[u8], bytes: &[u8]) -> Result<(WorkspaceId, Row), Failure> {
    let place = String::from_utf8_lossy(&key[keys::BOARDS.len()..]).into_owned();
    let damaged = |why: String| Failure::Damaged("a row of a board", Shared::new(format!("{place}: {why}")));
    let workspace = place.split('/').next().unwrap_or_default();
    let workspace = workspace.parse().map_err(|error| damaged(format!("{error}")))?;
    // A newer format may well be unreadable: that is what to say of it.
    match serde_json::from_slice::<Probe>(bytes) {
        Ok(probe) if probe.schema > SCHEMA_VERSION => Err(damaged(format!(
            "it has format {}, this version reads up to {SCHEMA_VERSION}: upgrade lockstep",
            probe.schema
        ))),
        _ => match serde_json::from_slice::<Stored<Row>>(bytes) {
            Ok(stored) => Ok((workspace, stored.row)),
            Err(error) => Err(damaged(error.to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use lockstep_ports::BoardCommit;
    use lockstep_types::board::{Change, Row, Settings};

    #[test]
    fn a_row_of_a_newer_version_is_refused_and_an_unreadable_one_is_named() {
        let row = Row::Settings(Settings::default());
        let workspace: lockstep_types::board::WorkspaceId = "shop".parse().unwrap();
        let commit = BoardCommit { workspace: workspace.clone(), changes: vec![Change::Put(row.clone())] };
        let (key, value) = encode(&commit).unwrap().remove(0);
        assert_eq!(decode(&key, &value.unwrap()).unwrap(), (workspace, row));
        let told = |bytes: &[u8]| format!("{:?}", decode(&key, bytes).unwrap_err());
        let newer = told(br#"{"schema": 99, "row": {"hologram": {}}}"#);
        assert!(newer.contains("shop/settings: it has format 99, this version reads up to 1"), "{newer}");
        let damaged = told(br#"{"schema": 1, "row": {"settings": 7}}"#);
        assert!(damaged.contains("shop/settings: invalid type"), "{damaged}");
    }
}
