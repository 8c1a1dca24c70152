//! Backtests over HTTP.

use crate::fake::FakeService;
use crate::{request, send, shown};
use expect_test::expect;

#[tokio::test]
async fn progress_comes_line_by_line_and_the_report_last() {
    let service = FakeService::new();
    let line = "POST /v1/backtests?kind=gate&digest=3fa1&last=5&since=1000&runs=run-1,run-2&shown=3";
    let response = send(&service, request(line, String::new())).await;
    let text = shown(response).await;
    expect![[r#"
        200 application/x-ndjson
        {"progress":{"done":1,"of":2,"different":1}}
        {"report":{"kind":"gate","candidate":"3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3","version":"2","runs":1,"unreadable_runs":0,"counts":{"identical":1,"changed":1,"decided":1,"unrecorded":0,"faults":0,"other_state":0},"fuel":{"calls":2,"recorded":2000,"candidate":2500,"up":1,"down":0,"worst_growth_percent":50},"cases":[{"run":"run-000000000010000000000000000","number":4,"step":"ci","at":1767603600000,"made_by":"7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed","recorded":"complete green","candidate":"wait 500 ms","recorded_fuel":1000,"candidate_fuel":1500,"outcome":"changed","differences":[{"field":"next","recorded":"complete green","candidate":"wait 500 ms"}]}],"is_cut":false,"took_ms":12}}
    "#]].assert_eq(&text);
    expect![[r#"backtest 3fa1 for gate, Some(5) Some(Timestamp(1000)) [RunId("run-1"), RunId("run-2")] 3"#]]
        .assert_eq(&service.calls());
}

#[tokio::test]
async fn what_is_wrong_at_once_is_a_problem() {
    let service = FakeService::new();
    let mut text = String::new();
    for line in [
        "POST /v1/backtests?kind=other&digest=3fa1",
        "POST /v1/backtests?digest=3fa1",
        "POST /v1/backtests?kind=gate&digest=3fa1&runs=run-1,!",
        "POST /v1/backtests?kind=gate&digest=3fa1&made_by=3fa1",
    ] {
        text.push_str(&shown(send(&service, request(line, String::new())).await).await);
    }
    expect![[r#"
        422 invalid: it implements kind gate, not other
        422 invalid: the query cannot be read: missing field `kind`
        404 not-found: no such run: "!" is not a run id: 1 to 128 letters, digits, - or _
        422 invalid: the query cannot be read: made_by: "3fa1" is not a digest: 64 hexadecimal digits
    "#]]
    .assert_eq(&text);
}
