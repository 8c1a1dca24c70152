//! The pages people look at: data in, HTML out. Nothing here does I/O or knows HTTP; what a page shows is handed to it whole.
//!
//! A page is a struct with a template beside it. All of them stand in one [`Frame`], are whole without a script, and name in it
//! what makes them out of date, so that a browser with a script fetches them again and changes only what differs.
#![warn(missing_docs)]

pub mod assets;
mod frame;
mod inbox;
mod problem;
mod question;
mod run;
mod runs;
mod sign_in;
pub mod text;

pub use askama::Template;
pub use frame::{Frame, Section, Typed};
pub use inbox::{InboxPage, KeptPage};
pub use problem::ProblemPage;
pub use question::Asked;
pub use run::{LogPart, ReportPage, RunPage, RunParts, StepPage, StepParts, Verified};
pub use runs::{RunFilter, RunsPage};
pub use sign_in::{SignInPage, SignedInPage};
