//! What people answer and do: decisions, approvals, caps, reviews and human tests.

use crate::drive::Calls;
use crate::world::{PERSON, Refusal, World};
use crate::{Action, mapping};
use lockstep_engine::Phase;
use lockstep_types::{
    Answer, Comment, FailureClass, Input, JsonText, QuestionId, Rejected, RunStatus, StepAction, StepIx,
    StepStatus,
};
use serde_json::{Value, json};

impl World<'_> {
    /// One input of a person, and what it leads to at once.
    pub(crate) async fn input(&mut self, at: usize, input: &Input) -> Result<(), Refusal> {
        self.turn(at, input, Calls::Following).await?;
        self.perform_effects(at).await
    }

    /// Answers the question an action is about, and lets the step go on as far as its answer and its effects take it.
    pub(crate) async fn answer(&mut self, at: usize, action: &Action) -> Result<(), Refusal> {
        let entry = &self.runs[at];
        let text = |name: &str| action.text(name).unwrap_or_default().to_owned();
        let approval = || entry.approval(action.text("approval"));
        let choose =
            |choice: &str| Answer::Choose { choice: choice.to_owned(), text: None, comments: Vec::new() };
        let (question, answer): (QuestionId, Answer) = match action.name.as_str() {
            "decide" => {
                (entry.decision(action.text("decision")), choose(action.text("choice").unwrap_or("A")))
            }
            "companion_exceeded" => (approval(), choose(&text("choice"))),
            "approve" => {
                (approval(), Answer::Approve { proposal: action.text("proposal").map(str::to_owned) })
            }
            "reject" => (approval(), Answer::Reject { reason: text("reason") }),
            _ => {
                let comments = comments(action.args.get("comments"));
                (approval(), Answer::RequestChanges { feedback: text("feedback"), comments })
            }
        };
        let token = action.text("token").map(str::to_owned);
        // EN-5, SP-3: what an answer leads to is begun, and paid for, by the next advance.
        self.stage.is_admitted = true;
        let input = Input::Answered { question, answer, token, by: PERSON.to_owned() };
        let taken = self.input(at, &input).await;
        self.stage.is_admitted = false;
        self.runs[at].begins_anew |= taken.is_ok() && action.name == "decide" && self.is_job_due(at);
        taken
    }

    pub(crate) async fn companion_exceeded(&mut self, action: &Action) -> Result<(), Refusal> {
        let at = self.addressed(action)?;
        let was_live = self.runs[at].run().status().is_live();
        self.answer(at, action).await?;
        self.cancel_if_reset(at, was_live).await
    }

    /// CO-14, RV-18: stop-reset cancels the run as SC-4 says.
    async fn cancel_if_reset(&mut self, at: usize, was_live: bool) -> Result<(), Refusal> {
        let failure = self.runs[at].run().summary().failure;
        if was_live && failure.is_some_and(|failure| failure.class == FailureClass::Cancelled) {
            let block = self.runs[at].block.as_str().to_owned();
            self.cancel(&block).await?;
        }
        Ok(())
    }

    /// The review actions: by the run that is parked on such a review, else by an errand.
    pub(crate) async fn review(&mut self, action: &Action) -> Result<(), Refusal> {
        let block = self.item_id(action.block())?;
        let review = if action.text("kind") == Some("clarity") { "clarity" } else { "requirements" };
        let document = self.board.item(&block)?.document(review).map(|document| document.value.value());
        if document.is_none() && action.name != "run_review" {
            return Err(Rejected::NotFound(format!("{block} has no {review} review")).into());
        }
        let is_exceeded = document.as_ref().is_some_and(|row| row["status"] == json!("exceeded"));
        if action.name == "review_exceeded" && !is_exceeded {
            // D-9: there is a choice only at the cap.
            return Err(
                Rejected::Conflict(format!("the {review} review of {block} is not at its cap")).into()
            );
        }
        for (name, input) in steps_of(action, document.as_ref()) {
            let act = StepAction { name, input: JsonText::of(&input), by: PERSON.to_owned() };
            match self.parked_on(block.as_str(), mapping::review_kind(review)) {
                Some((at, step)) if act.name != "review" => {
                    let step = self.runs[at].run().spec().pipeline.steps[step].name.clone();
                    self.input(at, &Input::Act { step, action: act }).await?;
                    self.cancel_if_reset(at, true).await?;
                }
                _ => self.errand(&block, mapping::review_kind(review), act).await?,
            }
            if self.run_of(block.as_str()).is_some() {
                self.look()?;
            }
        }
        Ok(())
    }

    /// The run that waits at a step of a kind, or is about to carry out what a person asked for there.
    fn parked_on(&self, block: &str, kind: &str) -> Option<(usize, StepIx)> {
        let at = self.run_of(block)?;
        let run = self.runs[at].run();
        if !matches!(run.status(), RunStatus::Running | RunStatus::Blocked) {
            return None;
        }
        let step = run.steps().iter().enumerate().position(|(ix, step)| {
            self.runs[at].kind_of(ix) == kind
                && matches!(step.phase, Phase::Question { .. } | Phase::Timer { .. })
        })?;
        Some((at, step))
    }

    /// The actions of a human test.
    pub(crate) async fn human_test(&mut self, action: &Action) -> Result<(), Refusal> {
        let block = self.item_id(action.block())?;
        let gone = || Rejected::Conflict(format!("{block} has no human test that waits"));
        let at = self.run_of(block.as_str()).ok_or_else(gone)?;
        let is_live = self.runs[at].run().status().is_live();
        if !is_live && action.name == "ht_destroy" {
            return self.input(at, &Input::TearDown).await;
        }
        let run = self.runs[at].run();
        let step = run.steps().iter().enumerate().position(|(ix, step)| {
            self.runs[at].kind_of(ix) == "human-test"
                && matches!(step.status, StepStatus::Working | StepStatus::WaitingDecision)
        });
        let step = run.spec().pipeline.steps[step.ok_or_else(gone)?].name.clone();
        let (name, input) = match action.name.as_str() {
            "ht_confirm" => ("confirm", json!({})),
            "ht_fix" => {
                ("request-fix", json!({"findings": action.text("findings").unwrap_or("it does not work")}))
            }
            "ht_pull_main" => ("pull-main", json!({})),
            "ht_recreate" => ("recreate", json!({})),
            _ => ("destroy", json!({})),
        };
        let act = StepAction { name: name.to_owned(), input: JsonText::of(&input), by: PERSON.to_owned() };
        self.input(at, &Input::Act { step, action: act }).await
    }
}

