use lockstep_types::board::Row;
use lockstep_types::{
    Activation, AuditEntry, Canary, ComponentInfo, KindGrant, RunRow, RunSummary, Signature, Stop, Trust,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// A stored row of any sort: what can be read is written and read to the same.
pub(crate) fn row(data: &[u8]) {
    same::<Row>(data);
    same::<RunRow>(data);
    same::<RunSummary>(data);
    same::<ComponentInfo>(data);
    same::<Activation>(data);
    same::<AuditEntry>(data);
    same::<KindGrant>(data);
    same::<Trust>(data);
    same::<Canary>(data);
    same::<Signature>(data);
    same::<Stop>(data);
    if let Ok(row) = serde_json::from_slice::<Row>(data) {
        assert!(!row.key().to_string().contains(char::is_control), "a key of the store is one line");
    }
}

fn same<T: DeserializeOwned + Serialize + Debug + PartialEq>(data: &[u8]) {
    let Ok(row) = serde_json::from_slice::<T>(data) else { return };
    let written = serde_json::to_vec(&row).expect("what was JSON has a JSON form");
    let again = serde_json::from_slice::<T>(&written).expect("what was written is read");
    assert_eq!(row, again);
}
