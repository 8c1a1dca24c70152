//! Seeded simulation of a whole host: many runs over the real driver and engine, while the disk fills up, jobs are late
//! or evicted, people answer twice, and the host crashes and comes back. What must hold is checked after every crash and
//! at the end.
//!
//! It never calls WebAssembly, never touches disk or network, and reads no real time: a seed is the whole history.

mod board;
mod check;
mod executor;
mod life;
mod outside;
mod people;
mod pipeline;
mod random;
mod swaps;
mod truth;
mod world;

pub use swaps::{Swaps, swap};
pub use world::{Broken, Ended, Faults, simulate};

#[cfg(test)]
mod tests {
    use super::{Faults, simulate};
    use std::collections::BTreeMap;

    /// Enough to meet every fault hundreds of times, few enough to wait for.
    const SEEDS: u64 = 2000;

    fn hold(seeds: impl Iterator<Item = u64>) {
        let mut faults = Faults::default();
        let mut board: BTreeMap<&str, u64> = BTreeMap::new();
        for seed in seeds {
            let ended = simulate(seed).unwrap_or_else(|broken| panic!("{broken}"));
            faults += ended.faults;
            for (what, times) in ended.board {
                *board.entry(what).or_default() += times;
            }
        }
        assert!(board.values().all(|times| *times > 0), "something never happened on a board: {board:?}");
        let Faults {
            lost_commits,
            untold_commits,
            failed_commits,
            jobs_begun_again,
            effects_asked_again,
            refusals,
        } = faults;
        let in_store = [lost_commits, untold_commits, failed_commits];
        let all = [in_store, [jobs_begun_again, effects_asked_again, refusals]].concat();
        assert!(all.iter().all(|times| *times > 0), "something never went wrong: {faults:?}");
    }

    #[test]
    fn what_must_hold_holds_under_faults_for_even_seeds() {
        hold((0..SEEDS).step_by(2));
    }

    #[test]
    fn what_must_hold_holds_under_faults_for_odd_seeds() {
        hold((1..SEEDS).step_by(2));
    }

    #[test]
    fn the_same_seed_gives_the_same_log_to_the_byte() {
        for seed in 1000..1010 {
            let ends = [(); 2].map(|()| simulate(seed).unwrap());
            assert_eq!(ends[0], ends[1], "seed {seed}");
        }
    }
}
