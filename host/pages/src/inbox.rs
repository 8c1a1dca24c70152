use crate::question::Asked;
use crate::{Frame, text};
use askama::Template;
use lockstep_ports::Card;
use lockstep_types::Severity;

/// Everything that waits for a person.
#[derive(Template)]
#[template(path = "inbox/inbox.html")]
pub struct InboxPage {
    /// What is around it.
    pub frame: Frame,
    /// Questions, the oldest first.
    pub questions: Vec<Asked>,
    /// Cards that no question stands for, the oldest first.
    pub cards: Vec<Card>,
    /// Address of further questions.
    pub next: Option<String>,
}

impl InboxPage {
    /// The run of a card; none for one of an item.
    fn run_of<'a>(&self, card: &'a Card) -> Option<&'a str> {
        card.id.rsplit_once(':').map(|(owner, _)| owner).filter(|owner| owner.starts_with("run-"))
    }

    fn is_urgent(&self, card: &Card) -> bool {
        card.notice.severity == Severity::Urgent
    }
}

/// Says that something could no longer be answered, and gives back what was written.
#[derive(Template)]
#[template(path = "inbox/kept.html")]
pub struct KeptPage {
    /// What is around it.
    pub frame: Frame,
    /// Why it was not taken.
    pub detail: String,
    /// What was written: what it was meant for, and the text.
    pub texts: Vec<(String, String)>,
    /// The run it was about.
    pub run: String,
}
