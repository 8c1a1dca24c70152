//! The folder of one job: what the command is given and gives back, and what the host has to remember of it.

use crate::files::{create_private_dir, read_bounded, read_json, write_durably, write_json};
use crate::launch::Folder;
use lockstep_ports::WorkerFailure;
use lockstep_types::{Digest, JobContext, JobKey, JobOutcome, JobProgress, JobResult, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};

/// Letters of a step's name that are kept in a folder's name, far below what file systems take.
const STEP_NAME_KEPT: usize = 60;

/// Bytes of what a job says of its progress: a hundred parts with long names.
const PROGRESS_MAX: u64 = 64 << 10;

/// A job's folder, `<data>/jobs/<run>/<step>.<number>`.
#[derive(Clone, Debug)]
pub(super) struct JobFolder {
    pub(super) launch: Folder,
}

/// What the host remembers of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct JobRecord {
    pub(super) key: JobKey,
    pub(super) repository: String,
    pub(super) branch: String,
    /// Tip of the head branch when the job first began; every start is from there.
    pub(super) start_commit: String,
    /// Times a supervisor was started.
    pub(super) starts: u32,
    /// What is about to become of it, kept before the branch is moved.
    #[serde(default)]
    pub(super) settled: Option<Settled>,
}

/// A job whose work is committed, but perhaps not yet on its branch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settled {
    /// Where the branch is to be.
    pub(super) tip: String,
    /// Where the branch was just before it was moved.
    pub(super) from: String,
    pub(super) result: JobResult,
}

/// Whom a job was given to last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LeaseRecord {
    /// The name of the lease, which nobody but its worker knows.
    pub(super) lease: String,
    pub(super) worker: String,
    /// When it was given: the time limit of the job counts from there. One that is given again never began before.
    pub(super) granted_at: Timestamp,
    /// Times it was given.
    pub(super) grants: u32,
    /// Whether the lease was taken away again.
    #[serde(default)]
    pub(super) is_lost: bool,
}

/// What a worker said in the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) lease: String,
    pub(super) ended: Ended,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ended {
    Done { result: JobResult, commit: Option<String> },
    NotDone { class: WorkerFailure, message: String },
}

/// A name among the files of a run for what a step asked for under a number; whatever the step is called, it stays there.
pub(crate) fn numbered_name(step: &str, number: u32) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let kept: String = step.chars().map(|c| if is_plain(c) { c } else { '-' }).take(STEP_NAME_KEPT).collect();
    // A name that had to be changed is told from others by what it was.
    let mark = if kept == step && !kept.is_empty() {
        String::new()
    } else {
        format!("~{}", Digest::of(step.as_bytes()).short())
    };
    format!("{kept}{mark}.{number}")
}

impl JobFolder {
    pub(super) fn new(jobs: &Path, key: &JobKey) -> Self {
        let name = numbered_name(&key.step, key.number);
        Self { launch: Folder::new(jobs.join(key.run.as_str()).join(name)) }
    }

    pub(super) fn at(path: PathBuf) -> Self {
        Self { launch: Folder::new(path) }
    }

    pub(super) fn context(&self) -> PathBuf {
        self.launch.file("context.json")
    }

    pub(super) fn result(&self) -> PathBuf {
        self.launch.file("result.json")
    }

    pub(super) fn record(&self) -> io::Result<Option<JobRecord>> {
        read_json(&self.launch.file("job.json"))
    }

    pub(super) fn keep_record(&self, record: &JobRecord) -> io::Result<()> {
        create_private_dir(self.launch.path())?;
        write_json(&self.launch.file("job.json"), record)
    }

    pub(super) fn outcome(&self) -> io::Result<Option<JobOutcome>> {
        read_json(&self.launch.file("outcome.json"))
    }

    pub(super) fn keep_outcome(&self, outcome: &JobOutcome) -> io::Result<()> {
        create_private_dir(self.launch.path())?;
        write_json(&self.launch.file("outcome.json"), outcome)
    }

    pub(super) fn progress_file(&self) -> PathBuf {
        self.launch.file("progress.json")
    }

    /// How far the job says it has come; none if it says nothing that can be read.
    pub(super) fn progress(&self) -> Option<JobProgress> {
        let bytes = read_bounded(&self.progress_file(), PROGRESS_MAX).ok()??;
        Some(serde_json::from_slice::<JobProgress>(&bytes).ok()?.bounded())
    }

    /// What a model answered so far.
    pub(super) fn rounds(&self) -> PathBuf {
        self.launch.file("rounds.json")
    }

    pub(super) fn lease(&self) -> io::Result<Option<LeaseRecord>> {
        read_json(&self.launch.file("lease.json"))
    }

    pub(super) fn keep_lease(&self, lease: &LeaseRecord) -> io::Result<()> {
        create_private_dir(self.launch.path())?;
        write_json(&self.launch.file("lease.json"), lease)
    }

    pub(super) fn answer(&self) -> io::Result<Option<Answer>> {
        read_json(&self.launch.file("answer.json"))
    }

    pub(super) fn keep_answer(&self, answer: &Answer) -> io::Result<()> {
        write_json(&self.launch.file("answer.json"), answer)
    }

    /// Whether the job was stopped, which a later host must know too.
    pub(super) fn is_stopped(&self) -> bool {
        self.launch.file("stopped").exists()
    }

    pub(super) fn mark_stopped(&self) -> io::Result<()> {
        create_private_dir(self.launch.path())?;
        write_durably(&self.launch.file("stopped"), b"")
    }

    /// Writes the context for the command.
    pub(super) fn write_context(&self, context: &JobContext) -> io::Result<()> {
        let document = context_document(context)?;
        let mut text = serde_json::to_string_pretty::<Value>(&document)?;
        text.push('\n');
        write_durably(&self.context(), text.as_bytes())
    }
}

/// The context as whoever carries out a job reads it: JSON that the types keep as text is part of the document.
pub(super) fn context_document(context: &JobContext) -> serde_json::Result<Value> {
    let mut document = serde_json::to_value(context)?;
    document["input"] = context.input.value();
    if let Some(facts) = document["facts"].as_array_mut() {
        for (fact, known) in facts.iter_mut().zip(&context.facts) {
            fact["value"] = known.value.value();
        }
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::JobFolder;
    use lockstep_types::JobKey;
    use std::path::Path;

    fn name(step: &str, number: u32) -> String {
        let key = JobKey { run: "run-1".parse().unwrap(), step: step.into(), number };
        let folder = JobFolder::new(Path::new("/d/jobs"), &key);
        folder.launch.path().strip_prefix("/d/jobs/run-1").unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn no_step_name_leaves_the_folder_of_its_run() {
        assert_eq!(name("build", 1), "build.1");
        assert_eq!(name("Unit_tests-2", 12), "Unit_tests-2.12");
        for hostile in ["..", "../../etc", "/etc", "a/b", "a\0b", "", ".", "a\nb", "grün", &"x".repeat(500)]
        {
            let name = name(hostile, 3);
            assert!(name.contains('~') && name.ends_with(".3") && name.len() < 100, "{name}");
            assert!(!name.contains(['/', '\0', '\n']) && !name.starts_with('.'), "{name}");
        }
        assert_ne!(name("a/b", 1), name("a b", 1));
    }
}
