//! Pipeline files: TOML text into a `Pipeline`, with errors that name the line and the fix.

mod descriptors;
mod jobs;

pub use descriptors::Descriptors;

use lockstep_board::{ShapeStep, shape};
use lockstep_types::{
    CheckCommand, Descriptor, Effect, Gating, JobCommand, JsonText, ObservationRequest, Pinning, Pipeline,
    Policy, ProviderCommand, StepDef,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use stored::stored_step;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

mod stored;

pub use stored::{Stored, stored_steps};

/// Bytes of a pipeline file: far more than people write, little enough to parse at once.
pub const PIPELINE_BYTES_MAX: usize = 1 << 20;
/// Steps of a pipeline, for the same reason.
const STEPS_MAX: usize = 200;
/// Characters of a pipeline's name (SPEC PL-6).
const NAME_CHARS_MAX: usize = 120;
/// Characters of a step's name: it becomes part of file names and keys.
const STEP_NAME_MAX: usize = 64;
/// Problems told at once: enough to repair a file in one go.
const PROBLEMS_MAX: usize = 20;

/// What is wrong with a pipeline file. Displays as one line a problem: `FILE:LINE:COLUMN: what: what to do`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PipelineErrors {
    file: String,
    problems: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    line: usize,
    column: usize,
    message: String,
}

impl fmt::Display for PipelineErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            let newline = if at == 0 { "" } else { "\n" };
            let Problem { line, column, message } = problem;
            write!(f, "{newline}{}:{line}:{column}: {message}", self.file)?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    #[serde(default)]
    version: String,
    base: Option<String>,
    #[serde(default)]
    pin: Pinning,
    #[serde(default)]
    policy: Option<Spanned<Policy>>,
    #[serde(default)]
    checks: BTreeMap<Spanned<String>, CheckCommand>,
    #[serde(default)]
    jobs: BTreeMap<Spanned<String>, JobCommand>,
    #[serde(default)]
    effects: BTreeMap<Spanned<String>, ProviderCommand>,
    #[serde(default)]
    observations: BTreeMap<Spanned<String>, ProviderCommand>,
    #[serde(default)]
    steps: Vec<Spanned<Step>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    name: Option<Spanned<String>>,
    kind: Spanned<String>,
    role: Option<String>,
    needs: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    approval: bool,
    #[serde(default)]
    gating: Option<Gating>,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    config: toml::Table,
}

fn yes() -> bool {
    true
}

/// What is known of a step kind when a file is checked.
pub trait Kinds {
    /// Names of the kinds that have an active component.
    fn names(&self) -> Vec<String>;
    /// What the active component of a kind says of itself.
    fn descriptor(&self, kind: &str) -> Option<&Descriptor>;
    /// Problems of a configuration: JSON pointer of the value and what is wrong with it.
    fn config_problems(&self, kind: &str, config: &serde_json::Value) -> Vec<(String, String)>;
}

/// What is wrong with a configuration by its schema: JSON pointer of the value, and what.
pub(crate) fn config_problems(
    schema: &jsonschema::Validator,
    config: &serde_json::Value,
) -> Vec<(String, String)> {
    let problem =
        |error: jsonschema::ValidationError<'_>| (error.instance_path().to_string(), error.to_string());
    schema.iter_errors(config).map(problem).collect()
}

/// Reads a pipeline file and checks it against the active components.
///
/// # Errors
/// `PipelineErrors` lists what is wrong, in the order of the file.
pub fn read(text: &str, file: &str, kinds: &dyn Kinds) -> Result<Pipeline, PipelineErrors> {
    let mut reader = Reader { text, problems: Vec::new() };
    let pipeline = reader.read(kinds);
    match pipeline {
        Some(pipeline) if reader.problems.is_empty() => Ok(pipeline),
        _ => {
            reader.problems.sort_by_key(|problem| (problem.line, problem.column));
            reader.problems.truncate(PROBLEMS_MAX);
            Err(PipelineErrors { file: file.to_owned(), problems: reader.problems })
        }
    }
}

