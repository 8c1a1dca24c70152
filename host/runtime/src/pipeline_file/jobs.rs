//! What a job table may say: who carries the job out decides which of its keys mean anything.

use lockstep_types::{CREDENTIAL_NAME_MAX, JobCommand, is_credential_name};

/// Letters of the name of a pool, a label or a model: it stands in addresses and file names.
const NAME_MAX: usize = 64;
/// Labels of a job.
const LABELS_MAX: usize = 16;
/// Bytes of what a model is told, far below what any takes.
const INSTRUCTIONS_MAX: usize = 64 << 10;

/// Everything wrong with the table of a job, a line each.
pub(super) fn problems(kind: &str, job: &JobCommand) -> Vec<String> {
    let mut problems = Vec::new();
    let table = format!("[jobs.{kind}]");
    match (job.command.first(), &job.worker, &job.model) {
        (Some(program), None, None) => {
            if program.trim().is_empty() {
                problems.push(format!("{table} has an empty command: name a program"));
            }
        }
        (None, Some(pool), None) => name(&table, "worker", pool, &mut problems),
        (None, None, Some(model)) => name(&table, "model", model, &mut problems),
        (None, None, None) => problems.push(format!(
            "{table} has an empty command: name a program, or say `worker = \"POOL\"` or `model = \"NAME\"`"
        )),
        _ => problems.push(format!("{table} has more than one of `command`, `worker`, `model`: keep one")),
    }
    let is_program = !job.command.is_empty();
    let is_model = job.model.is_some();
    let misplaced = [
        ("labels", !job.labels.is_empty() && job.worker.is_none(), "they choose among workers"),
        ("instructions", job.instructions.is_some() && !is_model, "only a model is told them"),
        ("schema", job.schema.is_some() && !is_model, "only a model is held to it"),
        ("diff", job.diff && !is_model, "only a model is shown it"),
        ("pass_env", !job.pass_env.is_empty() && !is_program, "no program of this host runs"),
        ("credentials", !job.credentials.is_empty() && !is_program, "they do not leave this host"),
        ("env", !job.env.is_empty() && is_model, "a model has no environment"),
    ];
    for (key, _, why) in misplaced.into_iter().filter(|(_, is_wrong, _)| *is_wrong) {
        problems.push(format!("{table} has `{key}`, but {why}: remove it"));
    }
    if job.labels.len() > LABELS_MAX {
        problems.push(format!("{table} has more than {LABELS_MAX} labels: remove some"));
    }
    for label in &job.labels {
        name(&table, "labels", label, &mut problems);
    }
    if job.instructions.as_ref().is_some_and(|text| text.len() > INSTRUCTIONS_MAX) {
        problems
            .push(format!("{table} has more than {INSTRUCTIONS_MAX} bytes of instructions: shorten them"));
    }
    if let Some(schema) = &job.schema
        && let Err(error) = jsonschema::validator_for(schema)
    {
        problems.push(format!("the schema of {table} is not a JSON schema: {error}"));
    }
    for name in job.credentials.iter().filter(|name| !is_credential_name(name)) {
        problems.push(format!(
            "{name:?} in {table} is not the name of a credential: use 1 to {CREDENTIAL_NAME_MAX} lower-case \
             letters, digits and -, a letter first"
        ));
    }
    problems
}

fn name(table: &str, key: &str, name: &str, problems: &mut Vec<String>) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(is_plain) {
        let shown: String = name.chars().take(NAME_MAX).collect();
        problems
            .push(format!("`{key}` of {table} is {shown:?}: use 1 to {NAME_MAX} letters, digits, -, _ or ."));
    }
}
