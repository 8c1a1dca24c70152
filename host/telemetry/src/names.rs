use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

/// Names of one sort that are counted apart. They come from pipelines and registries, which anybody may fill.
const NAMES_MAX: usize = 100;

/// Stands for all further ones.
const OTHER: &str = "other";

/// The names that are counted apart: the first so many.
#[derive(Debug, Default)]
pub(crate) struct Names(RwLock<BTreeSet<String>>);

impl Names {
    /// The name it is counted under.
    pub(crate) fn bounded(&self, name: &str) -> String {
        if self.0.read().unwrap_or_else(PoisonError::into_inner).contains(name) {
            return name.to_owned();
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= NAMES_MAX && !known.contains(name) {
            return OTHER.to_owned();
        }
        known.insert(name.to_owned());
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{NAMES_MAX, Names};

    #[test]
    fn no_more_names_are_told_apart_than_fit() {
        let names = Names::default();
        for number in 0..NAMES_MAX {
            assert_eq!(names.bounded(&number.to_string()), number.to_string());
        }
        assert_eq!(names.bounded("one too many"), "other");
        assert_eq!(names.bounded("0"), "0");
    }
}