/// The component's actions that an action of the script stands for.
fn steps_of(action: &Action, document: Option<&Value>) -> Vec<(String, Value)> {
    let one = |name: &str, input: Value| vec![(name.to_owned(), input)];
    let item = action.args.get("item").cloned().unwrap_or_else(|| json!(0));
    match action.name.as_str() {
        "run_review" => one("review", json!({})),
        "incorporate" => match action.text("feedback") {
            Some(feedback) => one("incorporate", json!({"feedback": feedback})),
            None => one("incorporate", json!({})),
        },
        "re_review" => one("re-review", json!({})),
        "proceed" => one("proceed", json!({"force": action.flag("force")})),
        "review_exceeded" => one(action.text("choice").unwrap_or("extra-round"), json!({})),
        "review_reply" => one("reply", json!({"item": item, "text": action.text("reply").unwrap_or("r")})),
        "review_status" => {
            one("set-status", json!({"item": item, "status": action.text("status").unwrap_or("resolved")}))
        }
        _ => settle_all(action.text("reply"), document),
    }
}

/// Every open finding: answered with a reply, or dismissed without one.
fn settle_all(reply: Option<&str>, document: Option<&Value>) -> Vec<(String, Value)> {
    let findings = document.and_then(|row| row["findings"].as_array()).map(Vec::as_slice).unwrap_or_default();
    let open = findings.iter().enumerate().filter(|(_, finding)| finding["status"] == json!("open"));
    open.map(|(at, _)| match reply {
        Some(reply) => ("reply".to_owned(), json!({"item": at, "text": reply})),
        None => ("set-status".to_owned(), json!({"item": at, "status": "dismissed"})),
    })
    .collect()
}

fn comments(list: Option<&Value>) -> Vec<Comment> {
    let items = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let comment = |item: &Value| Comment {
        body: text(&item["body"]).unwrap_or_default(),
        quote: text(&item["quotedSource"]),
        lines: None,
        anchor: text(&item["id"]),
    };
    items.iter().map(comment).collect()
}
