use crate::{InvalidId, Timestamp};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// An amount of a workspace's currency, counted in millionths so that sums are exact.
///
/// In JSON it is a number of units, `0.14`, which is read back as the very amount that was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(u64);

const MILLIONTHS: u64 = 1_000_000;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// A thousand million units: more than anyone spends, little enough for a JSON number to be exact.
    pub const MAX: Self = Self(1_000_000_000 * MILLIONTHS);

    /// So many millionths, at most [`Self::MAX`].
    #[must_use]
    pub const fn from_millionths(millionths: u64) -> Self {
        if millionths > Self::MAX.0 { Self::MAX } else { Self(millionths) }
    }

    /// The nearest amount to a number of units; none if it is negative, not finite or beyond [`Self::MAX`].
    #[must_use]
    pub fn from_units(units: f64) -> Option<Self> {
        // 53 bits hold every amount up to the maximum.
        let millionths = (units * MILLIONTHS as f64).round();
        (0.0..=Self::MAX.0 as f64).contains(&millionths).then_some(Self(millionths as u64))
    }

    /// The amount in millionths.
    #[must_use]
    pub const fn millionths(self) -> u64 {
        self.0
    }

    /// Both amounts together, at most [`Self::MAX`].
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self::from_millionths(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Money {
    /// `0.14`, `100`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, rest) = (self.0 / MILLIONTHS, self.0 % MILLIONTHS);
        if rest == 0 {
            return write!(f, "{units}");
        }
        let digits = format!("{rest:06}");
        write!(f, "{units}.{}", digits.trim_end_matches('0'))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(MILLIONTHS) {
            serializer.serialize_u64(self.0 / MILLIONTHS)
        } else {
            serializer.serialize_f64(self.0 as f64 / MILLIONTHS as f64)
        }
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let units = f64::deserialize(deserializer)?;
        Self::from_units(units)
            .ok_or_else(|| D::Error::custom("an amount is a number from 0 to a thousand million"))
    }
}

/// How much may be spent in a month: an amount, or the word `none` for no limit. 0 means nothing (DEVIATIONS D-16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "a limit is an amount, or the word none")]
pub enum SpendLimit {
    /// So much.
    Amount(Money),
    /// No limit.
    #[serde(with = "none_word")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::NoneWord"))]
    None,
}

mod none_word {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("none")
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "none" => Ok(()),
            _ => Err(D::Error::custom("not the word none")),
        }
    }
}

impl Default for SpendLimit {
    /// 100 units (SPEC SP-1).
    fn default() -> Self {
        Self::Amount(Money::from_millionths(100 * MILLIONTHS))
    }
}

/// Characters of a wrong month that are repeated.
const MONTH_SHOWN_MAX: usize = 32;

/// A calendar month in UTC, the period of a budget (SPEC SP-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Month {
    /// Year of the Gregorian calendar.
    pub year: u32,
    /// 1 to 12.
    pub month: u8,
}

impl From<Timestamp> for Month {
    fn from(at: Timestamp) -> Self {
        let (year, month, _) = at.date();
        Self { year: u32::try_from(year).unwrap_or(u32::MAX), month: u8::try_from(month).unwrap_or(12) }
    }
}

impl fmt::Display for Month {
    /// `2026-01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = InvalidId;

    /// Reads `2026-01`.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digits = |text: &str, length: usize| {
            (text.len() == length && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
        };
        let parts =
            text.split_once('-').and_then(|(year, month)| Some((digits(year, 4)?, digits(month, 2)?)));
        match parts {
            Some((year, month @ 1..=12)) => Ok(Self { year, month: u8::try_from(month).unwrap_or(12) }),
            _ => Err(InvalidId {
                what: "month",
                text: text.chars().take(MONTH_SHOWN_MAX).collect(),
                rule: "write it like 2026-01",
            }),
        }
    }
}

/// What a workspace spent in a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SpendMonth {
    /// Which.
    #[serde(flatten)]
    pub month: Month,
    /// The sum of all costs.
    pub cost: Money,
    /// Tokens read by models.
    #[serde(default)]
    pub input_tokens: u64,
    /// Tokens written by models.
    #[serde(default)]
    pub output_tokens: u64,
}

#[cfg(test)]
mod tests {
    use super::{Money, Month, SpendLimit};
    use crate::Timestamp;

    #[test]
    fn amounts_are_read_back_exactly() {
        for millionths in [0, 1, 140_000, 99_999_999, 100_000_000, Money::MAX.millionths() - 1] {
            let amount = Money::from_millionths(millionths);
            let text = serde_json::to_string(&amount).unwrap();
            assert_eq!(serde_json::from_str::<Money>(&text).unwrap(), amount, "{text}");
        }
        assert_eq!(Money::from_units(0.14).unwrap().to_string(), "0.14");
        assert_eq!(Money::from_units(-1.0), None);
        assert_eq!(Money::from_units(f64::NAN), None);
    }

    #[test]
    fn a_limit_is_an_amount_or_none() {
        let read = |text: &str| serde_json::from_str::<SpendLimit>(text);
        assert_eq!(read("\"none\"").unwrap(), SpendLimit::None);
        assert_eq!(read("0").unwrap(), SpendLimit::Amount(Money::ZERO));
        assert_eq!(serde_json::to_string(&SpendLimit::default()).unwrap(), "100");
        assert_eq!(serde_json::to_string(&SpendLimit::None).unwrap(), "\"none\"");
        assert_eq!(read("\"much\"").unwrap_err().to_string(), "a limit is an amount, or the word none");
    }

    #[test]
    fn months_begin_at_midnight_utc() {
        assert_eq!(Month::from(Timestamp(1_769_903_999_999)).to_string(), "2026-01");
        assert_eq!(Month::from(Timestamp(1_769_904_000_000)).to_string(), "2026-02");
    }

    #[test]
    fn months_are_read_as_they_are_written() {
        assert_eq!("2026-11".parse::<Month>().unwrap().to_string(), "2026-11");
        for wrong in ["", "2026", "2026-0", "2026-00", "2026-13", "26-01", "2026-+1", "2026-1é", "2026-01-01"]
        {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
        let error = "soon".parse::<Month>().unwrap_err();
        assert_eq!(error.to_string(), "\"soon\" is not a month: write it like 2026-01");
    }
}