/// Commands that a repository keeps for runs whose pipeline is stored elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// Of local checks, by name.
    pub checks: BTreeMap<String, CheckCommand>,
    /// Of jobs, by kind.
    pub jobs: BTreeMap<String, JobCommand>,
    /// Of effects, by name.
    pub effects: BTreeMap<String, ProviderCommand>,
    /// Of observations, by name.
    pub observations: BTreeMap<String, ProviderCommand>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandsFile {
    #[serde(default)]
    checks: BTreeMap<Spanned<String>, CheckCommand>,
    #[serde(default)]
    jobs: BTreeMap<Spanned<String>, JobCommand>,
    #[serde(default)]
    effects: BTreeMap<Spanned<String>, ProviderCommand>,
    #[serde(default)]
    observations: BTreeMap<Spanned<String>, ProviderCommand>,
    // A pipeline file is a file of commands too; what else stands in it is for those who run it.
    #[serde(rename = "name")]
    _name: Option<IgnoredAny>,
    #[serde(rename = "version")]
    _version: Option<IgnoredAny>,
    #[serde(rename = "pin")]
    _pin: Option<IgnoredAny>,
    #[serde(rename = "base")]
    _base: Option<IgnoredAny>,
    #[serde(rename = "policy")]
    _policy: Option<IgnoredAny>,
    #[serde(rename = "steps")]
    _steps: Option<IgnoredAny>,
}

/// The tables of commands of either kind of file.
struct CommandTables<'f> {
    checks: &'f BTreeMap<Spanned<String>, CheckCommand>,
    jobs: &'f BTreeMap<Spanned<String>, JobCommand>,
    effects: &'f BTreeMap<Spanned<String>, ProviderCommand>,
    observations: &'f BTreeMap<Spanned<String>, ProviderCommand>,
}

fn named<T>(table: BTreeMap<Spanned<String>, T>) -> BTreeMap<String, T> {
    table.into_iter().map(|(name, value)| (name.into_inner(), value)).collect()
}

/// Reads a file of commands: the tables of commands of a pipeline file, or such a file itself.
///
/// # Errors
/// `PipelineErrors` lists what is wrong, in the order of the file.
pub fn read_commands(text: &str, file: &str) -> Result<Commands, PipelineErrors> {
    let mut reader = Reader { text, problems: Vec::new() };
    let commands = reader.commands();
    match commands {
        Some(commands) if reader.problems.is_empty() => Ok(commands),
        _ => Err(PipelineErrors { file: file.to_owned(), problems: reader.problems }),
    }
}

