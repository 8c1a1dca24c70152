//! The machine loses power while a batch is on its way to the device: any of its sectors may have arrived, and the file may
//! have any length in between.

use super::recover::replay;
use super::{Log, Position, Writer};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
const FRAMES: u64 = 8;
const CRASHES: u64 = 300;

/// Numbers without a pattern, the same for each seed.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

fn value(batch: u64, frame: u64) -> Bytes {
    vec![u8::try_from(batch * FRAMES + frame).unwrap(); usize::try_from(frame * 331 % 1500).unwrap()].into()
}

fn key(batch: u64, frame: u64) -> Vec<u8> {
    format!("{batch} {frame}").into_bytes()
}

fn write(writer: &mut Writer, number: u64) {
    let mut batch = writer.batch().unwrap();
    for frame in 0..FRAMES {
        batch.add(&[(key(number, frame), Some(value(number, frame)))]);
    }
    writer.write(&batch).unwrap();
}

/// Opens a log as the store does; what it holds, in order, and its writer.
fn recovered(folder: &Path) -> (Vec<Vec<u8>>, Writer) {
    let log = Arc::new(Log::new(folder.to_owned()).unwrap());
    let mut found = BTreeMap::new();
    let end = replay(&log, (Position::default(), None), |_, number, placed| {
        for (key, place) in placed {
            let value = log.read(&place.unwrap()).expect("what counts can be read");
            assert_eq!(found.insert(number, (key, value)), None);
        }
        Ok(())
    });
    let end = end.unwrap();
    assert!(end.damage.is_empty(), "{:?}", end.damage);
    let writer = Writer::resume(log, end.position.unwrap(), end.number).unwrap();
    (found.into_values().map(|(key, _)| key).collect(), writer)
}

#[test]
fn all_that_was_acknowledged_is_found_and_of_the_rest_what_comes_before_the_first_gap() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(Log::new(folder.path().to_owned()).unwrap());
    let path = log.path(1);
    let mut writer = Writer::begin(log, 1, 0).unwrap();
    write(&mut writer, 1);
    write(&mut writer, 2);
    let before = fs::read(&path).unwrap();
    write(&mut writer, 3);
    let after = fs::read(&path).unwrap();
    let expected: Vec<Vec<u8>> =
        (1..=3).flat_map(|batch| (0..FRAMES).map(move |frame| key(batch, frame))).collect();
    let acknowledged = usize::try_from(2 * FRAMES).unwrap();
    for crash in 1..=CRASHES {
        let mut seed = crash;
        let lost = 1 + random(&mut seed) % 20;
        let len =
            before.len() + usize::try_from(random(&mut seed)).unwrap() % (after.len() - before.len() + 1);
        let mut image = after[..len].to_vec();
        for sector in image[before.len()..].chunks_mut(SECTOR) {
            if random(&mut seed).is_multiple_of(lost) {
                sector.fill(0);
            }
        }
        fs::write(&path, &image).unwrap();
        let (found, mut writer) = recovered(folder.path());
        assert!(found.len() >= acknowledged, "crash {crash}: {} frames", found.len());
        assert_eq!(found, expected[..found.len()], "crash {crash}");
        // The life after it goes on from there, and its own writes are found.
        write(&mut writer, 4);
        let (again, _) = recovered(folder.path());
        assert_eq!(again.len(), found.len() + usize::try_from(FRAMES).unwrap(), "crash {crash}");
    }
}

/// What was on the device and is not any more is damage, which is told, and not the end.
#[test]
fn a_sector_lost_of_what_was_acknowledged_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(Log::new(folder.path().to_owned()).unwrap());
    let mut writer = Writer::begin(Arc::clone(&log), 1, 0).unwrap();
    (1..=3).for_each(|batch| write(&mut writer, batch));
    let whole = fs::read(log.path(1)).unwrap();
    let begin_of_last = 16 + (whole.len() - 16) / 3 * 2;
    for at in (16..begin_of_last - SECTOR).step_by(SECTOR) {
        let mut image = whole.clone();
        image[at..at + SECTOR].fill(0);
        fs::write(log.path(1), &image).unwrap();
        let mut frames = 0;
        let end = replay(&log, (Position::default(), None), |_, _, _| {
            frames += 1;
            Ok(())
        });
        let end = end.unwrap();
        assert_eq!((end.number, end.torn, end.damage.is_empty()), (3 * FRAMES, 0, false), "sector at {at}");
        assert!(frames >= 3 * FRAMES - 8, "sector at {at}: {frames} frames");
    }
}
