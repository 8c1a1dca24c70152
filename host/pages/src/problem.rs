use crate::Frame;
use askama::Template;

/// Says why something cannot be shown or done.
#[derive(Template)]
#[template(path = "problem.html")]
pub struct ProblemPage {
    /// What is around it.
    pub frame: Frame,
    /// What happened, to what, and what to do next.
    pub detail: String,
}