struct Reader<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn read(&mut self, kinds: &dyn Kinds) -> Option<Pipeline> {
        if self.text.len() > PIPELINE_BYTES_MAX {
            self.problem(0..0, format!("the file has more than {PIPELINE_BYTES_MAX} bytes: shorten it"));
            return None;
        }
        let file: File = match toml::from_str(self.text) {
            Ok(file) => file,
            Err(error) => {
                let message = error.message().lines().next().unwrap_or("not TOML").to_owned();
                self.problem(error.span().unwrap_or(0..0), message);
                return None;
            }
        };
        let document = DeTable::parse(self.text).ok()?;
        self.check_head(&file);
        let names = self.check_names(&file, kinds);
        let needs = self.needs(&file, &names);
        let order = self.order(&file, &names, &needs)?;
        self.check_configs(&file, kinds, document.get_ref());
        self.check_shape(&file, &names, &order, kinds);
        Some(build(file, &names, &needs, &order))
    }

    /// What holds for the pipelines of a board holds for those of files.
    fn check_shape(&mut self, file: &File, names: &[String], order: &[usize], kinds: &dyn Kinds) {
        let shape = |at: &usize| {
            let step = stored_step(file.steps[*at].get_ref(), &names[*at], None);
            ShapeStep::new(&step, kinds.descriptor(&step.kind))
        };
        let steps: Vec<ShapeStep> = order.iter().map(shape).collect();
        if let Some((at, message)) = shape::misplaced(&steps) {
            self.problem(file.steps[order[at]].span(), message);
        }
    }

    fn problem(&mut self, span: Range<usize>, message: String) {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.problems.push(Problem { line, column, message });
    }

    fn check_head(&mut self, file: &File) {
        let name = file.name.get_ref();
        if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
            self.problem(file.name.span(), format!("`name` must have 1 to {NAME_CHARS_MAX} characters"));
        }
        if file.steps.is_empty() {
            self.problem(0..0, "the pipeline has no steps: add a [[steps]] table".to_owned());
        } else if !file.steps.iter().any(|step| step.get_ref().enabled) {
            self.problem(file.steps[0].span(), "all steps are disabled: enable at least one".to_owned());
        }
        if file.steps.len() > STEPS_MAX {
            self.problem(
                file.steps[STEPS_MAX].span(),
                format!("more than {STEPS_MAX} steps: split the pipeline"),
            );
        }
        if let Some(policy) = &file.policy {
            self.check_policy(policy);
        }
        self.check_commands(&CommandTables {
            checks: &file.checks,
            jobs: &file.jobs,
            effects: &file.effects,
            observations: &file.observations,
        });
    }

    fn check_commands(&mut self, file: &CommandTables<'_>) {
        let commands = file.checks.iter().map(|(name, check)| (name, &check.command, "checks"));
        let provider = |table| move |(name, provider)| provider_command(name, provider, table);
        let commands = commands.chain(file.effects.iter().map(provider("effects")));
        let commands = commands.chain(file.observations.iter().map(provider("observations")));
        for (name, command, table) in commands {
            if command.first().is_none_or(|program| program.trim().is_empty()) {
                let message = format!("[{table}.{}] has an empty command: name a program", name.get_ref());
                self.problem(name.span(), message);
            }
        }
        let performed = Effect::COMMANDS.map(str::to_owned);
        for name in file.effects.keys().filter(|name| !performed.contains(name.get_ref())) {
            self.problem(name.span(), unknown("effect", name.get_ref(), &performed));
        }
        let observed = ObservationRequest::COMMANDS.map(str::to_owned);
        for name in file.observations.keys().filter(|name| !observed.contains(name.get_ref())) {
            self.problem(name.span(), unknown("observation", name.get_ref(), &observed));
        }
        for (kind, job) in file.jobs {
            for message in jobs::problems(kind.get_ref(), job) {
                self.problem(kind.span(), message);
            }
        }
    }

    fn commands(&mut self) -> Option<Commands> {
        let file: CommandsFile = match toml::from_str(self.text) {
            Ok(file) => file,
            Err(error) => {
                let message = error.message().lines().next().unwrap_or("not TOML").to_owned();
                self.problem(error.span().unwrap_or(0..0), message);
                return None;
            }
        };
        self.check_commands(&CommandTables {
            checks: &file.checks,
            jobs: &file.jobs,
            effects: &file.effects,
            observations: &file.observations,
        });
        Some(Commands {
            checks: named(file.checks),
            jobs: named(file.jobs),
            effects: named(file.effects),
            observations: named(file.observations),
        })
    }

    /// The bounds of SPEC section 9.
    fn check_policy(&mut self, policy: &Spanned<Policy>) {
        let values = policy.get_ref();
        let ceilings = [
            ("max_complexity", values.max_complexity),
            ("max_risk", values.max_risk),
            ("max_impact", values.max_impact),
        ];
        for (name, value) in ceilings {
            if !(0.0..=1.0).contains(&value) {
                self.problem(
                    policy.span(),
                    format!("policy `{name}` is {value}: it must be between 0 and 1"),
                );
            }
        }
        if values.ci_max_attempts > 50 {
            let message =
                format!("policy `ci_max_attempts` is {}: it must be 0 to 50", values.ci_max_attempts);
            self.problem(policy.span(), message);
        }
        let at_least_one = [
            ("gate_interval_ms", values.gate_interval_ms),
            ("gate_max_polls", u64::from(values.gate_max_polls)),
            ("read_failure_tolerance", u64::from(values.read_failure_tolerance)),
        ];
        for (name, value) in at_least_one {
            if value == 0 {
                self.problem(policy.span(), format!("policy `{name}` is 0: it must be at least 1"));
            }
        }
    }

    /// Checks kinds and names, and gives each step its name: its own, or its role, or its kind.
    fn check_names(&mut self, file: &File, kinds: &dyn Kinds) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for step in &file.steps {
            let span = step.get_ref().name.as_ref().map_or_else(|| step.span(), Spanned::span);
            let step = step.get_ref();
            let role = step.role.as_ref().unwrap_or_else(|| step.kind.get_ref());
            let name = step.name.as_ref().map_or(role, Spanned::get_ref);
            let valid = !name.is_empty()
                && name.len() <= STEP_NAME_MAX
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if !valid {
                let message =
                    format!("{name:?} is not a step name: use 1 to {STEP_NAME_MAX} letters, digits, - or _");
                self.problem(span.clone(), message);
            }
            if names.contains(name) {
                self.problem(span, format!("a second step is called {name:?}: give it another `name`"));
            }
            if kinds.descriptor(step.kind.get_ref()).is_none() {
                let message = unknown("step kind", step.kind.get_ref(), &kinds.names());
                self.problem(step.kind.span(), message);
            }
            names.push(name.clone());
        }
        names
    }

    /// Positions in an order in which every step comes after what it needs; as in the file where that is free.
    fn order(&mut self, file: &File, names: &[String], needs: &[Vec<usize>]) -> Option<Vec<usize>> {
        let mut order: Vec<usize> = Vec::new();
        while order.len() < names.len() {
            let next = (0..names.len())
                .find(|at| !order.contains(at) && needs[*at].iter().all(|need| order.contains(need)));
            let Some(next) = next else {
                let left: Vec<usize> = (0..names.len()).filter(|at| !order.contains(at)).collect();
                let cycle = find_cycle(needs, &left);
                let path: Vec<&str> = cycle.iter().map(|at| names[*at].as_str()).collect();
                let step = &file.steps[cycle.first().copied().unwrap_or(left[0])];
                let span = step.get_ref().needs.as_ref().map_or_else(|| step.span(), Spanned::span);
                let message = format!(
                    "the steps need each other in a circle: {}: remove one of the needs",
                    path.join(" -> ")
                );
                self.problem(span, message);
                return None;
            };
            order.push(next);
        }
        Some(order)
    }

    fn needs(&mut self, file: &File, names: &[String]) -> Vec<Vec<usize>> {
        let mut all = Vec::new();
        for (at, step) in file.steps.iter().enumerate() {
            let Some(needs) = &step.get_ref().needs else {
                all.push(at.checked_sub(1).into_iter().collect());
                continue;
            };
            let mut found = Vec::new();
            for need in needs.get_ref() {
                match names.iter().position(|name| name == need.get_ref()) {
                    Some(position) => found.push(position),
                    None => self.problem(need.span(), unknown("step", need.get_ref(), names)),
                }
            }
            all.push(found);
        }
        all
    }

    fn check_configs(&mut self, file: &File, kinds: &dyn Kinds, document: &DeTable<'_>) {
        for (at, step) in file.steps.iter().enumerate() {
            let config = json(&toml::Value::Table(step.get_ref().config.clone()));
            let name = step.get_ref().kind.get_ref();
            for (pointer, message) in kinds.config_problems(name, &config) {
                let span = locate(document, at, &pointer).unwrap_or_else(|| step.span());
                let place = pointer.trim_start_matches('/').replace('/', ".");
                let place = if place.is_empty() { "config".to_owned() } else { format!("config.{place}") };
                self.problem(span, format!("`{place}` of a {name} step: {message}"));
            }
        }
    }
}

