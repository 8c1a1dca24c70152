use std::collections::VecDeque;

/// Answers given in order; the last one again and again.
#[derive(Clone, Debug)]
pub struct Script<T>(VecDeque<T>);

impl<T: Clone> Script<T> {
    /// The answers in order.
    pub fn new(answers: impl IntoIterator<Item = T>) -> Self {
        Self(answers.into_iter().collect())
    }

    /// The next answer; none if there never was one.
    pub fn next_answer(&mut self) -> Option<T> {
        if self.0.len() > 1 { self.0.pop_front() } else { self.0.front().cloned() }
    }
}

impl<T> Default for Script<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}
