use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use std::fmt;
use std::sync::Arc;

/// JSON kept as the text it arrived as, so that what is recorded is what was said, to the byte.
///
/// It is stored as a JSON string, and is cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JsonText(Arc<str>);

/// A text that should have been JSON.
#[derive(Debug, thiserror::Error)]
#[error("not JSON")]
pub struct InvalidJson(#[source] serde_json::Error);

impl JsonText {
    /// Accepts `text` if it is one JSON value.
    ///
    /// # Errors
    /// `InvalidJson` names the line and column where it is not.
    pub fn new(text: &str) -> Result<Self, InvalidJson> {
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(InvalidJson)?;
        Ok(Self(text.into()))
    }

    /// The JSON text of `value`; `null` if it has none (a map with keys that are not texts).
    #[must_use]
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        serde_json::to_string(value).map_or_else(|_| Self::null(), |text| Self(text.into()))
    }

    /// The text `null`.
    #[must_use]
    pub fn null() -> Self {
        Self("null".into())
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the text as a `T`.
    ///
    /// # Errors
    /// `InvalidJson` if the value has another shape.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, InvalidJson> {
        serde_json::from_str(&self.0).map_err(InvalidJson)
    }

    /// The value, for showing it inside another JSON document.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).unwrap_or(serde_json::Value::Null)
    }
}

impl Default for JsonText {
    fn default() -> Self {
        Self::null()
    }
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}
