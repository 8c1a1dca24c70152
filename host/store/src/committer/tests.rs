use super::*;
use crate::open::{self, Opened};
use crate::{keeper, keys};
use lockstep_ports::JournalError;
use lockstep_testkit::samples::{record, row, run_id};
use lockstep_types::RunStatus;
use std::sync::atomic::{AtomicBool, AtomicU64};

fn committer(folder: &std::path::Path) -> Committer {
    let Opened { view, writer, .. } = open::open(folder).unwrap();
    let (_, keeper) = keeper::Keeper::new();
    let inner = Inner {
        folder: folder.to_owned(),
        components: folder.to_owned(),
        view,
        feed_end: AtomicU64::new(0),
        is_closed: AtomicBool::new(false),
        keeper,
    };
    Committer::new(Arc::new(inner), writer, mpsc::channel(1).1)
}

fn turn(n: u64, seq: u64) -> Write {
    Write::Turn(Turn {
        run: run_id(n),
        seq,
        is_live: true,
        has_cards: false,
        row: serde_json::to_vec(&row(&run_id(n), seq, RunStatus::Running)).unwrap().into(),
        record: record(&run_id(n), seq).into(),
        token: (seq == 1).then(|| format!("token {n}")),
        board: Vec::new(),
    })
}

fn serve(committer: &mut Committer, writes: Vec<Write>) -> Vec<Result<u64, JournalError>> {
    let (replies, answers): (Vec<_>, Vec<_>) = writes.iter().map(|_| oneshot::channel()).unzip();
    let requests = writes.into_iter().zip(replies).map(|(write, reply)| Request { write, reply }).collect();
    committer.serve(requests);
    answers.into_iter().map(|mut answer| answer.try_recv().unwrap()).collect()
}

#[test]
fn writes_of_one_batch_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = committer(folder.path());
    let mut answers = serve(&mut committer, vec![turn(1, 1), turn(1, 2), turn(1, 2), turn(2, 1), turn(1, 4)]);
    assert!(matches!(answers.pop(), Some(Err(JournalError::Conflict { stored: 2, .. }))));
    assert!(matches!(answers.pop(), Some(Ok(3))));
    assert!(matches!(answers.pop(), Some(Err(JournalError::Conflict { stored: 2, .. }))));
    assert!(matches!(answers[..], [Ok(1), Ok(2)]));
}

/// A write may fail after it reached the file, where the next start would find it.
#[test]
fn a_batch_that_was_refused_but_reached_the_file_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut committer = committer(folder.path());
        serve(&mut committer, vec![turn(1, 1)]);
        let view = &committer.inner.view;
        let mut staging = Staging::new(view, committer.writer.batch().unwrap());
        assert!(stage(&mut staging, &view.log, &turn(1, 2), 1, "").is_ok());
        staging.end_write();
        committer.writer.tear(&staging.finish().0);
        assert!(matches!(serve(&mut committer, vec![turn(2, 1)])[..], [Ok(2)]));
    }
    let committer = committer(folder.path());
    let view = &committer.inner.view;
    assert!(view.contains(&keys::record(&run_id(2), 1)).unwrap());
    assert!(!view.contains(&keys::record(&run_id(1), 2)).unwrap());
}

#[test]
fn a_damaged_value_holds_up_its_own_run_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = committer(folder.path());
    serve(&mut committer, vec![turn(1, 1)]);
    let place = committer.inner.view.index.get(&keys::token("token 1")).unwrap().unwrap();
    let path = committer.inner.view.log.path(place.at.segment);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[place.at.offset as usize] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let Write::Turn(same_token) = turn(1, 1) else { unreachable!() };
    let same_token = Write::Turn(Turn { run: run_id(3), ..same_token });
    let answers = serve(&mut committer, vec![same_token, turn(2, 1)]);
    assert!(
        matches!(&answers[0], Err(JournalError::Damaged { what, .. }) if what == "a value"),
        "{answers:?}"
    );
    assert!(matches!(answers[1], Ok(2)));
}