fn build(file: File, names: &[String], needs: &[Vec<usize>], order: &[usize]) -> Pipeline {
    // A step that needs a disabled one needs what that one needs.
    let mut resolved: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    for at in order {
        let mut wanted = Vec::new();
        for need in &needs[*at] {
            if file.steps[*need].get_ref().enabled {
                wanted.push(*need);
            } else {
                wanted.extend(resolved[*need].iter().copied());
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        resolved[*at] = wanted;
    }
    let enabled: Vec<usize> = order.iter().copied().filter(|at| file.steps[*at].get_ref().enabled).collect();
    let position = |at: &usize| enabled.iter().position(|known| known == at);
    let steps = enabled.iter().map(|at| {
        let step = file.steps[*at].get_ref();
        let kind = step.kind.get_ref().clone();
        StepDef {
            name: names[*at].clone(),
            role: step.role.clone().unwrap_or_else(|| kind.clone()),
            kind,
            needs: resolved[*at].iter().filter_map(position).collect(),
            approval: step.approval,
            gating: step.gating.clone(),
            config: JsonText::of(&json(&toml::Value::Table(step.config.clone()))),
        }
    });
    let steps = steps.collect();
    Pipeline {
        name: file.name.into_inner(),
        version: file.version,
        base: file.base,
        policy: file.policy.map(Spanned::into_inner).unwrap_or_default(),
        pin: file.pin,
        checks: file.checks.into_iter().map(|(name, check)| (name.into_inner(), check)).collect(),
        jobs: file.jobs.into_iter().map(|(name, job)| (name.into_inner(), job)).collect(),
        effects: file.effects.into_iter().map(|(name, effect)| (name.into_inner(), effect)).collect(),
        observations: file.observations.into_iter().map(|(name, look)| (name.into_inner(), look)).collect(),
        steps,
    }
}

fn provider_command<'f>(
    name: &'f Spanned<String>,
    provider: &'f ProviderCommand,
    table: &'static str,
) -> (&'f Spanned<String>, &'f lockstep_types::Command, &'static str) {
    (name, &provider.command, table)
}

fn find_cycle(needs: &[Vec<usize>], left: &[usize]) -> Vec<usize> {
    let mut path: Vec<usize> = Vec::new();
    let mut at = left.first().copied();
    while let Some(step) = at {
        if let Some(start) = path.iter().position(|known| *known == step) {
            path.push(step);
            return path.split_off(start);
        }
        path.push(step);
        at = needs[step].iter().copied().find(|need| left.contains(need));
    }
    path
}

fn unknown(what: &str, name: &str, known: &[String]) -> String {
    let close = known.iter().find(|candidate| distance(candidate, name) <= 2);
    match close {
        Some(close) => format!("unknown {what} {name:?}: did you mean {close:?}?"),
        None if known.is_empty() => format!("unknown {what} {name:?}: there are none"),
        None => format!("unknown {what} {name:?}: known are {}", known.join(", ")),
    }
}

/// Edits that turn one name into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(STEP_NAME_MAX).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(STEP_NAME_MAX).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Where in the text the value at `pointer` of the config of step `at` stands.
fn locate(document: &DeTable<'_>, at: usize, pointer: &str) -> Option<Range<usize>> {
    let steps = document.iter().find(|(key, _)| key.get_ref() == "steps")?.1;
    let step = steps.get_ref().as_array()?.get(at)?;
    let mut value = member(step.get_ref(), "config")?;
    for part in pointer.split('/').skip(1) {
        match member(value.get_ref(), part) {
            Some(inner) => value = inner,
            None => break,
        }
    }
    Some(value.span())
}

fn member<'v, 'i>(value: &'v DeValue<'i>, name: &str) -> Option<&'v Spanned<DeValue<'i>>> {
    match value {
        DeValue::Table(table) => table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value),
        DeValue::Array(array) => array.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

/// TOML as JSON; dates become texts.
fn json(value: &toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(value) => (*value).into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(values) => values.iter().map(json).collect(),
        toml::Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
    }
}

#[cfg(test)]
mod tests;
