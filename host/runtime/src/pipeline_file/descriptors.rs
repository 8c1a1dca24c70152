use super::Kinds;
use lockstep_types::Descriptor;
use std::collections::BTreeMap;

/// Kinds known by what their components say of themselves, without a store behind them.
#[derive(Clone, Debug, Default)]
pub struct Descriptors(pub BTreeMap<String, Descriptor>);

impl Kinds for Descriptors {
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn descriptor(&self, kind: &str) -> Option<&Descriptor> {
        self.0.get(kind)
    }

    fn config_problems(&self, kind: &str, config: &serde_json::Value) -> Vec<(String, String)> {
        let schema = self.0.get(kind).map(|descriptor| descriptor.config_schema.value());
        let Some(schema) = schema.and_then(|schema| jsonschema::validator_for(&schema).ok()) else {
            return Vec::new();
        };
        super::config_problems(&schema, config)
    }
}
