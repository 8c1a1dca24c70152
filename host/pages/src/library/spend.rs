use crate::{Frame, text};
use askama::Template;
use lockstep_ports::SpendView;
use lockstep_types::board::{Month, SpendLimit};

/// What a month has cost, against the limit.
#[derive(Template)]
#[template(path = "library/spend.html")]
pub struct SpendPage {
    /// What is around it.
    pub frame: Frame,
    /// The month.
    pub view: SpendView,
    /// Whether it is the current one.
    pub is_current: bool,
    /// Former months, the newest first, and what they have cost.
    pub former: Vec<lockstep_types::board::SpendMonth>,
}

impl SpendPage {
    fn month(&self) -> Month {
        self.view.spent.month
    }

    fn currency(&self) -> &str {
        &self.view.settings.pricing.currency
    }

    fn limit(&self) -> Option<String> {
        match self.view.settings.pricing.monthly_limit {
            SpendLimit::Amount(amount) => Some(amount.to_string()),
            SpendLimit::None => None,
        }
    }
}
