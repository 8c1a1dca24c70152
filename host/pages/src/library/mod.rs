//! What items choose from and what holds for them: pipelines, schedules, spend, settings, the audit.

mod audit;
mod pipelines;
mod schedules;
mod settings;
mod spend;

pub use audit::{AuditLine, AuditPage};
pub use pipelines::{Checked, DeletePipelinePage, DraftPage, PipelinePage, PipelinesPage, Story};
pub use schedules::{DeleteSchedulePage, SchedulePage, SchedulesPage};
pub use settings::SettingsPage;
pub use spend::SpendPage;
