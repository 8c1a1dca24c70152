//! What there is to say about one method at one path.

use crate::identity::Role;
use crate::problem::{self, Kind};
use axum::http::{Method, StatusCode};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Where the document keeps schemas that have a name.
const SCHEMAS: &str = "/components/schemas";

/// The schemas of everything taken and given.
pub(crate) struct Schemas {
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = SCHEMAS.into();
            settings.meta_schema = None;
        });
        Self {
            taken: settings.clone().for_deserialize().into_generator(),
            given: settings.for_serialize().into_generator(),
        }
    }
}

impl Schemas {
    pub(super) fn taken<T: JsonSchema>(&mut self) -> Value {
        marked(self.taken.subschema_for::<T>())
    }

    pub(super) fn taken_inline<T: JsonSchema>(&mut self) -> Value {
        marked(T::json_schema(&mut self.taken))
    }

    pub(crate) fn given<T: JsonSchema>(&mut self) -> Value {
        self.given.subschema_for::<T>().to_value()
    }

    /// One object with the fields of both.
    pub(super) fn flat<H: JsonSchema, R: JsonSchema>(&mut self) -> Value {
        let (head, rest) = (self.taken_inline::<H>(), self.taken_inline::<R>());
        let mut properties = Map::new();
        let mut required = Vec::new();
        for part in [head, rest] {
            properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    /// All that have a name, those of what is taken still marked, and a renaming that tells those apart that are taken
    /// otherwise than they are given.
    pub(super) fn named(mut self) -> (Map<String, Value>, Renaming) {
        let mut schemas = self.given.take_definitions(true);
        let taken = self.taken.take_definitions(true);
        let taken: Map<String, Value> =
            taken.into_iter().map(|(name, schema)| (name, closed(schema))).collect();
        let mut apart: BTreeSet<String> = taken
            .iter()
            .filter(|(name, schema)| schemas.get(*name).is_some_and(|given| given != *schema))
            .map(|(name, _)| name.clone())
            .collect();
        // What names one of them is another one, too.
        loop {
            let more: Vec<String> = taken
                .iter()
                .filter(|(name, schema)| !apart.contains(*name) && names_any(schema, &apart))
                .map(|(name, _)| name.clone())
                .collect();
            if more.is_empty() {
                break;
            }
            apart.extend(more);
        }
        for (name, mut schema) in taken {
            mark(&mut schema);
            let name = if apart.contains(&name) { format!("{name}{TAKEN}") } else { name };
            schemas.insert(name, schema);
        }
        (schemas, Renaming { apart })
    }
}

/// The same without room for fields it does not name, which no body may have.
fn closed(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(|value| *value = closed(value.take()));
            let is_open = fields.contains_key("properties") && !fields.contains_key("unevaluatedProperties");
            if is_open && fields.get("type").is_some_and(|kind| kind == "object") {
                fields.entry("additionalProperties").or_insert(false.into());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = closed(value.take())),
        _ => {}
    }
    schema
}

/// After the names of schemas of what is taken, where it is given otherwise.
const TAKEN: &str = "Input";

/// Stands in references to what is taken until it is known which of them are given otherwise.
const MARK: char = '!';

/// Which schemas of what is taken have a name of their own.
pub(super) struct Renaming {
    apart: BTreeSet<String>,
}

impl Renaming {
    /// Gives every marked reference its name.
    pub(super) fn apply(&self, document: &mut Value) {
        each_reference(document, &mut |name| {
            let bare = name.strip_suffix(MARK)?;
            Some(if self.apart.contains(bare) { format!("{bare}{TAKEN}") } else { bare.to_owned() })
        });
    }
}

fn names_any(schema: &Value, names: &BTreeSet<String>) -> bool {
    let (mut schema, mut found) = (schema.clone(), false);
    each_reference(&mut schema, &mut |name| {
        found |= names.contains(name);
        None
    });
    found
}

fn marked(schema: Schema) -> Value {
    let mut schema = schema.to_value();
    mark(&mut schema);
    schema
}

fn mark(schema: &mut Value) {
    each_reference(schema, &mut |name| (!name.ends_with(MARK)).then(|| format!("{name}{MARK}")));
}

/// Hands the name in every reference to `rename`, and puts what it returns in its place.
fn each_reference(schema: &mut Value, rename: &mut impl FnMut(&str) -> Option<String>) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                let name = value.as_str().and_then(|to| to.strip_prefix("#/components/schemas/"));
                match name.filter(|_| key == "$ref") {
                    Some(name) => {
                        if let Some(name) = rename(name) {
                            *value = format!("#{SCHEMAS}/{name}").into();
                        }
                    }
                    None => each_reference(value, rename),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| each_reference(value, rename)),
        _ => {}
    }
}

