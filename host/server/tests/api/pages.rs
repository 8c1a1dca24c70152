//! Pages of runs and the inbox: what they show, and what their forms ask the services.

use crate::TOKEN;
use crate::access::Host;
use crate::sessions::{csrf_of, log_in};
use axum::body::Body;
use axum::http::{Request, Response};
use expect_test::expect;
use http_body_util::BodyExt;

/// Somebody who has signed in, before the pages of a host.
struct Browser {
    host: Host,
    cookie: String,
}

impl Browser {
    async fn new() -> Self {
        let host = Host::new().await;
        let cookie = log_in(&host, TOKEN).await;
        Self { host, cookie }
    }

    fn page(&self, line: &str, body: &str) -> Request<Body> {
        let (method, path) = line.split_once(' ').unwrap_or(("GET", line));
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost:7420")
            .header("cookie", &self.cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body.to_owned()))
            .expect("a request of constants")
    }

    async fn shown(&self, line: &str) -> String {
        text(self.host.send(self.page(line, "")).await).await
    }

    /// Sends a form with the mark of its page: status, where it leads to, and what is told there or here.
    async fn sent(&self, path: &str, fields: &str) -> String {
        let csrf = csrf_of(&self.host, &self.cookie).await;
        let form = self.page(&format!("POST {path}"), &format!("csrf={csrf}&{fields}"));
        let response = self.host.send(form).await;
        let head =
            |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (status, location, cookie) = (response.status().as_u16(), head("location"), head("set-cookie"));
        if location.is_empty() {
            return format!("{status} {}", said(&text(response).await));
        }
        let told = cookie.split(';').next().unwrap_or_default().replace('+', " ");
        format!("{status} to {location}: {told}")
    }

    /// What was asked of runs, but for lists.
    fn acted(&self) -> String {
        let calls = self.host.service.calls();
        let is_act = |call: &&str| !call.starts_with("list") && !call.starts_with("cards");
        calls.lines().filter(is_act).collect::<Vec<_>>().join("\n")
    }
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// What a page says, without its marks.
fn said(html: &str) -> String {
    let main = html.split("<main").nth(1).unwrap_or(html);
    // What only a script uncovers is not said.
    let (before, hidden) = main.split_once(r#"<p id="stale""#).unwrap_or((main, ""));
    let main = format!("{before}{}", hidden.split_once("</p>").map_or("", |(_, rest)| rest));
    let mut said = String::new();
    let mut is_mark = true;
    for c in main.chars() {
        match c {
            '<' => is_mark = true,
            '>' => {
                is_mark = false;
                said.push(' ');
            }
            c if !is_mark => said.push(c),
            _ => {}
        }
    }
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn the_list_asks_for_what_the_filter_says() {
    let browser = Browser::new().await;
    let html = browser.shown("/runs?status=failed&waits=person&text=a%26b&before=run-9&all=1").await;
    expect![[r#"
        cards of None
        list RunQuery { status: Some(Failed), waits: Some("person"), item: None, pipeline: None, text: Some("a&b"), before: Some(RunId("run-9")), limit: Some(50) }"#]].assert_eq(&browser.host.service.calls());
    assert!(
        html.contains(r#"href="/runs?text=a%26b&#38;status=failed&#38;waits=person&#38;before=run-9""#),
        "{html}"
    );
    assert_eq!(html.matches(r#"type="checkbox" name="run""#).count(), 3);
    assert_eq!(html.matches(" checked>").count(), 3, "every box is ticked");
}

#[tokio::test]
async fn a_page_of_a_run_says_where_it_stands() {
    let browser = Browser::new().await;
    let run = said(&browser.shown("/runs/run-1").await);
    for part in [
        "A feature blocked 1 of 2 steps",
        "Waits for an approval in merge since",
        "somebody must consent who can act: answer it",
        "Started 1970-01-01 00:00:00 UTC by anna",
        "code begins",
    ] {
        assert!(run.contains(part), "{part}: {run}");
    }
    expect!["Not found run missing: so it is To the runs"]
        .assert_eq(&said(&browser.shown("/runs/missing").await));
    let files = browser.host.send(browser.page("/runs/run-1/report", "")).await;
    assert_eq!(files.headers()["content-disposition"], "attachment; filename=\"run-1.html\"");
    assert!(text(files).await.contains("A feature"));
    let missing = said(&browser.shown("/runs/run-1/calls/7/capsule").await);
    assert!(missing.contains("run run-1 has no call 7"), "{missing}");
}

#[tokio::test]
async fn many_runs_are_acted_on_each_by_itself() {
    let browser = Browser::new().await;
    let told = [
        browser.sent("/runs/bulk", "run=run-1&run=run-2&action=pause&back=/runs?status%3Drunning").await,
        browser.sent("/runs/bulk", "run=run-1&run=busy&run=away&action=retry").await,
        browser.sent("/runs/bulk", "action=retry").await,
        browser.sent("/runs/bulk", "run=run-1&action=stop&reason=&back=//elsewhere").await,
        browser.sent("/runs/bulk", "run=run-1&action=explode").await,
    ];
    expect![[r#"
        303 to /runs?status=running: lockstep-told=d2 runs paused.
        303 to /runs: lockstep-told=r1 run retried%2C 2 runs not%3A run busy%3A so it is%3B run away%3A so it is
        303 to /runs: lockstep-told=rNo run is ticked%3A tick those that are meant.
        303 to /runs: lockstep-told=d1 run stopped.
        422 Invalid request the form cannot be read: unknown variant `explode`, expected one of `retry`, `pause`, `resume`, `stop` To the runs"#]].assert_eq(&told.join("\n"));
    expect![[r#"
        run-1: Pause by api
        run-2: Pause by api
        run-1: Retry by api
        busy: Retry by api
        away: Retry by api
        run-1: Stop { reason: "stopped on request" } by api"#]]
    .assert_eq(&browser.acted());
}

#[tokio::test]
async fn forms_of_a_run_become_its_actions() {
    let browser = Browser::new().await;
    let told = [
        browser.sent("/runs/run-1/act", "action=stop&reason=%20too+old").await,
        browser.sent("/runs/run-1/act", "action=restart&step=ci&digest=3fa1&back=step").await,
        browser.sent("/runs/run-1/act", "action=restart&step=ci&digest=").await,
        browser.sent("/runs/run-1/act", "action=repin&kind=ci-gate&digest=3fa1&reason=why").await,
        browser.sent("/runs/run-1/act", "action=tear-down").await,
        browser.sent("/runs/run-1/act", "action=explode").await,
        browser.sent("/runs/run-1/answers", "answer=approve&question=q1&proposal=&back=inbox").await,
        browser.sent("/runs/run-1/answers", "answer=approve&question=q1&proposal=new%0D%0Atext").await,
        browser
            .sent(
                "/runs/run-1/answers",
                "answer=request-changes&question=q1&feedback=no&line-2=why%3F&line-3=",
            )
            .await,
        browser.sent("/runs/run-1/answers", "answer=reject&question=q1&reason=no").await,
        browser.sent("/runs/run-1/answers", "answer=choose&question=q2&choice=80&text=").await,
        browser.sent("/runs/run-1/answers", "answer=choose&question=q2&text=mine").await,
        browser.sent("/runs/run-1/actions", "action=reply&step=review&item=f1&text=euros").await,
        browser.sent("/runs/busy/answers", "answer=choose&question=q2&choice=80&text=my+words").await,
        browser.sent("/inbox/cards", "card=run-1:n1&action=dismiss").await,
        browser.sent("/inbox/cards", "card=run-1:n1&action=act&back=run").await,
    ];
    expect![[r#"
        303 to /runs/run-1: lockstep-told=dIt is stopped.
        303 to /runs/run-1/steps/ci: lockstep-told=dIt begins again at ci.
        303 to /runs/run-1: lockstep-told=dIt begins again at ci.
        303 to /runs/run-1: lockstep-told=dIts ci-gate runs on 3fa1 from now on.
        303 to /runs/run-1: lockstep-told=dIts environments are torn down.
        422 Invalid request a run takes no action &#34;explode&#34; To the runs
        303 to /inbox: lockstep-told=dApproved%3A A feature.
        303 to /runs/run-1: lockstep-told=dApproved%2C as you changed it%3A A feature.
        303 to /runs/run-1: lockstep-told=dChanges requested%3A A feature.
        303 to /runs/run-1: lockstep-told=dRejected%3A A feature.
        303 to /runs/run-1: lockstep-told=dAnswered%3A A feature.
        422 No longer asked nothing is chosen: choose one, or write an answer What you wrote was not sent. It is kept here, to be copied: Your answer mine To the run · To the inbox
        303 to /runs/run-1: lockstep-told=dDone%3A reply%2C A feature.
        409 No longer asked run busy: so it is What you wrote was not sent. It is kept here, to be copied: Your answer 80 Your answer my words To the run · To the inbox
        303 to /inbox: lockstep-told=dDismissed%3A Merge it%3F
        303 to /runs/run-1: lockstep-told=dDone%3A Merge it%3F"#]].assert_eq(&told.join("\n"));
    expect![[r#"
        run-1: Stop { reason: "too old" } by api
        run-1: Restart { step: "ci", digest: Some("3fa1") } by api
        run-1: Restart { step: "ci", digest: None } by api
        run-1: Repin { pins: {"ci-gate": "3fa1"}, reason: "why" } by api
        run-1: TearDown by api
        run-1: Answer { question: Some(QuestionId(1)), answer: Approve { proposal: None }, token: None } by api
        run-1: Answer { question: Some(QuestionId(1)), answer: Approve { proposal: Some("new\ntext") }, token: None } by api
        run-1: Answer { question: Some(QuestionId(1)), answer: RequestChanges { feedback: "no", comments: [Comment { body: "why?", quote: None, lines: Some((1, 2)), anchor: None }] }, token: None } by api
        run-1: Answer { question: Some(QuestionId(1)), answer: Reject { reason: "no" }, token: None } by api
        run-1: Answer { question: Some(QuestionId(2)), answer: Choose { choice: "80", text: None, comments: [] }, token: None } by api
        run-1: Act { step: Some("review"), action: "reply", input: {"item":"f1","text":"euros"} } by api
        busy: Answer { question: Some(QuestionId(2)), answer: Choose { choice: "80", text: Some("my words"), comments: [] }, token: None } by api
        Dismiss run-1:n1 by api
        Act run-1:n1 by api"#]].assert_eq(&browser.acted());
}

#[tokio::test]
async fn a_form_of_elsewhere_changes_nothing() {
    let browser = Browser::new().await;
    for fields in ["action=pause", "action=pause&csrf=guessed"] {
        let response = browser.host.send(browser.page("POST /runs/run-1/act", fields)).await;
        assert_eq!(response.status().as_u16(), 403);
        let said = said(&text(response).await);
        assert!(said.contains("page of this host"), "{said}");
    }
    assert_eq!(browser.acted(), "");
}

#[tokio::test]
async fn what_was_done_is_told_once() {
    let browser = Browser::new().await;
    let with = |name: &'static str, value: &'static str| {
        let mut request = browser.page("/runs", "");
        let cookie = format!("{}; lockstep-told=d1+run+%3Cb%3E", browser.cookie);
        request.headers_mut().insert("cookie", cookie.parse().unwrap());
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    let told = browser.host.send(with("accept", "text/html")).await;
    let gone = told.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(gone.starts_with("lockstep-told=; ") && gone.contains("Max-Age=0"), "{gone}");
    assert!(text(told).await.contains(r#"<p class="done" role="status">1 run &#60;b&#62;</p>"#));
    let fetched = browser.host.send(with("hx-request", "true")).await;
    assert!(!fetched.headers().contains_key("set-cookie"), "a page that a script fetches leaves it");
}
