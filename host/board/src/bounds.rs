//! How much a board may hold. Each is far beyond what people keep an overview of, and keeps the whole board, which
//! stays in memory, within some tens of megabytes.

/// Items: every command that looks at all of them stays below a millisecond.
pub(crate) const ITEMS_MAX: usize = 10_000;
/// Pipelines, archived ones included.
pub(crate) const PIPELINES_MAX: usize = 500;
/// Steps of a pipeline, as in a pipeline file.
pub(crate) const STEPS_MAX: usize = 200;
/// Presets.
pub(crate) const PRESETS_MAX: usize = 100;
/// Schedules: a sweep looks at all of them.
pub(crate) const SCHEDULES_MAX: usize = 500;
/// History rows kept of a schedule: four days of an hourly one, years of a weekly one.
pub(crate) const SCHEDULE_RUNS_MAX: u32 = 100;
/// Labels of an item or a pipeline.
pub(crate) const LABELS_MAX: usize = 20;
/// Tasks a task may wait for.
pub(crate) const DEPENDENCIES_MAX: usize = 50;
/// Documents of an item: steps leave three.
pub(crate) const DOCUMENTS_MAX: usize = 20;
/// Environments of an item that are not torn down: one, and those whose teardown fails again and again.
pub(crate) const ENVIRONMENTS_MAX: usize = 20;
/// Cards kept on an item, closed ones included.
pub(crate) const NOTICES_MAX: usize = 50;
/// Prices: some hundred models are sold.
pub(crate) const PRICES_MAX: usize = 1000;

/// Characters of a task's or a service's title (SPEC BD-4).
pub(crate) const TITLE_CHARS_MAX: usize = 200;
/// Characters of a module's title (SPEC BD-4), and of the names of pipelines (SPEC PL-6) and schedules.
pub(crate) const NAME_CHARS_MAX: usize = 120;
/// Characters of a preset's name (SPEC section 9).
pub(crate) const PRESET_NAME_CHARS_MAX: usize = 60;
/// Characters of a label (SPEC PL-6).
pub(crate) const LABEL_CHARS_MAX: usize = 40;
/// Characters of a description: a long specification, which every job of the item is given.
pub(crate) const DESCRIPTION_CHARS_MAX: usize = 50_000;
/// Characters of a path, a branch or a person's name.
pub(crate) const LINE_CHARS_MAX: usize = 400;
/// Bytes of the configuration of a step, as long as its longest instructions a few times over.
pub(crate) const CONFIG_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a document with its text: the longest rewrite is 16 000 tokens (SPEC RV-20).
pub(crate) const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// Levels looked upwards for the service of an item (SPEC CX-4): three exist, the rest guards against stored nonsense.
pub(crate) const SERVICE_LOOKUP_MAX: usize = 8;
/// Highest task limit (SPEC TL-1).
pub(crate) const TASK_LIMIT_MAX: u32 = 1000;
/// Longest wait until a card is urgent (SPEC NT-3).
pub(crate) const ESCALATION_MINUTES_MAX: u32 = 100_000;
