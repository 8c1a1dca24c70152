use super::{Kinds, Stored, read, stored_steps};
use expect_test::{Expect, expect};
use lockstep_types::{Access, Descriptor, JsonText};

struct TwoKinds(Vec<Descriptor>);

impl Kinds for TwoKinds {
    fn names(&self) -> Vec<String> {
        self.0.iter().map(|descriptor| descriptor.kind.clone()).collect()
    }

    fn descriptor(&self, kind: &str) -> Option<&Descriptor> {
        self.0.iter().find(|descriptor| descriptor.kind == kind)
    }

    fn config_problems(&self, _: &str, config: &serde_json::Value) -> Vec<(String, String)> {
        let known = |key: &&String| *key != "good";
        let keys = config.as_object().into_iter().flat_map(serde_json::Map::keys);
        keys.filter(known).map(|key| (format!("/{key}"), "is not wanted".to_owned())).collect()
    }
}

fn kinds() -> TwoKinds {
    let descriptor = |kind: &str| Descriptor {
        kind: kind.to_owned(),
        version: "1".to_owned(),
        state_version: 1,
        summary: String::new(),
        config_schema: JsonText::null(),
        jobs: Vec::new(),
        effects: Vec::new(),
        access: Access::Write,
        documents: Vec::new(),
        grades: Vec::new(),
        needs: Vec::new(),
    };
    TwoKinds(vec![descriptor("agent"), descriptor("ci-gate")])
}

fn check(text: &str, expected: &Expect) {
    let found = match read(text, "p.toml", &kinds()) {
        Ok(pipeline) => pipeline
            .steps
            .iter()
            .map(|step| format!("{} {} {:?} {}\n", step.name, step.role, step.needs, step.config.as_str()))
            .collect(),
        Err(errors) => format!("{errors}\n"),
    };
    expected.assert_eq(&found);
}

