use lockstep_types::JsonText;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Accepts `text` if it is JSON that every reader takes: nested no deeper than usual parsers go, and without numbers
/// that only infinity could stand for.
pub(crate) fn check_json(text: &str) -> Result<JsonText, String> {
    serde_json::from_str::<Plain>(text).map_err(|error| error.to_string())?;
    JsonText::new(text).map_err(|error| error.to_string())
}

/// Any JSON value, looked at and not kept.
struct Plain;

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Plain, E> {
        if number.is_finite() { Ok(Plain) } else { Err(E::custom("number out of range")) }
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Plain, A::Error> {
        while items.next_element::<Plain>()?.is_some() {}
        Ok(Plain)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Plain, A::Error> {
        while entries.next_entry::<Plain, Plain>()?.is_some() {}
        Ok(Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::check_json;

    #[test]
    fn only_json_that_every_reader_takes_is_accepted() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        for good in ["null", "0.1e-300", r#" {"a":[1,-2,true,"\u00fc"]} "#, &deep(100)] {
            assert!(check_json(good).is_ok(), "{good}");
            assert_eq!(check_json(good).unwrap().as_str(), good);
        }
        for bad in ["", "{", "{} {}", "NaN", "1e999", "[-1e999]", "\"\u{1}\"", &deep(100_000)] {
            assert!(check_json(bad).is_err(), "{bad}");
        }
    }
}
