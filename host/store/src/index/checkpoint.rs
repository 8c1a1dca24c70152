//! How far sled has followed the log, and what is known of the segments.

use crate::log::{Place, Position};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// Its file within the folder of the index.
const FILE: &str = "checkpoint.json";
/// Bytes of it that are read: a line for each segment of a log far larger than any disk here.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What a frame needs for a value beside the value: its line in the table, with a key of usual length.
const VALUE_OVERHEAD: u64 = 48;

/// As it is stored. Whatever cannot be read of it counts as no checkpoint: the index is made anew.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// sled has, on the device, what the frames before it say.
    pub(super) through: Position,
    /// Number of the last of those frames.
    pub(super) number: Option<u64>,
    pub(super) usage: Usage,
    /// The life of the machine in which sled's file was written to.
    boot: Option<String>,
    /// Nothing was written to sled since.
    is_clean: bool,
}

/// How much of each segment is still needed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Usage(pub(crate) BTreeMap<u32, SegmentUsage>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentUsage {
    pub(crate) bytes: u64,
    /// Of values that were replaced or removed. Nearly right: what a crash made to be read again may count twice.
    pub(crate) dead: u64,
}

impl Usage {
    pub(super) fn grew(&mut self, end: Position) {
        self.0.entry(end.segment).or_default().bytes = u64::from(end.offset);
    }

    pub(super) fn died(&mut self, place: &Place) {
        self.0.entry(place.at.segment).or_default().dead += u64::from(place.len) + VALUE_OVERHEAD;
    }
}

impl Checkpoint {
    pub(super) fn read(folder: &Path) -> Self {
        let read = || -> io::Result<Self> {
            let path = folder.join(FILE);
            if fs::metadata(&path)?.len() > FILE_BYTES_MAX {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            Ok(serde_json::from_slice(&fs::read(path)?)?)
        };
        read().unwrap_or_default()
    }

    /// Whether sled's file holds what was written to it. Only a crash of the machine can make it hold something else, as
    /// parts of it may have been on their way to the device, in any order.
    pub(super) fn is_trusted(&self) -> bool {
        self.number.is_some() && (self.is_clean || (self.boot.is_some() && self.boot == boot()))
    }

    /// Says that sled is about to be written to.
    pub(super) fn begin(&mut self, folder: &Path) -> io::Result<()> {
        self.is_clean = false;
        self.boot = boot();
        self.write(folder)
    }

    /// Says how far sled has come, on the device.
    pub(super) fn reach(
        &mut self,
        folder: &Path,
        (through, number): (Position, u64),
        usage: Usage,
        is_clean: bool,
    ) -> io::Result<()> {
        *self = Self { through, number: Some(number), usage, boot: boot(), is_clean };
        self.write(folder)
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        let unfinished = folder.join(format!("{FILE}.tmp"));
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, folder.join(FILE))?;
        File::open(folder)?.sync_all()
    }
}

/// What tells this life of the machine from others, where the system says it.
fn boot() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