/// What is to be seen to when a request comes again under its idempotency key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// Nothing: it changes nothing, or comes to the same.
    Anyhow,
    /// It must not be carried out again.
    Once,
    /// It sees to that itself.
    WithItsOwn,
}

/// A method at a path.
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// Below `/v1`, with its parameters in braces.
    pub(crate) path: String,
    pub(crate) tag: &'static str,
    /// Who may; none: anybody, without a token.
    pub(crate) role: Option<Role>,
    pub(crate) summary: &'static str,
    repeats: Repeats,
    notes: Vec<String>,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Value>,
    problems: Vec<Kind>,
}

impl Operation {
    pub(super) fn new(
        method: Method,
        path: String,
        tag: &'static str,
        role: Option<Role>,
        summary: &'static str,
    ) -> Self {
        let mut parameters = Vec::new();
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            parameters.push(json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": named_in_a_path(name),
                "schema": { "type": "string" },
            }));
        }
        let mut problems = vec![problem::WRONG_HOST, problem::INTERNAL, problem::UNAVAILABLE];
        if !parameters.is_empty() {
            problems.extend([problem::NOT_FOUND, problem::CONFLICT]);
        }
        if role.is_some() {
            problems.extend([problem::UNAUTHORIZED, problem::FORBIDDEN, problem::TOO_MANY]);
        }
        if method != Method::GET {
            problems.extend([problem::CONFLICT, problem::INVALID]);
        }
        let (body, answers) = (None, BTreeMap::new());
        let (notes, repeats) =
            (Vec::new(), if method == Method::POST { Repeats::Once } else { Repeats::Anyhow });
        Self { repeats, method, path, tag, role, summary, notes, parameters, body, answers, problems }
    }

    pub(crate) fn may_be(&mut self, problem: Kind) {
        self.problems.push(problem);
    }

    pub(super) fn repeats(&self) -> Repeats {
        self.repeats
    }

    /// Its body is bytes that are long, and the same ones come to the same.
    pub(super) fn upload(&mut self) {
        self.repeats = Repeats::Anyhow;
        self.problems.push(problem::BUSY);
    }

    pub(super) fn comes_again(&mut self, repeats: Repeats) {
        self.repeats = repeats;
    }

    /// Adds a sentence to the description.
    pub(crate) fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    pub(super) fn takes(&mut self, media: &str, schema: Value, required: bool) {
        self.body = Some(json!({ "required": required, "content": { media: { "schema": schema } } }));
        self.problems.extend([
            problem::NOT_FOUND,
            problem::UNPARSABLE,
            problem::TOO_SLOW,
            problem::TOO_LARGE,
            problem::WRONG_TYPE,
            problem::INVALID,
        ]);
    }

    /// Takes the fields of `schema` from the query.
    pub(super) fn asks(&mut self, schema: &Value) {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let mut field = field.clone();
            let description = field.as_object_mut().and_then(|field| field.remove("description"));
            // A query has no null: what can be null is left out.
            if let Some(kinds) = field.get_mut("type").and_then(Value::as_array_mut) {
                kinds.retain(|kind| kind != "null");
            }
            self.parameters.push(json!({
                "name": name,
                "in": "query",
                "required": required.iter().any(|required| required == name.as_str()),
                "description": description.unwrap_or_default(),
                "schema": field,
            }));
        }
        self.problems.extend([problem::NOT_FOUND, problem::INVALID]);
    }

    /// The names of the parameters of the query.
    pub(super) fn query(&self) -> Vec<String> {
        let of_query = self.parameters.iter().filter(|parameter| parameter["in"] == "query");
        of_query.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)).collect()
    }

    pub(crate) fn header(&mut self, name: &str, description: &str, schema: &Value) {
        self.parameters.push(json!({
            "name": name,
            "in": "header",
            "required": false,
            "description": description,
            "schema": schema,
        }));
    }

    pub(crate) fn answers(&mut self, status: StatusCode, media: &str, schema: Value) {
        let answer = json!({
            "description": status.canonical_reason().unwrap_or_default(),
            "content": { media: { "schema": schema } },
        });
        self.answers.insert(status.as_u16(), answer);
    }

    /// An answer without a body.
    pub(super) fn answers_nothing(&mut self, status: StatusCode, description: &str) {
        self.answers.insert(status.as_u16(), json!({ "description": description }));
    }

    /// A header of an answer.
    pub(crate) fn tells(&mut self, status: StatusCode, name: &str, description: &str) {
        let answer = self.answers.entry(status.as_u16()).or_default();
        answer["headers"][name] = json!({ "description": description, "schema": { "type": "string" } });
    }

    /// As the document has it.
    pub(super) fn document(&self) -> Value {
        let id = format!("{}{}", self.method.as_str().to_lowercase(), self.path.replace(['/', '-'], "_"));
        let mut responses: Map<String, Value> =
            self.answers.iter().map(|(status, answer)| (status.to_string(), answer.clone())).collect();
        for (status, codes) in self.codes() {
            responses.insert(status.to_string(), problem_answer(&codes));
        }
        let mut parameters = self.parameters.clone();
        if self.method == Method::POST {
            parameters.push(key());
        }
        let mut document = json!({
            "operationId": id.replace(['{', '}'], ""),
            "summary": self.summary,
            "tags": [self.tag],
            "parameters": parameters,
            "responses": responses,
        });
        if let Some(body) = &self.body {
            document["requestBody"] = body.clone();
        }
        let role = self.role.map(|role| format!("Takes the role {}, or a higher one.", role.word()));
        let sentences: Vec<String> = role.into_iter().chain(self.notes.iter().cloned()).collect();
        document["description"] = sentences.join(" ").into();
        match self.role {
            Some(role) => document["x-role"] = role.word().into(),
            None => document["security"] = json!([]),
        }
        document
    }

    /// The codes of the problems it may answer, by status.
    pub(super) fn codes(&self) -> BTreeMap<u16, Vec<&'static str>> {
        let mut codes: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
        let of_keys = [problem::KEY_IN_USE, problem::KEY_UNSETTLED, problem::KEY_REUSED, problem::INVALID];
        let of_keys = of_keys.iter().filter(|_| self.repeats != Repeats::Anyhow);
        for problem in self.problems.iter().chain(of_keys) {
            let of_status = codes.entry(problem.status().as_u16()).or_default();
            if !of_status.contains(&problem.code()) {
                of_status.push(problem.code());
            }
        }
        codes
    }
}

fn problem_answer(codes: &[&str]) -> Value {
    let codes: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
    json!({
        "description": format!("A problem: {}", codes.join(" or ")),
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

/// The header every `POST` may carry.
fn key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "Makes it harmless to send the request again: it is carried out once.",
        "schema": { "type": "string", "pattern": "^[!-~]{1,255}$" },
    })
}

/// What the parameters of paths name.
fn named_in_a_path(name: &str) -> &'static str {
    match name {
        "run" => "Id of the run.",
        "step" => "Name of the step.",
        "workspace" => "Id of the workspace; `default` is there from the beginning.",
        "id" => "Its id.",
        "on" => "Id of the item that is waited for.",
        "kind" => "The step kind.",
        "digest" => "SHA-256 of the component's bytes, or a beginning of it that no other has.",
        "name" => "Its name, or its id.",
        _ => "",
    }
}
