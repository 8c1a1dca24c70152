//! The machine loses power: what was not flushed to the device is not there.

use crate::killed::{acknowledgements, child, expect_acknowledged};
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
    fn new(image: &Path) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).arg(image).arg(folder.path()).stderr(Stdio::null());
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
    fs::File::create(&image).unwrap().set_len(IMAGE_BYTES).unwrap();
    let made = Command::new("mkfs.ext4").arg("-q").arg(&image).stderr(Stdio::null()).status();
    let Some(device) = made.is_ok_and(|made| made.success()).then(|| Mounted::new(&image)).flatten() else {
        writeln!(std::io::stderr(), "skipped: no file system can be mounted here").unwrap();
        return;
    };
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
        let after = Mounted::new(&at_that_instant).expect("it could be mounted before");
        let data = after.0.path().join("data");
        let checkpoint = data.join("journal/index/checkpoint.json");
        let text = fs::read_to_string(&checkpoint).unwrap();
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        fs::write(&checkpoint, text.replace(boot.trim(), "another life")).unwrap();
        expect_acknowledged(&data, &known).await;
    }
}
