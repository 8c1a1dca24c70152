//! `lockstep-sim`: lives through many seeds, and says which of them does not hold.

use clap::Parser;
use lockstep_sim::{Broken, Ended, Faults, Swaps, simulate, swap};
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[derive(Parser)]
#[command(version, about = "Simulates whole hosts under faults, one history for each seed")]
struct Args {
    /// How many seeds
    #[arg(long, default_value_t = 1000)]
    seeds: u32,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Instead, live through so many runs in peace and while every kind is swapped, and compare
    #[arg(long, value_name = "RUNS")]
    swap: Option<u64>,
    /// Print the digest of everything that happened in each history: the same for the same seed
    #[arg(long)]
    digests: bool,
}

/// What many histories came to.
#[derive(Default)]
struct Sum {
    seeds: u32,
    runs: u64,
    turns: u64,
    lives: u64,
    told: u64,
    faults: Faults,
    board: BTreeMap<&'static str, u64>,
}

impl Sum {
    fn add(&mut self, ended: &Ended) {
        self.seeds += 1;
        self.runs += ended.runs;
        self.turns += ended.turns;
        self.lives += ended.lives;
        self.told += ended.told;
        self.faults += ended.faults;
        self.count(&ended.board);
    }

    fn count(&mut self, board: &BTreeMap<&'static str, u64>) {
        for (word, times) in board {
            *self.board.entry(word).or_default() += times;
        }
    }

    fn join(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.runs += other.runs;
        self.turns += other.turns;
        self.lives += other.lives;
        self.told += other.told;
        self.faults += other.faults;
        self.count(&other.board);
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let began = Instant::now();
    if let Some(runs) = args.swap {
        return match swap(args.from, runs)
            .map_err(io::Error::other)
            .and_then(|swaps| report_swaps(runs, &swaps, began.elapsed()))
        {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                drop(writeln!(io::stderr(), "seed {}: {error}", args.from));
                ExitCode::FAILURE
            }
        };
    }
    let (sum, broken) = simulate_all(&args);
    let seconds = began.elapsed().as_secs_f64();
    match report(&sum, &broken, seconds) {
        Ok(()) if broken.is_empty() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Every processor takes its share of the seeds, until one does not hold.
fn simulate_all(args: &Args) -> (Sum, Vec<Broken>) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let is_broken = AtomicBool::new(false);
    let share = |first: usize| {
        let mut sum = Sum::default();
        for seed in (0..u64::from(args.seeds)).skip(first).step_by(threads) {
            if is_broken.load(Ordering::Relaxed) {
                break;
            }
            match simulate(args.from.saturating_add(seed)) {
                Ok(ended) => {
                    if args.digests {
                        drop(writeln!(io::stdout(), "{} {}", args.from.saturating_add(seed), ended.log));
                    }
                    sum.add(&ended);
                }
                Err(broken) => {
                    is_broken.store(true, Ordering::Relaxed);
                    return (sum, Some(broken));
                }
            }
        }
        (sum, None)
    };
    let mut all = Sum::default();
    let mut broken = Vec::new();
    std::thread::scope(|scope| {
        let share = &share;
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || share(first))).collect();
        for worker in workers {
            let (sum, found) = worker.join().expect("a history ends with a report, not with a panic");
            all.join(&sum);
            broken.extend(found);
        }
    });
    (all, broken)
}

fn report_swaps(runs: u64, swaps: &Swaps, took: Duration) -> io::Result<()> {
    let Swaps { activations, repins, migrations, calls, mixed_runs } = swaps;
    writeln!(
        io::stdout(),
        "{runs} runs ended the same without swaps and with {activations} of every kind, in {took:.1?}: {calls} calls, each of \
         the pinned component, {repins} repins, {migrations} migrations, {mixed_runs} runs on both versions of a kind"
    )
}

fn report(sum: &Sum, broken: &[Broken], seconds: f64) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for broken in broken {
        writeln!(out, "{broken}")?;
    }
    let Sum { seeds, runs, turns, lives, told, faults, board } = sum;
    let rate = f64::from(*seeds) / seconds;
    writeln!(out, "{seeds} seeds hold, {rate:.0} a second: {runs} runs in {lives} lives, {turns} turns")?;
    let Faults {
        lost_commits,
        untold_commits,
        failed_commits,
        jobs_begun_again,
        effects_asked_again,
        refusals,
    } = faults;
    writeln!(
        out,
        "{lost_commits} commits lost, {untold_commits} durable that nobody was told of and {failed_commits} refused, {jobs_begun_again} jobs begun again, \
         {effects_asked_again} effects asked for again, people told {told} times yes and {refusals} times no"
    )?;
    let board: Vec<String> = board.iter().map(|(word, times)| format!("{times} {word}")).collect();
    writeln!(out, "on boards: {}", board.join(", "))
}
