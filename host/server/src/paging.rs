//! Lists, a page at a time.

use crate::problem::{self, Problem};
use base64ct::{Base64UrlUnpadded, Encoding};
use schemars::JsonSchema;
use serde::Deserialize;

/// Rows of a page when nobody says how many.
const LIMIT: usize = 100;

/// Most rows of a page: some hundred kilobytes of JSON for most of them.
pub(crate) const LIMIT_MAX: usize = 500;

/// Which part of a list is wanted.
#[derive(Default, Deserialize, JsonSchema)]
pub(crate) struct Paging {
    /// At most so many rows.
    #[schemars(range(min = 1, max = 500), extend("default" = 100))]
    limit: Option<usize>,
    /// What comes after the page that answered this as `next`.
    #[schemars(length(max = 1024))]
    after: Option<String>,
}

impl Paging {
    /// How many rows are wanted.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        let limit = self.limit.unwrap_or(LIMIT);
        if (1..=LIMIT_MAX).contains(&limit) {
            return Ok(limit);
        }
        Err(Problem::new(problem::INVALID, format!("`limit` must be 1 to {LIMIT_MAX}")))
    }

    /// The page of `rows`, and what leads to the one after it. `key` names a row among all of the list. A list whose rows
    /// were removed in the meantime goes on at the same place.
    pub(crate) fn cut<T>(
        &self,
        mut rows: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> Result<(Vec<T>, Option<String>), Problem> {
        let limit = self.limit()?;
        let begin = match &self.after {
            Some(cursor) => {
                let (place, last) = decoded(cursor).ok_or_else(foreign)?;
                let last = rows.iter().position(|row| key(row) == last);
                last.map_or(place, |last| last + 1).min(rows.len())
            }
            None => 0,
        };
        let end = begin.saturating_add(limit).min(rows.len());
        let is_more = end < rows.len();
        rows.truncate(end);
        let page = rows.split_off(begin);
        let next = page.last().filter(|_| is_more).map(|last| encoded(end, &key(last)));
        Ok((page, next))
    }
}

fn foreign() -> Problem {
    Problem::new(problem::INVALID, "`after` must be what an earlier page answered as `next`")
}

fn encoded(place: usize, key: &str) -> String {
    Base64UrlUnpadded::encode_string(format!("{place}/{key}").as_bytes())
}

fn decoded(cursor: &str) -> Option<(usize, String)> {
    let text = String::from_utf8(Base64UrlUnpadded::decode_vec(cursor).ok()?).ok()?;
    let (place, key) = text.split_once('/')?;
    Some((place.parse().ok()?, key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::Paging;

    fn page(rows: &[u32], limit: usize, after: Option<String>) -> (Vec<u32>, Option<String>) {
        let paging = Paging { limit: Some(limit), after };
        paging.cut(rows.to_vec(), u32::to_string).unwrap()
    }

    #[test]
    fn pages_follow_each_other_whatever_is_removed() {
        let (first, next) = page(&[1, 2, 3, 4, 5], 2, None);
        assert_eq!(first, [1, 2]);
        assert_eq!(page(&[1, 2, 3, 4, 5], 9, next.clone()), (vec![3, 4, 5], None));
        assert_eq!(page(&[2, 3, 4, 5], 2, next.clone()).0, [3, 4], "a row before it went");
        assert_eq!(page(&[0, 1, 2, 3], 2, next.clone()).0, [3], "a row before it came");
        assert_eq!(page(&[1, 3, 4, 5], 2, next.clone()).0, [4, 5], "the row itself went");
        assert_eq!(page(&[], 2, next), (vec![], None));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for after in ["", "x", "!", "MTA", "LzE"] {
            let paging = Paging { limit: None, after: Some(after.to_owned()) };
            assert!(paging.cut(vec![1], u32::to_string).is_err(), "{after}");
        }
    }
}
