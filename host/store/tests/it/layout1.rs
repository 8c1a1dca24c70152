//! Stores of layout 1, which were a sled database alone.

use lockstep_ports::{Commit, Journal, JournalError};
use lockstep_store::{OpenError, SledStore};
use lockstep_testkit::samples::{commit, record, row, run_id};
use lockstep_types::{Digest, RunStatus};
use std::fs;
use std::path::Path;

const LARGE: usize = 6 * 1024;

/// Puts a value where layout 1 had it: whole, or cut into parts.
fn put(db: &sled::Db, key: &[u8], value: &[u8]) {
    let (head, rest) = value.split_at(value.len().min(LARGE));
    let parts: Vec<&[u8]> = rest.chunks(LARGE).collect();
    for (number, part) in (1_u32..).zip(&parts) {
        db.insert([b"p/", key, &number.to_be_bytes()].concat(), *part).unwrap();
    }
    let count = u32::try_from(parts.len()).unwrap().to_be_bytes();
    let stored =
        if parts.is_empty() { [&[0], head].concat() } else { [&[1], count.as_slice(), head].concat() };
    db.insert(key, stored).unwrap();
}

fn payload(seq: u64) -> Vec<u8> {
    [record(&run_id(1), seq), vec![b'x'; usize::try_from(seq).unwrap() * 10_000]].concat()
}

/// Two records of one run, as version 1 wrote them.
fn old_store(data: &Path) {
    let db = sled::Config::new().path(data.join("journal")).open().unwrap();
    let (run, text) = (run_id(1), run_id(1).to_string());
    put(&db, b"m/schema", b"1");
    put(&db, format!("w/{text}").as_bytes(), &serde_json::to_vec(&row(&run, 2, RunStatus::Running)).unwrap());
    put(&db, format!("l/{text}").as_bytes(), b"");
    put(&db, &[b"t/", Digest::of(b"token").bytes().as_slice()].concat(), text.as_bytes());
    for seq in 1..=2_u64 {
        let key = [b"r/", text.as_bytes(), b"\0", &seq.to_be_bytes()].concat();
        put(&db, &key, &payload(seq));
        put(
            &db,
            &[b"f/", seq.to_be_bytes().as_slice()].concat(),
            &[&seq.to_be_bytes(), text.as_bytes()].concat(),
        );
    }
    db.flush().unwrap();
    drop(db);
    // sled lets go of its lock a moment after it is dropped.
    let file = fs::File::open(data.join("journal/db")).unwrap();
    while file.try_lock().is_err() {
        std::thread::yield_now();
    }
}

async fn expect_all(store: &SledStore) {
    let run = run_id(1);
    assert_eq!(store.records(&run, 1).await.unwrap(), [payload(1), payload(2)]);
    assert_eq!(store.row(&run).await.unwrap(), Some(row(&run, 2, RunStatus::Running)));
    assert_eq!(store.live().await.unwrap(), std::slice::from_ref(&run));
    assert_eq!(store.started_under("token").await.unwrap(), Some(run));
    assert_eq!((store.feed(0, 10).await.unwrap().len(), store.feed_end()), (2, 2));
}

#[tokio::test]
async fn what_layout_1_held_is_there() {
    let data = tempfile::tempdir().unwrap();
    old_store(data.path());
    // A crash may have come while it was brought over.
    fs::create_dir_all(data.path().join("journal/log.new")).unwrap();
    fs::write(data.path().join("journal/log.new/0000000001.log"), "half").unwrap();
    for _ in 0..2 {
        let store = SledStore::open(data.path()).unwrap();
        expect_all(&store).await;
        store.close();
        assert!(!data.path().join("journal/db").exists());
        assert!(!data.path().join("journal/blobs").exists());
    }
    let store = SledStore::open(data.path()).unwrap();
    let again = store.commit(Commit { start_token: Some("token".to_owned()), ..commit(&run_id(2), 1) }).await;
    assert!(matches!(again, Err(JournalError::TokenUsed { .. })), "{again:?}");
    store.commit(Commit { row: row(&run_id(1), 3, RunStatus::Done), ..commit(&run_id(1), 3) }).await.unwrap();
    store.forget(&[run_id(1)]).await.unwrap();
    assert_eq!(store.started_under("token").await.unwrap(), None);
    assert!(store.feed(0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_store_of_layout_1_that_cannot_be_read_is_left_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    fs::create_dir_all(data.path().join("journal")).unwrap();
    let db = data.path().join("journal/db");
    fs::write(&db, vec![0xA5; 100_000]).unwrap();
    let Err(error) = SledStore::open(data.path()) else { panic!("opened") };
    assert!(matches!(error, OpenError::Damaged { .. } | OpenError::Io { .. }), "{error:?}");
    assert!(db.exists() && !data.path().join("journal/log").exists());
}
