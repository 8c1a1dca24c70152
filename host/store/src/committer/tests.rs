use super::*;
use lockstep_testkit::samples::{record, row, run_id};
use lockstep_types::RunStatus;
use std::sync::RwLock;
use std::sync::atomic::AtomicU64;

fn committer(folder: &std::path::Path) -> Committer {
    let inner = Inner {
        folder: folder.to_owned(),
        components: folder.to_owned(),
        access: RwLock::new(Access::Open(open::open(folder).unwrap())),
        feed_end: AtomicU64::new(0),
    };
    Committer::new(Arc::new(inner), mpsc::channel(1).1)
}

fn turn(seq: u64, token: Option<&str>) -> Write {
    Write::Turn {
        run: run_id(1),
        seq,
        is_live: true,
        row: serde_json::to_vec(&row(&run_id(1), seq, RunStatus::Running)).unwrap(),
        record: record(&run_id(1), seq),
        token: token.map(str::to_owned),
        has_cards: false,
        board: Vec::new(),
    }
}

fn serve(committer: &mut Committer, write: Write) -> Result<u64, JournalError> {
    let (reply, mut answer) = oneshot::channel();
    committer.serve(vec![Request { write, reply }]);
    answer.try_recv().unwrap()
}

/// A flush may fail after sled has put the batch into its log, where it is found again.
#[test]
fn a_batch_that_was_refused_but_reached_the_log_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = committer(folder.path());
    assert_eq!(serve(&mut committer, turn(1, None)).unwrap(), 1);
    let inner = Arc::clone(&committer.inner);
    {
        let mut access = inner.access.write().unwrap();
        let Access::Open(database) = &*access else { panic!("not open") };
        let mut changes = Changes::new(&database.db);
        assert!(stage(&mut changes, &turn(2, Some("token")), 1, "").is_ok());
        let (batch, undo) = changes.finish();
        write(database, batch.unwrap()).unwrap();
        committer.failed = Some(undo);
        close(std::mem::replace(&mut *access, Access::Failed(Failure::Full)));
    }
    let stored = inner.read(|_| Ok(()));
    assert!(matches!(stored, Err(JournalError::Full { .. })), "{stored:?}");
    assert_eq!(serve(&mut committer, turn(2, Some("token"))).unwrap(), 2);
    let again = serve(&mut committer, turn(2, None));
    assert!(matches!(again, Err(JournalError::Conflict { stored: 2, .. })), "{again:?}");
    close(std::mem::replace(&mut *inner.access.write().unwrap(), Access::Closed));
}

#[test]
fn a_damaged_row_holds_up_its_own_run_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = committer(folder.path());
    serve(&mut committer, turn(1, None)).unwrap();
    let inner = Arc::clone(&committer.inner);
    inner.read(|db| Ok(db.insert(keys::row(&run_id(1)), b"\0rot").unwrap())).unwrap();
    let other = Write::Turn {
        run: run_id(2),
        seq: 1,
        is_live: true,
        row: b"{\"seq\":1}".to_vec(),
        record: Vec::new(),
        token: None,
        has_cards: false,
        board: Vec::new(),
    };
    let (replies, mut answers): (Vec<_>, Vec<_>) = (0..2).map(|_| oneshot::channel()).unzip();
    let writes = [turn(2, Some("token")), other];
    let requests = writes.into_iter().zip(replies).map(|(write, reply)| Request { write, reply }).collect();
    committer.serve(requests);
    let damaged = answers[0].try_recv().unwrap();
    assert!(matches!(&damaged, Err(JournalError::Damaged { what, .. }) if what == "a row"), "{damaged:?}");
    assert_eq!(answers[1].try_recv().unwrap().unwrap(), 2);
    close(std::mem::replace(&mut *inner.access.write().unwrap(), Access::Closed));
}
