use crate::{Served, write};
use expect_test::{Expect, expect};

fn transcript(lines: &[&str], expected: Expect, asked: Expect) {
    let served = Served::new();
    write(served.folder.path(), "p.toml", PIPELINE);
    let text: String = lines.iter().map(|line| served.transcript(line)).collect();
    expected.assert_eq(&text);
    asked.assert_eq(&served.service.calls());
}

const PIPELINE: &str = "\
name = 'Mine'
[[steps]]
kind = 'agent'
role = 'coder'
[[steps]]
kind = 'ci-gate'
config = { max_attempts = 3 }
enabled = false
";

#[test]
fn items_are_listed_and_shown() {
    transcript(
        &[
            "items list",
            "items list --all --status done",
            "items list --in 2",
            "items list --level module",
            "items show 3",
            "items show default-1",
            "items show 9",
            "items list --workspace lab",
            "workspaces list",
            "workspaces add lab 'The lab'",
        ],
        expect![[r#"
            $ lockstep items list
            ITEM       WHAT       STATE    TITLE             WAITS FOR  LABELS
            default-1  service    planned  Shop
            default-2  module     planned    Till
            default-3  task       blocked      Sum in euros             money
            default-4  task, bug  planned    Print it        default-3
            = 0
            $ lockstep items list --all --status done
            ITEM       WHAT  STATE  TITLE  WAITS FOR  LABELS
            default-5  task  done   Old
            = 0
            $ lockstep items list --in 2
            ITEM       WHAT  STATE    TITLE         WAITS FOR  LABELS
            default-3  task  blocked  Sum in euros             money
            = 0
            $ lockstep items list --level module
            ITEM       WHAT    STATE    TITLE  WAITS FOR  LABELS
            default-2  module  planned  Till
            = 0
            $ lockstep items show 3
            default-3  blocked
            Sum in euros

            what          task
            belongs to    default-2
            labels        money
            documents     requirements (404 B)
            changed       2026-01-05 12:00:00

            run run-019b8d1a2b30000000000001 running  lockstep why 00000001

              Sum it up.

            notice run-1:n1: Merge it? (0ms)
            = 0
            $ lockstep items show default-1
            default-1  planned
            Shop

            what          service
            repository    /repo
            changed       2026-01-05 12:00:00
            = 0
            $ lockstep items show 9
            ! lockstep: there is no item default-9: see `lockstep items list`
            = 5
            $ lockstep items list --workspace lab
            ! lockstep: there is no workspace lab: make it with `lockstep workspaces add lab`
            = 5
            $ lockstep workspaces list
            WORKSPACE  NAME     MADE
            default    Default  2026-01-05 12:00:00
            = 0
            $ lockstep workspaces add lab 'The lab'
            added workspace lab: use it with --workspace lab
            = 0
        "#]],
        expect![[r#"workspace lab "The lab""#]],
    );
}

#[test]
fn items_are_made_and_changed() {
    transcript(
        &[
            "items add 'Sum in euros' --in 2 --task-type bug --label money --pipeline quick --repo git@host:shop",
            "items add Shop --level service --test-environment local",
            "items edit 3 --title Sum --preset 16 --archived true",
            "items edit 3 --clear preset,labels",
            "items edit 3",
            "items edit 3 --preset 16 --clear preset",
            "items edit 3 --preset slow",
            "items move 3 1",
            "items rm 2",
            "items rm 2 --recursive",
            "items depends 4 3 2",
            "items depends 4 3 2 --remove",
        ],
        expect![[r#"
            $ lockstep items add 'Sum in euros' --in 2 --task-type bug --label money --pipeline quick --repo git@host:shop
            added default-3: Sum in euros
            = 0
            $ lockstep items add Shop --level service --test-environment local
            added default-3: Sum in euros
            = 0
            $ lockstep items edit 3 --title Sum --preset 16 --archived true
            changed default-3: Sum in euros
            = 0
            $ lockstep items edit 3 --clear preset,labels
            changed default-3: Sum in euros
            = 0
            $ lockstep items edit 3
            ! lockstep: nothing to change: give a field, see `lockstep items edit --help`
            = 5
            $ lockstep items edit 3 --preset 16 --clear preset
            ! lockstep: `preset` is both given and cleared: do one of the two
            = 5
            $ lockstep items edit 3 --preset slow
            ! lockstep: there is no preset "slow", only Balanced, Careful: see `lockstep presets list`
            = 5
            $ lockstep items move 3 1
            moved default-3: Sum in euros
            = 0
            $ lockstep items rm 2
            ! lockstep: default-2 has 1 item below it: remove them too with --recursive
            = 5
            $ lockstep items rm 2 --recursive
            removed default-2
            = 0
            $ lockstep items depends 4 3 2
            default-4 waits for default-3
            = 0
            $ lockstep items depends 4 3 2 --remove
            default-4 waits for default-3
            = 0
        "#]],
        expect![[r#"
            CreateItem { level: Task, parent: Some(ItemId("default-2")), item: ItemPatch { title: Some("Sum in euros"), task_type: Some(Bug), pipeline: Some(Some(PipelineId("pipeline-2"))), labels: Some(["money"]), repository: Some(Some("git@host:shop")) } } by anna
            CreateItem { level: Service, item: ItemPatch { title: Some("Shop"), tests: Some(TestSettings { no_infra_dependencies: false, environment: Some(Local) }) } } by anna
            EditItem { id: ItemId("default-3"), item: ItemPatch { title: Some("Sum"), preset: Some(Some(PresetId("preset-16"))), archived: Some(true) } } by anna
            EditItem { id: ItemId("default-3"), item: ItemPatch { preset: Some(None), labels: Some([]) } } by anna
            MoveItem { id: ItemId("default-3"), parent: Some(ItemId("default-1")) } by anna
            DeleteItem { id: ItemId("default-2") } by anna
            ToggleDependency { id: ItemId("default-4"), on: ItemId("default-2") } by anna
            ToggleDependency { id: ItemId("default-4"), on: ItemId("default-3") } by anna"#]],
    );
}

#[test]
fn items_are_run() {
    transcript(
        &[
            "items start 4",
            "items start 4 --pipeline Quick --branch b --replace",
            "items start 4 --pipeline slow",
            "items cancel 4",
            "items merge 4",
        ],
        expect![[r#"
            $ lockstep items start 4
            started run run-019b8d1a2b30000000000001 of default-4 on good
            watch it: `lockstep runs watch run-019b8d1a2b30000000000001`
            = 0
            $ lockstep items start 4 --pipeline Quick --branch b --replace
            started run run-019b8d1a2b30000000000001 of default-4 on good
            watch it: `lockstep runs watch run-019b8d1a2b30000000000001`
            = 0
            $ lockstep items start 4 --pipeline slow
            ! lockstep: there is no pipeline "slow", only Quick, Old: see `lockstep pipelines list`
            = 5
            $ lockstep items cancel 4
            cancelled default-4: it is planned now
            = 0
            $ lockstep items merge 4
            ! lockstep: default-4 has no change that awaits a merge: see `lockstep why default-4`
            = 5
        "#]],
        expect![[r#"
            start default-4 StartItem { replace: false, by: Some("anna") }, once
            start default-4 StartItem { pipeline: Some(PipelineId("pipeline-2")), branch: Some("b"), replace: true, by: Some("anna") }, once
            cancel default-4 by anna"#]],
    );
}

#[test]
fn reviews_are_answered() {
    transcript(
        &[
            "reviews show 3",
            "reviews show 4 --kind clarity",
            "reviews reply 3 1 'the customer'",
            "reviews set-status 3 f2 dismissed --json",
        ],
        expect![[r#"
            $ lockstep reviews show 3
            requirements review of default-3  ready
            pass 1 of 6

            0 answered  high, gap  Which currency?
              It says none.
              reply
                euros

            1 open  low, risk  Who pays?
            = 0
            $ lockstep reviews show 4 --kind clarity
            default-4 has no clarity review: have one made with `lockstep reviews review default-4 --kind clarity`
            = 0
            $ lockstep reviews reply 3 1 'the customer'
            requirements review of default-3  ready
            pass 1 of 6

            0 answered  high, gap  Which currency?
              It says none.
              reply
                euros

            1 open  low, risk  Who pays?
            = 0
            $ lockstep reviews set-status 3 f2 dismissed --json
            {
              "createdAt": 0,
              "document": null,
              "findings": [
                {
                  "category": "gap",
                  "createdAt": 0,
                  "detail": "It says none.",
                  "id": "f1",
                  "reply": "euros",
                  "severity": "high",
                  "status": "answered",
                  "title": "Which currency?",
                  "updatedAt": 0
                },
                {
                  "category": "risk",
                  "createdAt": 0,
                  "detail": "",
                  "id": "f2",
                  "reply": null,
                  "severity": "low",
                  "status": "open",
                  "title": "Who pays?",
                  "updatedAt": 0
                }
              ],
              "id": "r",
              "iteration": 1,
              "max": 6,
              "status": "ready",
              "updatedAt": 0
            }
            = 0
        "#]],
        expect![[r#"
            requirements-review of default-3: reply {"item":1,"text":"the customer"} by anna
            requirements-review of default-3: set-status {"item":"f2","status":"dismissed"} by anna"#]],
    );
    let served = Served::new();
    for line in [
        "reviews review 4 --kind clarity",
        "reviews incorporate 3 --feedback shorter",
        "reviews incorporate 3",
        "reviews proceed 3 --force",
        "reviews proceed 3",
        "reviews extra-round 3",
        "reviews re-review 3",
        "reviews act 3 request-recommendation items=[0,1]",
    ] {
        assert!(served.transcript(line).ends_with("= 0\n"), "{line}");
    }
    expect![[r#"
        clarity-review of default-4: review {} by anna
        requirements-review of default-3: incorporate {"feedback":"shorter"} by anna
        requirements-review of default-3: incorporate {} by anna
        requirements-review of default-3: proceed {"force":true} by anna
        requirements-review of default-3: proceed {} by anna
        requirements-review of default-3: extra-round {} by anna
        requirements-review of default-3: re-review {} by anna
        requirements-review of default-3: request-recommendation {"items":[0,1]} by anna"#]]
    .assert_eq(&served.service.calls());
}

#[test]
fn a_parked_step_takes_actions() {
    let served = Served::new();
    write(served.folder.path(), "p.toml", PIPELINE);
    served.transcript("run --pipeline p.toml --branch try");
    let lines = [
        "why latest",
        "runs act latest confirm --step 'merge it'",
        "runs act latest request-fix 'findings=the total is wrong'",
        "runs act latest request-fix {\"findings\":\"x\"}",
        "runs act latest request-fix nonsense",
        "runs teardown latest",
    ];
    let text: String = lines.iter().map(|line| served.transcript(line)).collect();
    expect![[r#"
        $ lockstep why latest
        run-019b8d1a2b30000000000001  blocked
        merge it waits for human-test (since 2100-01-01 12:00:00, 0ms)
          Try it
          who can act: a person
            lockstep runs act run-019b8d1a2b30000000000001 confirm --step 'merge it'
            lockstep runs act run-019b8d1a2b30000000000001 request-fix --step 'merge it'
        = 0
        $ lockstep runs act latest confirm --step 'merge it'
        act: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs act latest request-fix 'findings=the total is wrong'
        act: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs act latest request-fix {"findings":"x"}
        act: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs act latest request-fix nonsense
        ! lockstep: "nonsense" is no field: write KEY=VALUE, or one JSON object
        = 5
        $ lockstep runs teardown latest
        teardown: run-019b8d1a2b30000000000001 is blocked now
        = 0
    "#]]
    .assert_eq(&text);
    let calls = served.service.calls();
    let acted: Vec<&str> = calls.lines().filter(|call| call.starts_with(['A', 'T'])).collect();
    expect![[r#"
        Act { step: Some("merge it"), action: "confirm", input: {} } by anna
        Act { step: None, action: "request-fix", input: {"findings":"the total is wrong"} } by anna
        Act { step: None, action: "request-fix", input: {"findings":"x"} } by anna
        TearDown by anna"#]]
    .assert_eq(&acted.join("\n"));
}

#[test]
fn what_items_choose_from_is_kept() {
    transcript(
        &[
            "presets list",
            "presets add Careful --max-risk 0.1 --tolerated-severity low",
            "presets edit Careful --default",
            "presets edit Careful",
            "presets rm 16",
            "pipelines list",
            "pipelines list --all --label small",
            "pipelines show Quick",
            "pipelines check p.toml",
            "pipelines add p.toml --description 'What we do' --label ours",
            "pipelines add missing.toml",
            "pipelines edit Quick --file p.toml",
            "pipelines clone Quick --name Slow",
            "pipelines label Quick a b",
            "pipelines archive Quick",
            "pipelines archive Old --undo",
            "pipelines rm Old",
        ],
        expect![[r#"
            $ lockstep presets list
            PRESET     NAME      DEFAULT  COMPLEXITY/RISK/IMPACT  REPAIRS  REVIEWS  TOLERATES  RELEASE
            preset-1   Balanced  yes      0.5/0.4/0.5             10       6        low        30 min, 1
            preset-16  Careful            0.5/0.4/0.5             10       6        low        30 min, 1
            = 0
            $ lockstep presets add Careful --max-risk 0.1 --tolerated-severity low
            added preset-16: Careful
            = 0
            $ lockstep presets edit Careful --default
            changed default-3: Sum in euros
            = 0
            $ lockstep presets edit Careful
            ! lockstep: nothing to change: give a field, see `lockstep presets edit --help`
            = 5
            $ lockstep presets rm 16
            removed preset 16
            = 0
            $ lockstep pipelines list
            PIPELINE    NAME   STEPS            LABELS  WHAT IT IS FOR
            pipeline-2  Quick  3      built in  small   A small change.
            = 0
            $ lockstep pipelines list --all --label small
            PIPELINE    NAME   STEPS            LABELS  WHAT IT IS FOR
            pipeline-2  Quick  3      built in  small   A small change.
            = 0
            $ lockstep pipelines show Quick
            Quick  pipeline-2
            A small change.

            STEP   KIND        ROLE        NOTES                          CONFIG
            coder  agent       coder
            ci     ci-gate     ci-gate     asks for consent; after coder  {"max_attempts":3}
            try    human-test  human-test  disabled
            = 0
            $ lockstep pipelines check p.toml
            p.toml: nothing is wrong with it
            = 0
            $ lockstep pipelines add p.toml --description 'What we do' --label ours
            added pipeline-2: Quick, 3 steps
            = 0
            $ lockstep pipelines add missing.toml
            ! lockstep: missing.toml cannot be read: No such file or directory (os error 2)
            = 5
            $ lockstep pipelines edit Quick --file p.toml
            changed pipeline-2: Quick, 3 steps
            = 0
            $ lockstep pipelines clone Quick --name Slow
            added default-3: Sum in euros
            = 0
            $ lockstep pipelines label Quick a b
            changed pipeline-2: Quick, 3 steps
            = 0
            $ lockstep pipelines archive Quick
            changed pipeline-2: Quick, 3 steps
            = 0
            $ lockstep pipelines archive Old --undo
            changed pipeline-2: Quick, 3 steps
            = 0
            $ lockstep pipelines rm Old
            removed pipeline Old
            = 0
        "#]],
        expect![[r#"
            CreatePreset(PresetPatch { name: Some("Careful"), max_risk: Some(0.1), tolerated_severity: Some(Low) }) by anna
            EditPreset { id: PresetId("preset-16"), preset: PresetPatch { is_default: Some(true) } } by anna
            DeletePreset { id: PresetId("preset-16") } by anna
            CreatePipeline(PipelinePatch { name: Some("Mine"), description: Some("What we do"), labels: Some(["ours"]), steps: Some([PipelineStep { name: "coder", kind: "agent", role: Some("coder"), approval: false, enabled: true, config: {} }, PipelineStep { name: "ci-gate", kind: "ci-gate", approval: false, enabled: false, config: {"max_attempts":3} }]) }) by anna
            EditPipeline { id: PipelineId("pipeline-2"), pipeline: PipelinePatch { steps: Some([PipelineStep { name: "coder", kind: "agent", role: Some("coder"), approval: false, enabled: true, config: {} }, PipelineStep { name: "ci-gate", kind: "ci-gate", approval: false, enabled: false, config: {"max_attempts":3} }]) } } by anna
            ClonePipeline { id: PipelineId("pipeline-2"), name: Some("Slow") } by anna
            EditPipeline { id: PipelineId("pipeline-2"), pipeline: PipelinePatch { labels: Some(["a", "b"]) } } by anna
            EditPipeline { id: PipelineId("pipeline-2"), pipeline: PipelinePatch { archived: Some(true) } } by anna
            EditPipeline { id: PipelineId("pipeline-17"), pipeline: PipelinePatch { archived: Some(false) } } by anna
            DeletePipeline { id: PipelineId("pipeline-17") } by anna"#]],
    );
}

#[test]
fn schedules_spend_settings_and_notices() {
    transcript(
        &[
            "schedules list",
            "schedules add Nightly --service 1 --pipeline Quick --every 24 --from 3 --to 4 --template tech-debt",
            "schedules add Nightly --service 1 --pipeline Quick",
            "schedules edit Weekly --every 24 --on any",
            "schedules edit Weekly --enabled false",
            "schedules run weekly",
            "schedules history 18",
            "schedules rm Weekly",
            "spend",
            "spend --month 2026-11 --workspace default",
            "spend resume",
            "settings show",
            "settings set --monthly-limit none --price anthropic=3/15 --task-limit 4",
            "settings set --no-price x",
            "settings set",
            "notices",
            "notices list --workspace default",
            "notices act run-1:n1",
            "notices dismiss run-1:n1",
        ],
        expect![[r#"
            $ lockstep schedules list
            SCHEDULE     NAME    WHEN                                             NEXT                 PIPELINE    TASK        LAST
            schedule-18  Weekly  every 168 h on sun, 3:00 to 4:00, Europe/Berlin  2026-01-05 12:00:00  pipeline-2  default-19
            = 0
            $ lockstep schedules add Nightly --service 1 --pipeline Quick --every 24 --from 3 --to 4 --template tech-debt
            added schedule-18: Weekly
            = 0
            $ lockstep schedules add Nightly --service 1 --pipeline Quick
            ! lockstep: say how often it is due with --every HOURS
            = 5
            $ lockstep schedules edit Weekly --every 24 --on any
            changed default-3: Sum in euros
            = 0
            $ lockstep schedules edit Weekly --enabled false
            changed default-3: Sum in euros
            = 0
            $ lockstep schedules run weekly
            taken up default-3: Sum in euros
            watch its run: `lockstep runs watch run-019b8d1a2b30000000000001`
            = 0
            $ lockstep schedules history 18
            NO  STARTED              STATE    RUN       TOOK             OUTCOME
            2   2026-01-05 12:00:00  skipped                             the run before is live
            1   2026-01-05 12:00:00  done     00000001  1m 30s  by hand
            = 0
            $ lockstep schedules rm Weekly
            removed schedule Weekly and its task
            = 0
            $ lockstep spend
            2026-01  100.25 EUR of 100 EUR
            tokens: 1,234,567 read, 89 written
            nothing more may be spent this month
              raise the limit: lockstep settings set --monthly-limit AMOUNT

            waits for a budget:
            RUN       STATE    STEPS  TITLE    BRANCH  CHANGED
            00000001  running  1/1    A title  good    0ms ago

            let them go on: lockstep spend resume
            = 0
            $ lockstep spend --month 2026-11 --workspace default
            2026-11  100.25 EUR of 100 EUR
            tokens: 1,234,567 read, 89 written
            nothing more may be spent this month
              raise the limit: lockstep --workspace default settings set --monthly-limit AMOUNT

            waits for a budget:
            RUN       STATE    STEPS  TITLE    BRANCH  CHANGED
            00000001  running  1/1    A title  good    0ms ago

            let them go on: lockstep --workspace default spend resume
            = 0
            $ lockstep spend resume
            no run waits for a budget
            = 0
            $ lockstep settings show
            task limit       bug=2 of a service at once
            escalation       open cards are urgent after 120 min
            budget           100 EUR a month
            default price    0.14/0.55 EUR a million tokens read/written
            openai:gpt-5     1.1/8.8 EUR a million tokens read/written
            = 0
            $ lockstep settings set --monthly-limit none --price anthropic=3/15 --task-limit 4
            changed the settings
            = 0
            $ lockstep settings set --no-price x
            ! lockstep: "x" has no price: see `lockstep settings show`
            = 5
            $ lockstep settings set
            ! lockstep: nothing to change: give a field, see `lockstep settings set --help`
            = 5
            $ lockstep notices
            NOTICE    SINCE  SEVERITY  ITEM       KIND          ACT    TITLE
            run-1:n1  0ms    urgent    default-3  merge_review  merge  Merge it?

            do what one asks for with `lockstep notices act NOTICE`, close it with `lockstep notices dismiss NOTICE`
            = 0
            $ lockstep notices list --workspace default
            nothing waits for anybody
            = 0
            $ lockstep notices act run-1:n1
            acted on run-1:n1: Merge it?
            = 0
            $ lockstep notices dismiss run-1:n1
            dismissed run-1:n1: Merge it?
            = 0
        "#]],
        expect![[r#"
            CreateSchedule { service: ItemId("default-1"), template: TechDebt, schedule: SchedulePatch { name: Some("Nightly"), recurrence: Some(Recurrence { interval_hours: 24, weekdays: [], window_start_hour: Some(3), window_end_hour: Some(4), timezone: "UTC" }), pipeline: Some(PipelineId("pipeline-2")), enabled: Some(true) } } by anna
            EditSchedule { id: ScheduleId("schedule-18"), schedule: SchedulePatch { recurrence: Some(Recurrence { interval_hours: 24, weekdays: [], window_start_hour: Some(3), window_end_hour: Some(4), timezone: "Europe/Berlin" }) } } by anna
            EditSchedule { id: ScheduleId("schedule-18"), schedule: SchedulePatch { enabled: Some(false) } } by anna
            RunSchedule { id: ScheduleId("schedule-18") } by anna
            DeleteSchedule { id: ScheduleId("schedule-18") } by anna
            resume by anna
            EditSettings(SettingsPatch { task_limit: Some(Shared { limit: 4 }), pricing: Some(Pricing { currency: "EUR", prices: {"anthropic": Price { input_per_million: Money(3000000), output_per_million: Money(15000000) }, "openai:gpt-5": Price { input_per_million: Money(1100000), output_per_million: Money(8800000) }}, default_price: Price { input_per_million: Money(140000), output_per_million: Money(550000) } }) }) by anna
            cards of None
            cards of Some("default")
            Act run-1:n1 by anna
            Dismiss run-1:n1 by anna"#]],
    );
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_line_that_can() {
    let served = Served::new();
    for line in [
        "items add",
        "items show a/b",
        "items list --status asleep",
        "items depends 3",
        "reviews reply 3 1",
        "spend --month soon",
        "spend --month 2026-11 resume",
        "settings set --monthly-limit much",
        "schedules add x --service 1",
        "items list --workspace a/b",
    ] {
        let output = served.command(line).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}");
    }
    assert_eq!(served.service.calls(), "");
}

#[test]
fn lists_are_documents_for_programs() {
    let served = Served::new();
    let read = |line: &str| {
        let output = served.command(line).output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    assert_eq!(read("items list --json")[3]["depends_on"][0], "default-3");
    assert_eq!(read("items show 3 --json")["cards"][0]["id"], "run-1:n1");
    assert_eq!(read("notices --json")[0]["notice"]["kind"], "merge_review");
    assert_eq!(read("spend --json")["over_budget"], true);
    assert_eq!(read("items add x --json")["rows"][0]["item"]["id"], "default-3");
    assert_eq!(read("pipelines show Quick --json")["steps"][1]["kind"], "ci-gate");
}
