//! A long run: whether memory and disk stay flat while runs come and go.

use crate::host::{Host, Shape};
use crate::load::{self, Until};
use crate::machine;
use crate::report::Sample;
use anyhow::Result;
use std::path::Path;
use std::sync::Arc;

/// The most a long run may be asked for: hours, and without retention 16 GB.
pub(crate) const RUNS_MAX: u64 = 1_000_000;
/// Moments that are looked at: enough for a smooth line.
const SAMPLES: u64 = 100;
const IN_FLIGHT: u32 = 64;

pub(crate) async fn measure(host: Arc<Host>, folder: &Path, runs: u64) -> Result<Vec<Sample>> {
    println!("\na long run\n  {:>9} {:>10} {:>12} {:>10}", "runs", "disk MB", "resident MB", "steps/s");
    let (mut samples, mut finished) = (Vec::new(), 0);
    while finished < runs {
        let next = (runs / SAMPLES).max(1).min(runs - finished);
        let load = load::measure(&host, Shape::CommitPerRun, IN_FLIGHT, Until::Count(next)).await?;
        finished += load.runs;
        let sample = Sample {
            runs: finished,
            disk_mb: machine::bytes_below(folder)? as f64 / 1e6,
            resident_mb: machine::resident_mb("self")?,
            steps_per_second: load.steps_per_second(),
        };
        let Sample { disk_mb, resident_mb, steps_per_second, .. } = sample;
        if samples.len() % 10 == 9 || finished == runs {
            println!("  {finished:>9} {disk_mb:>10.1} {resident_mb:>12.1} {steps_per_second:>10.0}");
        }
        samples.push(sample);
    }
    crate::close(host).await?;
    Ok(samples)
}