#[test]
fn steps_follow_each_other_unless_they_name_their_needs() {
    check(
        r#"
name = "p"
[[steps]]
kind = "agent"
role = "coder"
[[steps]]
name = "last"
kind = "ci-gate"
needs = ["a", "b"]
[[steps]]
name = "a"
kind = "ci-gate"
needs = ["coder"]
config.good = 1
[[steps]]
name = "b"
kind = "ci-gate"
needs = ["coder"]
"#,
        &expect![[r#"
            coder coder [] {}
            a ci-gate [0] {"good":1}
            b ci-gate [0] {}
            last ci-gate [1, 2] {}
        "#]],
    );
}

#[test]
fn a_disabled_step_hands_its_needs_on() {
    check(
        "name = 'p'\n[[steps]]\nkind='agent'\n[[steps]]\nname='x'\nkind='agent'\nenabled=false\n[[steps]]\nname='y'\nkind='agent'\n",
        &expect![[r#"
            agent agent [] {}
            y agent [0] {}
        "#]],
    );
}

#[test]
fn problems_name_file_line_and_fix() {
    check(
        r#"
name = "p"
[[steps]]
kind = "agnet"
[[steps]]
name = "two words"
kind = "ci-gate"
needs = ["agnet", "nobody"]
[steps.config]
good = 1
bad = 2
"#,
        &expect![[r#"
            p.toml:4:8: unknown step kind "agnet": did you mean "agent"?
            p.toml:6:8: "two words" is not a step name: use 1 to 64 letters, digits, - or _
            p.toml:8:19: unknown step "nobody": known are agnet, two words
            p.toml:11:7: `config.bad` of a ci-gate step: is not wanted
        "#]],
    );
}

#[test]
fn a_circle_is_shown() {
    check(
        "name='p'\n[[steps]]\nname='a'\nkind='agent'\nneeds=['c']\n[[steps]]\nname='b'\nkind='agent'\n[[steps]]\nname='c'\nkind='agent'\n",
        &expect![[r#"
            p.toml:5:7: the steps need each other in a circle: a -> c -> b -> a: remove one of the needs
        "#]],
    );
}

#[test]
fn text_that_is_not_toml_or_has_unknown_keys_is_refused() {
    check(
        "name = ",
        &expect![[r#"
        p.toml:1:8: string values must be quoted, expected literal string
    "#]],
    );
    check(
        "name = 'p'\nstep = 1\n",
        &expect![[r#"
            p.toml:2:1: unknown field `step`, expected one of `name`, `version`, `base`, `pin`, `policy`, `checks`, `jobs`, `effects`, `observations`, `steps`
        "#]],
    );
    check(
        "name = 'p'\n",
        &expect![[r#"
        p.toml:1:1: the pipeline has no steps: add a [[steps]] table
    "#]],
    );
    check(
        "name='p'\n[policy]\nmax_risk = 1.5\nci_max_attempts = 51\n[jobs.coder]\ncommand = []\n[[steps]]\nkind='agent'\n",
        &expect![[r#"
            p.toml:2:1: policy `max_risk` is 1.5: it must be between 0 and 1
            p.toml:2:1: policy `ci_max_attempts` is 51: it must be 0 to 50
            p.toml:5:7: [jobs.coder] has an empty command: name a program, or say `worker = "POOL"` or `model = "NAME"`
        "#]],
    );
}

#[test]
fn a_board_keeps_every_step_in_an_order_that_fits() {
    let text = |steps: &str| {
        let Stored { name, steps, .. } = stored_steps(&format!("name = 'p'\n{steps}"), "p.toml").unwrap();
        let step = |step: lockstep_types::board::PipelineStep| {
            format!("{} {} {:?} {} {:?}\n", step.name, step.role(), step.needs, step.enabled, step.config)
        };
        format!("{name}\n{}", steps.into_iter().map(step).collect::<String>())
    };
    let code = "[[steps]]\nkind = 'agent'\nrole = 'coder'\nconfig = { a = 1 }\n";
    let gate = "[[steps]]\nname = 'ci'\nkind = 'gate'\nenabled = false\n";
    expect![[r#"
        p
        coder coder None true {"a":1}
        ci gate None false {}
    "#]]
    .assert_eq(&text(&format!("{code}{gate}")));
    let late = "[[steps]]\nname = 'late'\nkind = 'gate'\nneeds = ['coder']\n";
    expect![[r#"
        p
        coder coder Some([]) true {"a":1}
        late gate Some(["coder"]) true {}
    "#]]
    .assert_eq(&text(&format!("{late}{code}needs = []\n")));
    let error = stored_steps("name = 'p'\n[[steps]]\nkind = 'a'\nneeds = ['b']", "p.toml").unwrap_err();
    expect![[r#"p.toml:4:10: unknown step "b": did you mean "a"?"#]].assert_eq(&error.to_string());
}

#[test]
fn commands_of_effects_and_observations_are_known_by_name() {
    check(
        r#"
name = "p"
[effects.provison]
command = ["up"]
[effects.merge]
command = ["git"]
[effects.teardown]
command = [" "]
[observations.release_health]
command = ["health"]
[jobs.coder]
command = ["code"]
credentials = ["github-token", "GitHub token"]
[[steps]]
kind = "agent"
"#,
        &expect![[r#"
            p.toml:3:10: unknown effect "provison": did you mean "provision"?
            p.toml:5:10: unknown effect "merge": known are provision, teardown, open-ticket, annotate-incident
            p.toml:7:10: [effects.teardown] has an empty command: name a program
            p.toml:9:15: unknown observation "release_health": did you mean "release-health"?
            p.toml:11:7: "GitHub token" in [jobs.coder] is not the name of a credential: use 1 to 64 lower-case letters, digits and -, a letter first
        "#]],
    );
    check(
        r#"
name = "p"
effects.provision = { command = ["up"], when = 1 }
"#,
        &expect![[r#"
            p.toml:3:41: unknown field `when`, expected one of `command`, `time_limit_s`, `env`, `pass_env`
        "#]],
    );
}

#[test]
fn a_job_is_for_a_command_a_worker_or_a_model() {
    let steps = "\n[[steps]]\nkind='agent'\n";
    let file = |jobs: &str| format!("name = 'p'\n{jobs}{steps}");
    check(
        &file(
            "[jobs.a]\ncommand = ['x']\n[jobs.b]\nworker = 'big'\nlabels = ['gpu']\nenv = { A = '1' }\n\
             [jobs.c]\nmodel = 'small'\ninstructions = 'Grade it.'\nschema = { type = 'object' }\ndiff = true\n",
        ),
        &expect![[r#"
            agent agent [] {}
        "#]],
    );
    check(
        &file(
            "[jobs.a]\ntime_limit_s = 3\n[jobs.b]\ncommand = ['x']\nworker = 'y'\n\
             [jobs.c]\nworker = 'two words'\npass_env = ['A']\ncredentials = ['x']\nschema = {}\n\
             [jobs.d]\nmodel = 'm'\nschema = { type = 'objet' }\nlabels = ['x']\nenv = { A = '1' }\n",
        ),
        &expect![[r#"
            p.toml:2:7: [jobs.a] has an empty command: name a program, or say `worker = "POOL"` or `model = "NAME"`
            p.toml:4:7: [jobs.b] has more than one of `command`, `worker`, `model`: keep one
            p.toml:7:7: `worker` of [jobs.c] is "two words": use 1 to 64 letters, digits, -, _ or .
            p.toml:7:7: [jobs.c] has `schema`, but only a model is held to it: remove it
            p.toml:7:7: [jobs.c] has `pass_env`, but no program of this host runs: remove it
            p.toml:7:7: [jobs.c] has `credentials`, but they do not leave this host: remove it
            p.toml:12:7: [jobs.d] has `labels`, but they choose among workers: remove it
            p.toml:12:7: [jobs.d] has `env`, but a model has no environment: remove it
            p.toml:12:7: the schema of [jobs.d] is not a JSON schema: "objet" is not valid under any of the schemas listed in the 'anyOf' keyword
        "#]],
    );
}
