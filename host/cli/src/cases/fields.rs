use super::world::{self, World};
use super::{event, pattern::Expect};
use lockstep_types::{
    Change, Decision, Descriptor, Document, Fact, ItemStatus, JsonText, Policy, PullRequest, RunInfo,
    StepInfo, StepInput, StepOutput, Timestamp,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Time of a call where a case names none; any will do, as long as it is always the same.
const NOW_MS: u64 = 1_000_000;
/// Head commit of the change where a case names none.
const HEAD: &str = "c0ffee0000000000000000000000000000000000";
/// Fields that are laid over what was said before key by key; the others replace it.
const LAID_OVER: [&str; 5] = ["config", "policy", "facts", "documents", "observations"];

/// What is written of one call, with the defaults of the file and the calls before it laid under it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    event: Value,
    config: Map<String, Value>,
    policy: Map<String, Value>,
    state: Option<Value>,
    facts: Map<String, Value>,
    documents: Map<String, Value>,
    outputs: Vec<Output>,
    decisions: Vec<Decision>,
    title: String,
    description: String,
    item_status: ItemStatus,
    head: Option<String>,
    base: String,
    branch: String,
    pull_request: Option<String>,
    step: Option<String>,
    role: Option<String>,
    attempt: u32,
    #[serde(rename = "final")]
    is_final: bool,
    errand: bool,
    initiator: String,
    now: u64,
    wired: Option<Vec<String>>,
    observations: world::Written,
    expect: Option<Value>,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            event: json!("started"),
            config: Map::new(),
            policy: Map::new(),
            state: None,
            facts: Map::new(),
            documents: Map::new(),
            outputs: Vec::new(),
            decisions: Vec::new(),
            title: "A change".to_owned(),
            description: String::new(),
            item_status: ItemStatus::InProgress,
            head: Some(HEAD.to_owned()),
            base: "main".to_owned(),
            branch: "change".to_owned(),
            pull_request: None,
            step: None,
            role: None,
            attempt: 1,
            is_final: false,
            errand: false,
            initiator: "human".to_owned(),
            now: NOW_MS,
            wired: None,
            observations: world::Written::default(),
            expect: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Output {
    role: String,
    step: Option<String>,
    output: String,
}

/// One call of a case, ready to be made once the state before it is known.
pub(super) struct Call {
    pub(super) input: StepInput,
    pub(super) world: World,
    /// None: the case says nothing yet.
    pub(super) expect: Option<Expect>,
    /// Whether the case itself says which state the call is given, and when it is made.
    pub(super) has_state: bool,
    pub(super) has_now: bool,
}

/// `over` laid over `under`.
pub(super) fn laid_over(under: &Map<String, Value>, over: &Map<String, Value>) -> Map<String, Value> {
    let mut laid = under.clone();
    for (field, value) in over {
        match (laid.get_mut(field), value) {
            (Some(Value::Object(below)), Value::Object(above)) if LAID_OVER.contains(&field.as_str()) => {
                below.extend(above.clone());
            }
            _ => {
                laid.insert(field.clone(), value.clone());
            }
        }
    }
    laid
}

/// Makes a call of what is written for it.
pub(super) fn call(fields: Map<String, Value>, descriptor: &Descriptor) -> Result<Call, String> {
    let has_now = fields.contains_key("now");
    let fields: Fields = serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
    let world = fields.observations.clone().world(fields.head.as_deref())?;
    let expect = fields.expect.clone().map(Expect::read).transpose()?;
    let has_state = fields.state.is_some();
    Ok(Call { input: fields.input(descriptor)?, world, expect, has_state, has_now })
}

impl Fields {
    fn input(self, descriptor: &Descriptor) -> Result<StepInput, String> {
        let kind = descriptor.kind.clone();
        let role = self.role.unwrap_or_else(|| kind.clone());
        let named = |job: &String| if job == "{role}" { role.clone() } else { job.clone() };
        let does = descriptor.jobs.iter().map(named).chain(descriptor.effects.iter().cloned());
        let wired = self.wired.unwrap_or_else(|| does.collect());
        let mut policy = serde_json::to_value(Policy::default()).unwrap_or_default();
        if let Some(fields) = policy.as_object_mut() {
            fields.extend(self.policy);
        }
        let fact =
            |(name, value)| Fact { name, value: JsonText::of::<Value>(&value), step: "earlier".to_owned() };
        let document =
            |(name, value)| Document { name, value: JsonText::of::<Value>(&value), stands_in: None };
        let output = |output: Output| StepOutput {
            step: output.step.unwrap_or_else(|| output.role.clone()),
            role: output.role,
            output: output.output,
        };
        let change = Change {
            repository: "repository".to_owned(),
            base_branch: self.base,
            head_branch: self.branch.clone(),
            head_commit: self.head,
            pull_request: self.pull_request.map(|url| PullRequest {
                url,
                number: None,
                branch: Some(self.branch),
            }),
        };
        Ok(StepInput {
            run: RunInfo {
                id: "run-of-a-case".to_owned(),
                item: "item".to_owned(),
                title: self.title,
                description: self.description,
                change,
                facts: self.facts.into_iter().map(fact).collect(),
                outputs: self.outputs.into_iter().map(output).collect(),
                item_status: self.item_status,
                documents: self.documents.into_iter().map(document).collect(),
                is_errand: self.errand,
                initiator: self.initiator,
                now: Timestamp(self.now),
            },
            step: StepInfo {
                name: self.step.unwrap_or_else(|| kind.clone()),
                kind,
                role,
                config: JsonText::of(&self.config),
                policy: JsonText::of(&policy),
                attempt: self.attempt,
                is_final: self.is_final,
                wired,
            },
            decisions: self.decisions,
            state: self.state.map(|state| JsonText::of(&state)),
            event: event::read(self.event)?,
        })
    }
}
