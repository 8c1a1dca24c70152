//! What work costs and whether there is budget for it (SPEC SP-1, SP-2, DEVIATIONS D-16).

use crate::Board;
use lockstep_types::board::{Change, Money, Month, Price, Pricing, Row, SpendLimit, SpendMonth};
use lockstep_types::{Timestamp, Usage};

/// The price of `provider:model`: its own, else its provider's, else the default (SPEC SP-2).
#[must_use]
pub fn price(pricing: &Pricing, model: &str) -> Price {
    let provider = model.split_once(':').map_or(model, |(provider, _)| provider);
    let known = pricing.prices.get(model).or_else(|| pricing.prices.get(provider));
    known.copied().unwrap_or(pricing.default_price)
}

/// What tokens cost, to the nearest millionth of a unit.
#[must_use]
pub fn cost(price: Price, usage: Usage) -> Money {
    const MILLION: u128 = 1_000_000;
    let part = |tokens: u64, per_million: Money| u128::from(tokens) * u128::from(per_million.millionths());
    let sum = part(usage.input_tokens, price.input_per_million)
        + part(usage.output_tokens, price.output_per_million);
    Money::from_millionths(u64::try_from((sum + MILLION / 2) / MILLION).unwrap_or(u64::MAX))
}

impl Board {
    /// Adds what a model did to the month's spend, at its price.
    #[must_use]
    pub fn meter(&self, model: &str, usage: Usage, now: Timestamp) -> Vec<Change> {
        self.add_cost(cost(price(&self.settings().pricing, model), usage), usage, now)
    }

    /// Adds a cost to the month's spend.
    #[must_use]
    pub fn add_cost(&self, cost: Money, usage: Usage, now: Timestamp) -> Vec<Change> {
        let month = self.spent(now.into());
        vec![Change::Put(Row::Spend(SpendMonth {
            month: month.month,
            cost: month.cost.plus(cost),
            input_tokens: month.input_tokens.saturating_add(usage.input_tokens),
            output_tokens: month.output_tokens.saturating_add(usage.output_tokens),
        }))]
    }

    /// Whether the month's budget is spent: with a limit of 0 always, with none never (D-16).
    #[must_use]
    pub fn is_over_budget(&self, now: Timestamp) -> bool {
        match self.settings().pricing.monthly_limit {
            SpendLimit::None => false,
            SpendLimit::Amount(limit) => self.spent(Month::from(now)).cost >= limit,
        }
    }
}
