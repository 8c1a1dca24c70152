//! Answers that are asked for again with their `ETag`: GitHub then answers 304, which costs none of the limit.

use bytes::Bytes;
use std::collections::HashMap;

/// Answers that are kept; a run asks for some ten different ones again and again.
const ANSWERS_MAX: usize = 2000;
/// Bytes of all of them.
const BYTES_MAX: usize = 32 << 20;
/// Largest one that is kept.
const ANSWER_MAX: usize = 2 << 20;

/// An answer as it was given last.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) etag: String,
    pub(super) body: Bytes,
    pub(super) link: Option<String>,
}

/// What was answered last, by what was asked.
#[derive(Debug, Default)]
pub(super) struct Cache {
    answers: HashMap<String, (u64, Kept)>,
    bytes: usize,
    /// Counts uses, to tell which was used last.
    uses: u64,
}

impl Cache {
    pub(super) fn get(&mut self, asked: &str) -> Option<Kept> {
        self.uses += 1;
        let (used, kept) = self.answers.get_mut(asked)?;
        *used = self.uses;
        Some(kept.clone())
    }

    pub(super) fn put(&mut self, asked: &str, kept: Kept) {
        self.remove(asked);
        if kept.body.len() > ANSWER_MAX {
            return;
        }
        while self.answers.len() >= ANSWERS_MAX || self.bytes + kept.body.len() > BYTES_MAX {
            let oldest = self.answers.iter().min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(asked, _)| asked.clone()) else { break };
            self.remove(&oldest);
        }
        self.uses += 1;
        self.bytes += kept.body.len();
        self.answers.insert(asked.to_owned(), (self.uses, kept));
    }

    fn remove(&mut self, asked: &str) {
        if let Some((_, gone)) = self.answers.remove(asked) {
            self.bytes -= gone.body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ANSWER_MAX, ANSWERS_MAX, BYTES_MAX, Cache, Kept};

    fn answer(bytes: usize) -> Kept {
        Kept { etag: "\"a\"".into(), body: vec![b' '; bytes].into(), link: None }
    }

    #[test]
    fn it_stays_within_its_bounds_and_keeps_what_is_used() {
        let mut cache = Cache::default();
        cache.put("used", answer(1));
        for number in 0..ANSWERS_MAX * 2 {
            cache.put(&number.to_string(), answer(10));
            assert!(cache.get("used").is_some());
        }
        assert_eq!(cache.answers.len(), ANSWERS_MAX);
        for number in 0..40 {
            cache.put(&format!("large {number}"), answer(ANSWER_MAX));
            cache.put("the same", answer(ANSWER_MAX));
        }
        assert!(cache.bytes <= BYTES_MAX);
        assert_eq!(cache.bytes, cache.answers.values().map(|(_, kept)| kept.body.len()).sum::<usize>());
        cache.put("the same", answer(ANSWER_MAX + 1));
        assert!(cache.get("the same").is_none(), "nothing stale is left in place of what is too large");
    }
}
