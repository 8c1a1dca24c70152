//! Values that tests need and do not care about.

use lockstep_ports::{
    BacktestCandidate, BacktestCase, BacktestCounts, BacktestFuel, BacktestOutcome, BacktestProgress,
    BacktestReport, BacktestRequest, Commit, FieldDifference, Inspected, LoadError, RegistryChange,
    ServiceError,
};
use lockstep_types::{
    Access, Activation, AuditAction, AuditEntry, Change, ComponentInfo, Descriptor, Digest, Grant,
    ItemStatus, JsonText, RunId, RunRow, RunStatus, RunSummary, SCHEMA_VERSION, Timestamp,
};

/// The world of all samples.
const WORLD: &str = "lockstep:step/step@0.2.0";

/// The id of the `n`th run; ids rise with `n`.
#[must_use]
pub fn run_id(n: u64) -> RunId {
    RunId::new(Timestamp(n), 0)
}

/// A change of a repository.
#[must_use]
pub fn change() -> Change {
    Change {
        repository: "/repo".to_owned(),
        base_branch: "main".to_owned(),
        head_branch: "feature".to_owned(),
        head_commit: Some("1".repeat(40)),
        pull_request: None,
    }
}

/// The row of a run after its record `seq`.
#[must_use]
pub fn row(run: &RunId, seq: u64, status: RunStatus) -> RunRow {
    RunRow {
        schema: SCHEMA_VERSION,
        seq,
        head: Digest::of(&record(run, seq)),
        state: Digest::zero(),
        summary: RunSummary {
            id: run.clone(),
            item: "item-1".to_owned(),
            workspace: None,
            title: format!("title {seq}"),
            pipeline: "standard".to_owned(),
            change: change(),
            status,
            item_status: ItemStatus::InProgress,
            steps_done: 0,
            steps_total: 1,
            waiting: Vec::new(),
            failure: None,
            open_notices: Vec::new(),
            cleanups: 0,
            is_errand: false,
            created_at: Timestamp(1),
            updated_at: Timestamp(seq),
        },
    }
}

/// Bytes that stand for the record `seq` of a run. Journals do not look into records.
#[must_use]
pub fn record(run: &RunId, seq: u64) -> Vec<u8> {
    format!("record {seq} of {run}").into_bytes()
}

/// A commit of `record(run, seq)` while the run goes on.
#[must_use]
pub fn commit(run: &RunId, seq: u64) -> Commit {
    Commit {
        row: row(run, seq, RunStatus::Running),
        record: record(run, seq),
        start_token: None,
        board: None,
    }
}

/// What a component of a kind says of itself: it may do nothing and takes any configuration.
#[must_use]
pub fn descriptor(kind: &str, version: &str) -> Descriptor {
    Descriptor {
        kind: kind.to_owned(),
        version: version.to_owned(),
        state_version: 1,
        summary: format!("a {kind}"),
        config_schema: JsonText::of(&serde_json::json!({})),
        jobs: Vec::new(),
        effects: Vec::new(),
        access: Access::ReadOnly,
        documents: Vec::new(),
        grades: Vec::new(),
        needs: Vec::new(),
    }
}

/// A component that `ScriptedExecutor` accepts: its bytes are its descriptor.
#[must_use]
pub fn component(descriptor: &Descriptor) -> (ComponentInfo, Vec<u8>) {
    let bytes = JsonText::of(descriptor).as_str().as_bytes().to_vec();
    let info = ComponentInfo {
        digest: Digest::of(&bytes),
        size: bytes.len() as u64,
        world: WORLD.to_owned(),
        imports: Vec::new(),
        descriptor: descriptor.clone(),
        added_at: Timestamp(1),
    };
    (info, bytes)
}

/// What the bytes of such a component say of themselves.
///
/// # Errors
/// `NotAComponent` for any other bytes.
pub fn inspected(bytes: &[u8]) -> Result<Inspected, LoadError> {
    let descriptor = serde_json::from_slice(bytes);
    let descriptor: Descriptor =
        descriptor.map_err(|error| LoadError::NotAComponent { reason: error.to_string() })?;
    Ok(Inspected {
        digest: Digest::of(bytes),
        world: WORLD.to_owned(),
        imports: Vec::new(),
        exports: Vec::new(),
        descriptor,
    })
}

/// The pointer of a kind moving to a component.
#[must_use]
pub fn activation(kind: &str, digest: Digest, at: u64) -> Activation {
    Activation {
        kind: kind.to_owned(),
        digest,
        grant: Grant::default(),
        at: Timestamp(at),
        by: "tester".to_owned(),
        reason: "a test".to_owned(),
    }
}

/// A component that is added.
#[must_use]
pub fn added(info: ComponentInfo, bytes: Vec<u8>) -> RegistryChange {
    RegistryChange::Add { info: Box::new(info), bytes }
}

/// Who changed the registry, for stores.
#[must_use]
pub fn audited(action: AuditAction, subject: &str) -> AuditEntry {
    AuditEntry {
        number: 0,
        at: Timestamp(1),
        by: "tester".to_owned(),
        action,
        subject: subject.to_owned(),
        detail: String::new(),
        reason: "a test".to_owned(),
    }
}

/// A backtest of two calls, one of which is decided otherwise: what was asked, as a line, and what was found. A component
/// of kind `other` is refused.
pub fn backtest(
    request: BacktestRequest,
    progress: &dyn Fn(BacktestProgress),
) -> (String, Result<BacktestReport, ServiceError>) {
    let candidate = match &request.candidate {
        BacktestCandidate::Bytes(bytes) => format!("{} bytes", bytes.len()),
        BacktestCandidate::Digest(digest) => digest.clone(),
    };
    let BacktestRequest { kind, last, since, runs, shown, .. } = request;
    let asked = format!("backtest {candidate} for {kind}, {last:?} {since:?} {runs:?} {shown}");
    if kind == "other" {
        return (asked, Err(ServiceError::Invalid("it implements kind gate, not other".to_owned())));
    }
    progress(BacktestProgress { done: 1, of: Some(2), different: 1 });
    (asked, Ok(found(kind)))
}

fn found(kind: String) -> BacktestReport {
    BacktestReport {
        kind,
        candidate: Digest::of(b"two"),
        version: "2".to_owned(),
        runs: 1,
        unreadable_runs: 0,
        counts: BacktestCounts { identical: 1, changed: 1, decided: 1, ..BacktestCounts::default() },
        fuel: BacktestFuel {
            calls: 2,
            recorded: 2000,
            candidate: 2500,
            up: 1,
            down: 0,
            worst_growth_percent: 50,
        },
        cases: vec![BacktestCase {
            run: run_id(1),
            number: 4,
            step: "ci".to_owned(),
            at: Timestamp(1_767_603_600_000),
            made_by: Digest::of(b"one"),
            recorded: "complete green".to_owned(),
            candidate: "wait 500 ms".to_owned(),
            recorded_fuel: 1000,
            candidate_fuel: 1500,
            outcome: BacktestOutcome::Changed {
                differences: vec![FieldDifference {
                    field: "next".to_owned(),
                    recorded: Some("complete green".to_owned()),
                    candidate: Some("wait 500 ms".to_owned()),
                }],
            },
        }],
        is_cut: false,
        took_ms: 12,
    }
}
