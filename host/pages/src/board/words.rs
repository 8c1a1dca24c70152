//! How what is on a board is called.

use lockstep_types::board::{Item, ServiceType, TaskType};
use lockstep_types::{ItemLevel, ItemStatus};

/// Where an item stands.
#[must_use]
pub fn status(status: &ItemStatus) -> &'static str {
    match status {
        ItemStatus::Planned => "planned",
        ItemStatus::Ready => "ready",
        ItemStatus::InProgress => "in progress",
        ItemStatus::Blocked => "blocked",
        ItemStatus::PrReady => "ready to merge",
        ItemStatus::Done => "done",
    }
}

/// The class of its badge.
#[must_use]
pub fn tone(status: &ItemStatus) -> &'static str {
    match status {
        ItemStatus::Planned | ItemStatus::Ready => "quiet",
        ItemStatus::InProgress => "busy",
        ItemStatus::Blocked | ItemStatus::PrReady => "attention",
        ItemStatus::Done => "good",
    }
}

/// What kind of item it is.
#[must_use]
pub fn level(level: &ItemLevel) -> &'static str {
    match level {
        ItemLevel::Service => "service",
        ItemLevel::Module => "module",
        ItemLevel::Task => "task",
    }
}

/// What it is, in a word: the type of a service or a task.
#[must_use]
pub fn kind(item: &Item) -> &'static str {
    match item.level {
        ItemLevel::Service => item.service_type.label(),
        ItemLevel::Module => "Module",
        ItemLevel::Task => item.task_type.word(),
    }
}

/// Types of services with their words in forms.
pub const SERVICE_TYPES: [(&str, ServiceType); 8] = [
    ("service", ServiceType::Service),
    ("frontend", ServiceType::Frontend),
    ("api", ServiceType::Api),
    ("database", ServiceType::Database),
    ("queue", ServiceType::Queue),
    ("integration", ServiceType::Integration),
    ("external", ServiceType::External),
    ("environment", ServiceType::Environment),
];

/// Types of tasks that people make.
pub const TASK_TYPES: [TaskType; 4] = [TaskType::Feature, TaskType::Bug, TaskType::Document, TaskType::Spike];
