//! GitHub's published description: examples of its answers, which are kept with the tests, and the whole, where
//! `cargo xtask github-mock` has fetched it.

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The schema of each kind of answer.
const KINDS: [(&str, &str); 17] = [
    ("ref", "git-ref"),
    ("branch", "branch-with-protection"),
    ("pull", "pull-request"),
    ("pulls", "[pull-request-simple"),
    ("merge", "pull-request-merge-result"),
    ("reviews", "[pull-request-review"),
    ("review", "pull-request-review"),
    ("comment", "issue-comment"),
    ("comments", "[issue-comment"),
    ("labels", "[label"),
    ("combined", "combined-commit-status"),
    ("check-run", "check-run"),
    ("status", "simple-commit-status"),
    ("rules", "[repository-rule-detailed"),
    ("token", "installation-token"),
    ("label", "label"),
    ("pull-simple", "pull-request-simple"),
];

/// Where the tools and the description are, if they were fetched.
pub(crate) fn tools() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/github-mock/node_modules");
    tools.join("@octokit/openapi/package.json").is_file().then_some(tools)
}

/// The description.
pub(crate) fn description(tools: &Path) -> PathBuf {
    tools.join("@octokit/openapi/generated/api.github.com.json")
}

/// An answer as the description shows it.
pub(crate) fn example(name: &str) -> Value {
    static EXAMPLES: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(include_str!("../../data/github/answers.json")).unwrap());
    EXAMPLES[name].clone()
}

/// What is wrong with an answer; nothing can be, where the description is not there.
pub(crate) fn violations(kind: &str, answer: &Value) -> Vec<String> {
    static VALIDATORS: LazyLock<HashMap<&str, Validator>> = LazyLock::new(validators);
    let Some(validator) = VALIDATORS.get(kind) else { return Vec::new() };
    validator
        .iter_errors(answer)
        .map(|error| format!("{kind}: {} at {}", error, error.instance_path()))
        .collect()
}

fn validators() -> HashMap<&'static str, Validator> {
    let Some(tools) = tools() else { return HashMap::new() };
    let text = std::fs::read_to_string(description(&tools)).unwrap();
    let mut whole: Value = serde_json::from_str(&text).unwrap();
    let schemas = as_json_schema(whole["components"]["schemas"].take());
    let of = |(kind, name): (&'static str, &str)| {
        let (is_list, name) = name.strip_prefix('[').map_or((false, name), |name| (true, name));
        let one = json!({ "$ref": format!("#/components/schemas/{name}") });
        let mut schema = if is_list { json!({ "type": "array", "items": one }) } else { one };
        schema["components"] = json!({ "schemas": needed(&schemas, name) });
        (kind, jsonschema::options().with_draft(jsonschema::Draft::Draft7).build(&schema).unwrap())
    };
    KINDS.map(of).into_iter().collect()
}

/// A schema with all that it refers to.
fn needed(schemas: &Value, name: &str) -> Map<String, Value> {
    let (mut found, mut open) = (Map::new(), vec![name.to_owned()]);
    while let Some(name) = open.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let schema = &schemas[&name];
        let text = schema.to_string();
        let refs = text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap());
        open.extend(refs.map(str::to_owned));
        found.insert(name, schema.clone());
    }
    found
}

/// OpenAPI 3.0 says `nullable` where JSON Schema has a type `null`.
fn as_json_schema(schema: Value) -> Value {
    match schema {
        Value::Array(all) => all.into_iter().map(as_json_schema).collect(),
        Value::Object(fields) => {
            let mut fields: Map<String, Value> =
                fields.into_iter().map(|(name, value)| (name, as_json_schema(value))).collect();
            if fields.remove("nullable") == Some(Value::Bool(true)) {
                json!({ "anyOf": [fields, { "type": "null" }] })
            } else {
                Value::Object(fields)
            }
        }
        other => other,
    }
}
