use crate::faults::one_line;
use lockstep_types::Descriptor;
use serde_json::Value;

/// Effects the contract knows, by the names of the WIT cases.
const EFFECTS: [&str; 5] = ["merge", "update-branch", "open-ticket", "provision", "annotate-incident"];

/// What the host knows how to settle before a run starts.
const NEEDS: [&str; 2] = ["test-infrastructure", "observability"];

/// Bytes of a kind, a job kind and a version: they are keys, table columns and file names.
const NAME_BYTES_MAX: usize = 64;

/// Bytes of a summary: one line of a listing.
const SUMMARY_BYTES_MAX: usize = 300;

/// Bytes of a config schema; it is compiled for every pipeline that names the kind.
const SCHEMA_BYTES_MAX: usize = 64 << 10;

/// Job kinds one step kind may dispatch; each is a line in a grant.
const JOBS_MAX: usize = 32;

/// Documents, and roles it grades in: each is looked through at every start.
const NAMES_MAX: usize = 32;

/// Stands in a job kind for the role of the step.
const ROLE: &str = "{role}";

/// Says what is wrong with a descriptor, if anything is.
pub(crate) fn check(descriptor: &Descriptor) -> Result<(), String> {
    let Descriptor { kind, version, summary, config_schema, jobs, effects, documents, grades, needs, .. } =
        descriptor;
    if !is_kebab_case(kind) {
        return Err(format!("kind {:?} is not a name such as `ci-gate`", one_line(kind)));
    }
    if version.is_empty() || version.len() > NAME_BYTES_MAX || version.contains(char::is_whitespace) {
        return Err(format!("version {:?} is not a version such as `1.2.0`", one_line(version)));
    }
    if summary.len() > SUMMARY_BYTES_MAX || summary.contains(char::is_control) {
        return Err(format!("summary is not one line of at most {SUMMARY_BYTES_MAX} bytes"));
    }
    if config_schema.as_str().len() > SCHEMA_BYTES_MAX {
        return Err(format!("config-schema has more than {SCHEMA_BYTES_MAX} bytes"));
    }
    if !matches!(config_schema.value(), Value::Object(_) | Value::Bool(_)) {
        return Err("config-schema is not a JSON Schema: it must be an object, `true` or `false`".to_owned());
    }
    if jobs.len() > JOBS_MAX {
        return Err(format!("{} job kinds are more than {JOBS_MAX}", jobs.len()));
    }
    if let Some(job) = jobs.iter().find(|job| !is_kebab_case(&job.replace(ROLE, "role"))) {
        return Err(format!("job kind {:?} is not a name such as `test` or `review-{ROLE}`", one_line(job)));
    }
    if let Some(effect) = effects.iter().find(|effect| !EFFECTS.contains(&effect.as_str())) {
        return Err(format!("effect {:?} is unknown: use {}", one_line(effect), EFFECTS.join(", ")));
    }
    let roles = grades.iter().flat_map(|grading| std::iter::once(&grading.role).chain(&grading.producers));
    if let Some(name) = documents.iter().chain(roles).find(|name| !is_kebab_case(name)) {
        return Err(format!("{:?} is not a name such as `estimate` or `reviewer`", one_line(name)));
    }
    if documents.len() > NAMES_MAX || grades.len() > NAMES_MAX {
        return Err(format!("more than {NAMES_MAX} documents or roles it grades in"));
    }
    if let Some(need) = needs.iter().find(|need| !NEEDS.contains(&need.as_str())) {
        return Err(format!("need {:?} is unknown: use {}", one_line(need), NEEDS.join(", ")));
    }
    Ok(())
}

fn is_kebab_case(name: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.split('-').all(word)
}

#[cfg(test)]
mod tests {
    use super::{EFFECTS, check};
    use expect_test::expect;
    use lockstep_types::{Access, Descriptor, Effect, JsonText, MergeMethod};

    fn good() -> Descriptor {
        Descriptor {
            kind: "ci-gate".to_owned(),
            version: "1.0.0".to_owned(),
            state_version: 1,
            summary: "Waits for green checks".to_owned(),
            config_schema: JsonText::new(r#"{"type":"object"}"#).unwrap(),
            jobs: vec!["repair".to_owned(), "{role}".to_owned(), "grade-{role}".to_owned()],
            effects: vec!["merge".to_owned()],
            access: Access::Write,
            documents: vec!["estimate".to_owned()],
            grades: Vec::new(),
            needs: vec!["observability".to_owned()],
        }
    }

    #[test]
    fn a_descriptor_that_makes_sense_passes() {
        assert_eq!(check(&good()), Ok(()));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let json = |text: &str| JsonText::new(text).unwrap();
        let texts = |one: &str| vec![one.to_owned()];
        let cases = [
            Descriptor { kind: String::new(), ..good() },
            Descriptor { kind: "CI gate".to_owned(), ..good() },
            Descriptor { kind: "ci--gate".to_owned(), ..good() },
            Descriptor { version: String::new(), ..good() },
            Descriptor { summary: "two\nlines".to_owned(), ..good() },
            Descriptor { config_schema: json("[]"), ..good() },
            Descriptor { config_schema: json(&format!("\"{}\"", "x".repeat(70_000))), ..good() },
            Descriptor { jobs: vec!["job".to_owned(); 33], ..good() },
            Descriptor { jobs: texts("{rolle}"), ..good() },
            Descriptor { effects: texts("explode"), ..good() },
        ];
        let said: Vec<_> = cases.iter().map(|case| check(case).unwrap_err()).collect();
        expect![[r#"
            kind "" is not a name such as `ci-gate`
            kind "CI gate" is not a name such as `ci-gate`
            kind "ci--gate" is not a name such as `ci-gate`
            version "" is not a version such as `1.2.0`
            summary is not one line of at most 300 bytes
            config-schema is not a JSON Schema: it must be an object, `true` or `false`
            config-schema has more than 65536 bytes
            33 job kinds are more than 32
            job kind "{rolle}" is not a name such as `test` or `review-{role}`
            effect "explode" is unknown: use merge, update-branch, open-ticket, provision, annotate-incident"#]]
        .assert_eq(&said.join("\n"));
    }

    #[test]
    fn every_effect_of_the_vocabulary_is_known() {
        let null = JsonText::null;
        let all = [
            Effect::Merge(MergeMethod::Merge),
            Effect::UpdateBranch,
            Effect::OpenTicket(null()),
            Effect::Provision { input: null(), keep: false },
            Effect::AnnotateIncident(null()),
        ];
        assert_eq!(all.map(|effect| effect.name()), EFFECTS);
    }
}
