use crate::Step;
use serde_json::Value;
use std::collections::BTreeSet;

/// A field no config has.
const UNKNOWN: &str = "no-config-has-this-field";

/// Holds the config schema of `S` against the type that reads the config: both must know the same settings, none
/// other, and the schema must describe each.
///
/// # Panics
/// If they differ, with the difference.
pub fn check_schema<S: Step>() {
    let text = S::descriptor().config_schema;
    let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["additionalProperties"], false, "a misspelt setting must be an error");
    let properties = schema["properties"].as_object().expect("the schema has properties");
    for (name, property) in properties {
        let description = property["description"].as_str().unwrap_or_default();
        assert!(description.ends_with('.'), "setting `{name}` needs a sentence as its description");
        let is_number = ["integer", "number"].iter().any(|word| property["type"] == **word);
        assert!(!is_number || property["minimum"].is_number(), "setting `{name}` needs a minimum");
        assert!(!is_number || property["maximum"].is_number(), "setting `{name}` needs a maximum");
    }
    let described: BTreeSet<_> = properties.keys().cloned().collect();
    assert_eq!(described, fields_read::<S>(), "schema on the left, config type on the right");
}

/// The fields the config type reads, taken from what it says about an unknown one.
fn fields_read<S: Step>() -> BTreeSet<String> {
    let config = format!("{{\"{UNKNOWN}\":1}}");
    let Err(error) = serde_json::from_str::<S::Config>(&config) else {
        panic!("the config type accepts unknown fields; give it #[serde(deny_unknown_fields)]");
    };
    let error = error.to_string();
    let names = error.split('`').skip(1).step_by(2);
    names.filter(|name| *name != UNKNOWN).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_taken_from_the_message() {
        let text = "unknown field `x`, expected `a` or `b`";
        let names: Vec<_> = text.split('`').skip(1).step_by(2).collect();
        assert_eq!(names, ["x", "a", "b"]);
    }
}
