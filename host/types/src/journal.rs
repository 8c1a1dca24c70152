use crate::{Digest, Event, RunId, RunSummary, Timestamp};
use serde::{Deserialize, Serialize};

/// Version of the stored records. A newer one is refused, an older one is migrated when read.
pub const SCHEMA_VERSION: u16 = 1;

/// What most records have room in: growing to it by doubling copies them over and over.
const USUAL_BYTES: usize = 8 << 10;

/// Everything one turn of a run made true, committed in one write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnRecord {
    /// `SCHEMA_VERSION` of the writer.
    pub schema: u16,
    /// The run.
    pub run: RunId,
    /// Position in the run's journal, from 1 without gaps.
    pub seq: u64,
    /// Digest of the stored bytes of the record before this one; zero for the first.
    pub previous: Digest,
    /// Time of the input that began the turn.
    pub at: Timestamp,
    /// What became true, in order.
    pub events: Vec<Event>,
}

/// A journal whose records do not follow from each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The bytes are not a record.
    #[error("record {seq} of {run} cannot be read: {reason}")]
    Unreadable {
        /// Run it was stored for.
        run: String,
        /// Position it was stored at.
        seq: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// It was written by a newer version.
    #[error("record {seq} of {run} has format {found}, this version reads up to {known}: upgrade lockstep")]
    Newer {
        /// Run it was stored for.
        run: String,
        /// Position it was stored at.
        seq: u64,
        /// Its schema version.
        found: u16,
        /// `SCHEMA_VERSION`.
        known: u16,
    },
    /// It is not the record that should stand here, or the one before it was altered.
    #[error(
        "record {seq} of {run} does not continue the record before it: the journal was altered or damaged"
    )]
    Broken {
        /// Run it was stored for.
        run: String,
        /// Position it was stored at.
        seq: u64,
    },
}

impl TurnRecord {
    /// The stored form, and the digest the next record must name.
    #[must_use]
    pub fn encode(&self) -> (Vec<u8>, Digest) {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        serde_json::to_writer(&mut bytes, self)
            .expect("texts, numbers and maps with text keys have a JSON form");
        let digest = Digest::of(&bytes);
        (bytes, digest)
    }

    /// Reads the record stored at `seq` of `run`, which must follow the record with digest `previous`.
    ///
    /// # Errors
    /// `ChainError` if the bytes are not that record.
    pub fn decode(
        bytes: &[u8],
        run: &RunId,
        seq: u64,
        previous: Digest,
    ) -> Result<(Self, Digest), ChainError> {
        #[derive(Deserialize)]
        struct Probe {
            schema: u16,
        }
        let newer = |found| ChainError::Newer { run: run.to_string(), seq, found, known: SCHEMA_VERSION };
        let unreadable = |reason: serde_json::Error| ChainError::Unreadable {
            run: run.to_string(),
            seq,
            reason: reason.to_string(),
        };
        let record: Self = match serde_json::from_slice(bytes) {
            Ok(record) => record,
            // A newer format may well be unreadable: that is what to say of it.
            Err(error) => match serde_json::from_slice::<Probe>(bytes) {
                Ok(probe) if probe.schema > SCHEMA_VERSION => return Err(newer(probe.schema)),
                _ => return Err(unreadable(error)),
            },
        };
        if record.schema > SCHEMA_VERSION {
            return Err(newer(record.schema));
        }
        if record.run != *run || record.seq != seq || record.previous != previous {
            return Err(ChainError::Broken { run: run.to_string(), seq });
        }
        Ok((record, Digest::of(bytes)))
    }
}

/// What is stored of a run beside its journal: enough to list it without reading the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// `SCHEMA_VERSION` of the writer.
    pub schema: u16,
    /// Position of the last record.
    pub seq: u64,
    /// Digest of the last record.
    pub head: Digest,
    /// Digest of the run that folding the journal must give.
    pub state: Digest,
    /// What lists show.
    pub summary: RunSummary,
}
