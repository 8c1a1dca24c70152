use super::{Money, SpendLimit, TaskType};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many tasks of one service may have a live run (SPEC section 24). Each mode holds its own limits only, so that
/// none of another mode can be left behind (SPEC TL-4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "mode", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TaskLimit {
    /// Any number.
    #[default]
    Off,
    /// So many in all.
    Shared {
        /// 1 to 1000.
        #[serde(default = "one")]
        limit: u32,
    },
    /// So many of each type; a type that is not listed has no limit.
    PerType {
        /// 1 to 1000 each; never `recurring`.
        #[serde(default)]
        limits: BTreeMap<TaskType, u32>,
    },
}

fn one() -> u32 {
    1
}

/// What a million tokens cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// That the model reads.
    pub input_per_million: Money,
    /// That it writes.
    pub output_per_million: Money,
}

/// The budget and what it is spent on (SPEC SP-2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Pricing {
    /// Three letters, for people.
    pub currency: String,
    /// What may be spent in a month.
    pub monthly_limit: SpendLimit,
    /// Prices by `provider:model` or `provider`.
    pub prices: BTreeMap<String, Price>,
    /// The price of everything else.
    pub default_price: Price,
}

impl Default for Pricing {
    fn default() -> Self {
        Self {
            currency: "EUR".to_owned(),
            monthly_limit: SpendLimit::default(),
            prices: BTreeMap::new(),
            default_price: Price {
                input_per_million: Money::from_millionths(140_000),
                output_per_million: Money::from_millionths(550_000),
            },
        }
    }
}

/// What holds for a whole workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Settings {
    /// How many tasks may run at once.
    pub task_limit: TaskLimit,
    /// Minutes until an open card becomes urgent, 1 to 100 000 (SPEC NT-3).
    pub waiting_escalation_minutes: u32,
    /// The budget.
    pub pricing: Pricing,
}

impl Default for Settings {
    fn default() -> Self {
        Self { task_limit: TaskLimit::Off, waiting_escalation_minutes: 120, pricing: Pricing::default() }
    }
}

/// What a person sets for a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SettingsPatch {
    /// The new mode with its limits.
    pub task_limit: Option<TaskLimit>,
    /// See [`Settings::waiting_escalation_minutes`].
    pub waiting_escalation_minutes: Option<u32>,
    /// The whole of it.
    pub pricing: Option<Pricing>,
}

#[cfg(test)]
mod tests {
    use super::{TaskLimit, TaskType};

    #[test]
    fn a_limit_holds_what_its_mode_needs() {
        let read = |text: &str| serde_json::from_str::<TaskLimit>(text);
        assert_eq!(read(r#"{"mode":"shared"}"#).unwrap(), TaskLimit::Shared { limit: 1 });
        let per_type = TaskLimit::PerType { limits: [(TaskType::Bug, 2)].into() };
        let text = serde_json::to_string(&per_type).unwrap();
        assert_eq!(text, r#"{"mode":"per-type","limits":{"bug":2}}"#);
        assert_eq!(read(&text).unwrap(), per_type);
        assert_eq!(read(r#"{"mode":"off","limit":3}"#).unwrap(), TaskLimit::Off);
    }
}
