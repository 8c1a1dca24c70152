use crate::choice::choices;
use crate::{Choice, Frame, text};
use askama::Template;
use lockstep_types::ItemLevel;
use lockstep_types::board::{
    Item, PipelineDef, Recurrence, Schedule, ScheduleRun, ScheduleRunState, Weekday,
};

/// All schedules of a workspace.
#[derive(Template)]
#[template(path = "library/schedules.html")]
pub struct SchedulesPage {
    /// What is around it.
    pub frame: Frame,
    /// The schedules.
    pub schedules: Vec<Schedule>,
    /// Items of the workspace.
    pub items: Vec<Item>,
    /// Its pipelines.
    pub pipelines: Vec<PipelineDef>,
}

/// One schedule with its history.
#[derive(Template)]
#[template(path = "library/schedule.html")]
pub struct SchedulePage {
    /// What is around it.
    pub frame: Frame,
    /// The schedule.
    pub schedule: Schedule,
    /// The description of its task.
    pub description: String,
    /// What it started, the newest first.
    pub runs: Vec<ScheduleRun>,
    /// Pipelines of the workspace.
    pub pipelines: Vec<PipelineDef>,
}

/// Asks whether a schedule is to go.
#[derive(Template)]
#[template(path = "library/delete_schedule.html")]
pub struct DeleteSchedulePage {
    /// What is around it.
    pub frame: Frame,
    /// The schedule.
    pub schedule: Schedule,
}

const DAYS: [(Weekday, &str, &str); 7] = [
    (Weekday::Monday, "monday", "Monday"),
    (Weekday::Tuesday, "tuesday", "Tuesday"),
    (Weekday::Wednesday, "wednesday", "Wednesday"),
    (Weekday::Thursday, "thursday", "Thursday"),
    (Weekday::Friday, "friday", "Friday"),
    (Weekday::Saturday, "saturday", "Saturday"),
    (Weekday::Sunday, "sunday", "Sunday"),
];

/// When something is due, in words: `every 24 h on Monday, Friday, from 6 to 9 h (Europe/Berlin)`.
fn in_words(recurrence: &Recurrence) -> String {
    let days = DAYS.iter().filter(|(day, ..)| recurrence.weekdays.contains(day));
    let days: Vec<&str> = days.map(|(_, _, label)| *label).collect();
    let days = if days.is_empty() { String::new() } else { format!(" on {}", days.join(", ")) };
    let window = match (recurrence.window_start_hour, recurrence.window_end_hour) {
        (None, None) => String::new(),
        (from, to) => format!(", from {} to {} h", from.unwrap_or(0), to.unwrap_or(24)),
    };
    format!("every {} h{days}{window} ({})", recurrence.interval_hours, recurrence.timezone)
}

/// The fields of a recurrence in a form.
struct When {
    interval: String,
    from: String,
    to: String,
    timezone: String,
    days: Vec<Choice>,
}

fn when(frame: &Frame, form: &str, recurrence: Option<&Recurrence>) -> When {
    let hour = |hour: Option<u8>| hour.map_or_else(String::new, |hour| hour.to_string());
    let is_refused = frame.typed.form == form;
    let day = |(day, word, label): (Weekday, &str, &str)| Choice {
        value: word.to_owned(),
        label: label.to_owned(),
        is_chosen: match is_refused {
            true => frame.ticked(form, "weekday", word),
            false => recurrence.is_some_and(|recurrence| recurrence.weekdays.contains(&day)),
        },
    };
    When {
        interval: recurrence.map_or_else(|| "24".to_owned(), |one| one.interval_hours.to_string()),
        from: hour(recurrence.and_then(|one| one.window_start_hour)),
        to: hour(recurrence.and_then(|one| one.window_end_hour)),
        timezone: recurrence.map_or_else(|| "UTC".to_owned(), |one| one.timezone.clone()),
        days: DAYS.map(day).into(),
    }
}

fn pipelines(frame: &Frame, form: &str, current: &str, all: &[PipelineDef]) -> Vec<Choice> {
    let shown = all.iter().filter(|one| !one.archived || one.id.as_str() == current);
    choices(frame, (form, "pipeline"), current, shown.map(|one| (&one.id, &one.name)))
}

fn due(frame: &Frame, schedule: &Schedule) -> String {
    let left = schedule.next_run.ms_since(frame.now);
    match (schedule.enabled, left) {
        (false, _) => "paused".to_owned(),
        (true, 0) => "due now".to_owned(),
        (true, left) => format!("in {}", text::duration(left)),
    }
}

impl SchedulesPage {
    fn when(&self) -> When {
        when(&self.frame, "new", None)
    }

    fn in_words(&self, schedule: &Schedule) -> String {
        in_words(&schedule.recurrence)
    }

    fn due(&self, schedule: &Schedule) -> String {
        due(&self.frame, schedule)
    }

    fn pipeline<'a>(&'a self, schedule: &'a Schedule) -> &'a str {
        let one = self.pipelines.iter().find(|one| one.id == schedule.pipeline);
        one.map_or(schedule.pipeline.as_str(), |one| one.name.as_str())
    }

    fn services(&self) -> Vec<Choice> {
        let services = self.items.iter().filter(|item| item.level == ItemLevel::Service && !item.archived);
        choices(&self.frame, ("new", "service"), "", services.map(|item| (&item.id, &item.title)))
    }

    fn templates(&self) -> Vec<Choice> {
        let all = [
            ("dep-update", "bring dependencies up to date"),
            ("tech-debt", "find technical debt"),
            ("custom", "what its description says"),
        ];
        choices(&self.frame, ("new", "template"), "dep-update", all)
    }

    fn all_pipelines(&self) -> Vec<Choice> {
        pipelines(&self.frame, "new", "", &self.pipelines)
    }

    fn is_open(&self) -> bool {
        self.frame.typed.form == "new" || self.schedules.is_empty()
    }
}

impl SchedulePage {
    fn when(&self) -> When {
        when(&self.frame, "edit", Some(&self.schedule.recurrence))
    }

    fn in_words(&self) -> String {
        in_words(&self.schedule.recurrence)
    }

    fn due(&self) -> String {
        due(&self.frame, &self.schedule)
    }

    fn all_pipelines(&self) -> Vec<Choice> {
        pipelines(&self.frame, "edit", self.schedule.pipeline.as_str(), &self.pipelines)
    }

    fn state(&self, run: &ScheduleRun) -> (&'static str, &'static str) {
        match run.state {
            ScheduleRunState::Running => ("running", "busy"),
            ScheduleRunState::Done => ("done", "good"),
            ScheduleRunState::Failed => ("failed", "bad"),
            ScheduleRunState::Skipped => ("skipped", "quiet"),
        }
    }

    fn is_open(&self) -> bool {
        self.frame.typed.form == "edit"
    }
}
