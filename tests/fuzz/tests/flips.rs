//! Every bit of stored records, flipped one by one: an error, or caught by the digests around it; never a panic, and never
//! another result.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use lockstep_engine::Recorded;
use lockstep_fuzz::{Sample, samples, target};
use lockstep_types::{Digest, RunId, RunRow, TurnRecord};

/// `bytes` with each of its bits flipped, one at a time.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len() * 8).map(move |bit| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        (bit, bytes)
    })
}

fn run() -> RunId {
    "run-1".parse().unwrap()
}

/// One bit of each byte, another one from byte to byte: whole journals are folded for each.
fn thinned(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    flipped(bytes).filter(|(bit, _)| bit % 8 == bit / 8 % 8)
}

/// Whether what `lockstep verify` compares tells that something is wrong.
fn is_noticed(records: &[Vec<u8>], row: &RunRow) -> bool {
    match Recorded::replay(&run(), records.iter().map(Vec::as_slice)) {
        Err(error) => !error.to_string().contains('\n'),
        Ok(recorded) => !recorded.problems_of(row).is_empty(),
    }
}

#[test]
fn a_flipped_bit_of_any_record_is_noticed() {
    for Sample { name, records, recorded } in samples() {
        let row = recorded.row();
        assert!(!is_noticed(&records, &row), "{name}: the sample itself is whole");
        for at in 0..records.len() {
            for (bit, damaged) in thinned(&records[at]) {
                let mut records = records.clone();
                records[at] = damaged;
                assert!(is_noticed(&records, &row), "{name}: bit {bit} of record {at}");
            }
        }
    }
}

/// A record read by itself, as a timeline or a backtest does: it is an error, or its digest is another one.
#[test]
fn a_flipped_record_never_passes_for_the_one_that_was_written() {
    for Sample { name, records, .. } in samples() {
        let mut previous = Digest::zero();
        for (bytes, seq) in records.iter().zip(1..) {
            let (_, head) = TurnRecord::decode(bytes, &run(), seq, previous).unwrap();
            for (bit, damaged) in thinned(bytes) {
                if let Ok((_, other)) = TurnRecord::decode(&damaged, &run(), seq, previous) {
                    assert_ne!(other, head, "{name}: bit {bit} of record {seq}");
                }
            }
            previous = head;
        }
    }
}

/// A row that was damaged is unreadable, says the same in another spelling, or is not that of its journal.
#[test]
fn a_flipped_bit_of_a_row_is_noticed_against_its_journal() {
    for Sample { name, recorded, .. } in samples() {
        let row = recorded.row();
        for (bit, damaged) in flipped(&serde_json::to_vec(&row).unwrap()) {
            let Ok(read) = serde_json::from_slice::<RunRow>(&damaged) else { continue };
            let says_the_same = read == row || read.summary.waiting != row.summary.waiting;
            assert!(says_the_same || !recorded.problems_of(&read).is_empty(), "{name}: bit {bit}");
        }
    }
}

/// Rows of boards, registries and lists, and journals whose chain was mended: read without a panic, whatever they say.
#[test]
fn no_flipped_bit_is_a_panic() {
    for (name, kept) in [("rows", "item"), ("rows", "workspace"), ("rows", "jobs"), ("signature", "key")] {
        let bytes = std::fs::read(lockstep_fuzz::path("corpus").join(name).join(kept)).unwrap();
        let target = target(name).unwrap();
        for (_, damaged) in flipped(&bytes) {
            (target.run)(&damaged);
        }
    }
}
