//! File systems of their own, where they can be had: the machine loses power, the disk is full, nothing may be written.

use crate::killed::{acknowledgements, child, expect_acknowledged};
use lockstep_ports::{Commit, Journal, JournalError};
use lockstep_store::{OpenError, SledStore};
use lockstep_testkit::samples::{commit, run_id};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const IMAGE_BYTES: u64 = 96 * 1024 * 1024;

/// A file system of its own for a test, if one can be had here.
struct Mounted(tempfile::TempDir);

impl Mounted {
    /// An image that is mounted, or none where that is not possible: then the test says so and is left out.
    fn fresh(image: &Path, bytes: u64) -> Option<Self> {
        fs::File::create(image).unwrap().set_len(bytes).unwrap();
        let made = Command::new("mkfs.ext4").arg("-q").arg(image).stderr(Stdio::null()).status();
        let mounted = made.is_ok_and(|made| made.success()).then(|| Self::new(image, "loop")).flatten();
        if mounted.is_none() {
            drop(writeln!(std::io::stderr().lock(), "skipped: no file system can be mounted here"));
        }
        mounted
    }

    fn new(image: &Path, options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-o", options]).arg(image).arg(folder.path()).stderr(Stdio::null());
        mount.status().ok()?.success().then_some(Self(folder))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        Command::new("umount").arg(self.0.path()).status().unwrap();
    }
}

/// What reached the device of a file system at some instant is all there is afterwards. The store's files are on it, and
/// what they held in memory only is gone.
#[tokio::test]
async fn what_was_acknowledged_is_on_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    let Some(device) = Mounted::fresh(&image, IMAGE_BYTES) else { return };
    let mut acknowledged: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for (round, commits) in [80, 300, 700].into_iter().enumerate() {
        let data = device.0.path().join("data");
        let mut child = child("killed::child_that_commits", &data, "");
        let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
        let at_that_instant = folder.path().join(format!("image-{round}"));
        let mut seen = 0;
        let mut known = acknowledged.clone();
        acknowledgements(&mut child, |position, run_and_seq| {
            seen += 1;
            acknowledged.insert(position, run_and_seq);
            if seen <= commits {
                known.insert(position, run_and_seq);
            }
            if seen == commits {
                kill_process(pid, Signal::STOP).unwrap();
                fs::copy(&image, &at_that_instant).unwrap();
                kill_process(pid, Signal::KILL).unwrap();
            }
        });
        child.wait().unwrap();
        let after = Mounted::new(&at_that_instant, "loop").expect("it could be mounted before");
        let data = after.0.path().join("data");
        let checkpoint = data.join("journal/index/checkpoint.json");
        let text = fs::read_to_string(&checkpoint).unwrap();
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        fs::write(&checkpoint, text.replace(boot.trim(), "another life")).unwrap();
        expect_acknowledged(&data, &known).await;
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_goes_on_when_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let Some(device) = Mounted::fresh(&folder.path().join("image"), 16 * 1024 * 1024) else { return };
    let (data, ballast) = (device.0.path().join("data"), device.0.path().join("ballast"));
    let store = SledStore::open(&data).unwrap();
    let mut seq = 0;
    for _ in 0..3 {
        let mut file = fs::File::create(&ballast).unwrap();
        while file.write_all(&[0; 65536]).is_ok() {}
        let mut refused = 0;
        while refused < 5 {
            let commit = Commit { record: vec![b'x'; 10_000], ..commit(&run_id(1), seq + 1) };
            match store.commit(commit).await {
                Ok(_) => seq += 1,
                Err(error @ JournalError::Full { .. }) => {
                    assert!(error.to_string().contains("the disk is full; free some space"), "{error}");
                    refused += 1;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(store.row(&run_id(1)).await.unwrap().map_or(0, |row| row.seq), seq);
        fs::remove_file(&ballast).unwrap();
        store.commit(commit(&run_id(1), seq + 1)).await.unwrap();
        seq += 1;
    }
    store.close();
    let store = SledStore::open(&data).unwrap();
    assert_eq!(store.records(&run_id(1), 1).await.unwrap().len() as u64, seq);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    let Some(device) = Mounted::fresh(&image, 16 * 1024 * 1024) else { return };
    let store = SledStore::open(device.0.path().join("data")).unwrap();
    store.commit(commit(&run_id(1), 1)).await.unwrap();
    store.close();
    drop(device);
    let device = Mounted::new(&image, "loop,ro").expect("it could be mounted before");
    let Err(error) = SledStore::open(device.0.path().join("data")) else { panic!("opened") };
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
    drop(device);
    let device = Mounted::new(&image, "loop").expect("it could be mounted before");
    assert_eq!(SledStore::open(device.0.path().join("data")).unwrap().feed_end(), 1);
}
