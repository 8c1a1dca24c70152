use lockstep_engine::{Recorded, Turn, timeline};
use lockstep_types::{Admission, Digest, Input, RunId, TurnRecord};

/// Records of one input; a run of a few turns shows what more would.
const RECORDS_MAX: usize = 32;

/// Lines of records as they are stored: read as they are, and then once more with their chain mended, so that what they
/// say is folded, shown and continued.
pub(crate) fn fold(data: &[u8]) {
    let id: RunId = "run-1".parse().expect("an id");
    let mut mended = Vec::new();
    let mut head = Digest::zero();
    for (line, seq) in data.split(|byte| *byte == b'\n').take(RECORDS_MAX).zip(1..) {
        if let Ok((record, digest)) = TurnRecord::decode(line, &id, seq, head) {
            assert_eq!(digest, Digest::of(line));
            assert_eq!((&record.run, record.seq, record.previous), (&id, seq, head));
        }
        let Ok(mut record) = serde_json::from_slice::<TurnRecord>(line) else { return };
        (record.run, record.seq, record.previous) = (id.clone(), seq, head);
        let (bytes, digest) = record.encode();
        if record.schema <= lockstep_types::SCHEMA_VERSION {
            // What was written is what is read: above all numbers, which could round.
            assert_eq!(TurnRecord::decode(&bytes, &id, seq, head).as_ref(), Ok(&(record, digest)));
        }
        head = digest;
        mended.push(bytes);
    }
    let Ok(recorded) = Recorded::replay(&id, mended.iter().map(Vec::as_slice)) else { return };
    show(&recorded, &mended);
    go_on(&recorded, &mended);
}

/// Everything that is read off a run without changing it.
fn show(recorded: &Recorded, records: &[Vec<u8>]) {
    let run = &recorded.run;
    let again = Recorded::replay(&run.spec().id, records.iter().map(Vec::as_slice));
    assert_eq!(again.as_ref().map(Recorded::row), Ok(recorded.row()));
    drop((run.outstanding(), run.next_wakeup(), run.has_timer(), run.view(recorded.seq)));
    for bytes in records {
        if let Ok(record) = serde_json::from_slice::<TurnRecord>(bytes) {
            assert!(timeline(run.spec(), &record).iter().all(|entry| entry.seq == record.seq));
        }
    }
}

/// What people and time can do to any run.
fn go_on(recorded: &Recorded, records: &[Vec<u8>]) {
    let by = || "ann".to_owned();
    let inputs = [
        Input::Tick,
        Input::Poke,
        Input::Retry { head_commit: None, by: by() },
        Input::Stop { reason: "enough".to_owned(), class: None, by: by() },
        Input::Pause { by: by(), over_budget: false },
        Input::Resume { by: by() },
        Input::Merged { by: by() },
        Input::TearDown,
    ];
    for input in inputs {
        let now = recorded.run.summary().updated_at;
        let Ok(mut turn) = Turn::begin(Some(recorded), now, &input, Admission::default()) else { continue };
        turn.next_call();
        let Some(finished) = turn.finish() else { continue };
        let all = records.iter().chain([&finished.bytes]).map(Vec::as_slice);
        let replayed = Recorded::replay(&finished.record.run, all);
        assert_eq!(replayed.as_ref().map(Recorded::row), Ok(finished.recorded.row()), "{input:?}");
    }
}
