//! What was looked at, a line each.

use super::{Style, clean};
use crate::doctor::{Check, State};

pub(crate) fn checks(_: &Style, checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or_default();
    let line = |check: &Check| {
        let state = match check.state {
            State::Ok => "ok     ",
            State::Warning => "warning",
            State::Failed => "failed ",
        };
        let next = check.next.as_ref().map(|next| format!("; next: {next}")).unwrap_or_default();
        clean(&format!("{state}  {:width$}  {}{next}", check.name, check.found)) + "\n"
    };
    checks.iter().map(line).collect()
}
