//! Sessions of browsers: how they begin and end, and what is not let through in one.

use crate::access::{DAY_MS, Host};
use crate::{TOKEN, shown};
use axum::body::Body;
use axum::http::{Request, Response};
use expect_test::expect;
use lockstep_server::{Limits, Options};
use lockstep_types::Role;
use std::sync::Arc;

/// A request of a browser at `http://localhost:7420`.
fn browser(line: &str, headers: &[(&'static str, &str)], body: impl Into<Body>) -> Request<Body> {
    let (method, path) = line.split_once(' ').unwrap_or(("GET", line));
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost:7420");
    }
    if method == "POST" && !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value))
        .body(body.into())
        .unwrap()
}

fn cookie_of(response: &Response<Body>) -> String {
    response.headers()["set-cookie"].to_str().unwrap().to_owned()
}

/// The pair a browser sends back.
fn pair(cookie: &str) -> String {
    cookie.split(';').next().unwrap().to_owned()
}

pub(crate) async fn log_in(host: &Host, token: &str) -> String {
    let response = host.send(browser("POST /login", &[], format!("token={token}&next=/runs"))).await;
    assert_eq!(response.status(), 303);
    pair(&cookie_of(&response))
}

/// What forms of a page send along.
pub(crate) async fn csrf_of(host: &Host, cookie: &str) -> String {
    let page = shown(host.send(browser("/runs", &[("cookie", cookie)], "")).await).await;
    let begin = page.find(r#"name="csrf" value=""#).expect("a form") + r#"name="csrf" value=""#.len();
    page[begin..].split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_begins_with_a_token_and_ends_with_it() {
    let host = Host::new().await;
    let token = host.token("bob", Role::Viewer, &[]).await;
    let response =
        host.send(browser("POST /login", &[], format!("token={token}&next=/runs?status=done"))).await;
    assert_eq!(response.headers()["location"], "/runs?status=done");
    let cookie = cookie_of(&response);
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    assert!(cookie.starts_with("lockstep-7420=") && !cookie.contains(&token[21..]), "{cookie}");
    let cookie = pair(&cookie);
    let page = |cookie: String| host.send(browser("/runs", &[("cookie", &cookie)], ""));
    assert!(shown(page(cookie.clone()).await).await.contains("bob"));
    assert_eq!(host.ask(TOKEN, "DELETE /v1/tokens/bob", "").await.status(), 200);
    assert_eq!(page(cookie).await.status(), 303, "it is sent to the form");
}

#[tokio::test]
async fn it_ends_when_nobody_uses_it_and_after_a_week_in_any_case() {
    let host = Host::new().await;
    let idle = log_in(&host, TOKEN).await;
    let status =
        async |cookie: &str| host.send(browser("/runs", &[("cookie", cookie)], "")).await.status().as_u16();
    host.pass(DAY_MS / 2 - 1000);
    assert_eq!(status(&idle).await, 200);
    host.pass(DAY_MS / 2);
    assert_eq!(status(&idle).await, 303);
    let used = log_in(&host, TOKEN).await;
    for _ in 0..20 {
        host.pass(DAY_MS / 3);
        assert_eq!(status(&used).await, 200);
    }
    host.pass(DAY_MS / 3);
    assert_eq!(status(&used).await, 303, "seven days are over");
}

#[tokio::test]
async fn it_outlives_a_restart_but_not_another_token_of_the_folder() {
    let host = Host::new().await;
    let cookie = log_in(&host, TOKEN).await;
    let again = |token: &str| Options { token: token.to_owned(), ..Options::default() };
    for (token, status) in [(TOKEN, 200), ("another", 303)] {
        let host = Host::over(Arc::clone(&host.store), again(token)).await;
        assert_eq!(host.send(browser("/runs", &[("cookie", &cookie)], "")).await.status(), status, "{token}");
    }
}

#[tokio::test]
async fn a_cookie_that_is_not_ours_is_nobody() {
    let host = Host::new().await;
    let right = log_in(&host, TOKEN).await;
    let (name, id) = right.split_once('=').unwrap();
    let forged = format!("{name}={}", "0".repeat(64));
    for wrong in [
        forged.clone(),
        format!("{name}={}", &id[..63]),
        format!("{name}={id}0"),
        format!("{name}="),
        format!("{name}={TOKEN}"),
        format!("lockstep-80={id}"),
        format!("{right}; {forged}"),
        format!("{forged}; {right}"),
        format!("{right}; {right}"),
        format!("{name}={}", id.to_uppercase()),
        "\u{7f}".to_owned(),
    ] {
        let Ok(value) = axum::http::HeaderValue::from_bytes(wrong.as_bytes()) else { continue };
        let mut request = browser("/runs", &[], "");
        request.headers_mut().insert("cookie", value);
        assert_eq!(host.send(request).await.status(), 303, "{wrong}");
    }
    let mut two = browser("/runs", &[("cookie", &right)], "");
    two.headers_mut().append("cookie", forged.parse().unwrap());
    assert_eq!(host.send(two).await.status(), 303, "one of two was slipped in");
    let mixed = format!("theme=dark; {right}; other=1");
    assert_eq!(host.send(browser("/runs", &[("cookie", &mixed)], "")).await.status(), 200);
    assert_eq!(
        host.send(browser("/v1/runs", &[("cookie", &right)], "")).await.status(),
        200,
        "scripts of pages"
    );
}

#[tokio::test]
async fn nothing_is_changed_but_by_a_page_of_this_host() {
    let host = Host::new().await;
    let cookie = log_in(&host, TOKEN).await;
    let csrf = csrf_of(&host, &cookie).await;
    let other = csrf_of(&host, &log_in(&host, TOKEN).await).await;
    assert_ne!(csrf, other);
    let (right, wrong) = (format!("a=1&csrf={csrf}"), format!("csrf={other}"));
    let twice = format!("csrf={csrf}&csrf={csrf}");
    let json = ("content-type", "application/json");
    let script = ("x-csrf-token", csrf.as_str());
    let stop = "POST /v1/runs/run-1/stop";
    let mut text = String::new();
    for (what, line, headers, body) in [
        ("no token", "POST /logout", vec![], ""),
        ("the token of another session", "POST /logout", vec![], wrong.as_str()),
        ("two tokens", "POST /logout", vec![], &twice),
        ("a page of another site", "POST /logout", vec![("origin", "http://evil.example")], &right),
        ("another port", "POST /logout", vec![("origin", "http://localhost:7421")], &right),
        ("a sandboxed frame", "POST /logout", vec![("origin", "null")], &right),
        ("another site, no origin", "POST /logout", vec![("sec-fetch-site", "cross-site")], &right),
        ("a script without a token", stop, vec![json], "{}"),
        ("a script with a wrong token", stop, vec![json, ("x-csrf-token", "no")], "{}"),
        ("a script of another site", stop, vec![json, script, ("origin", "http://evil.example")], "{}"),
        ("a script of ours", stop, vec![json, script, ("origin", "http://localhost:7420")], "{}"),
        ("a form of ours", "POST /logout", vec![("sec-fetch-site", "same-origin")], &right),
        ("the same once more", "POST /logout", vec![("sec-fetch-site", "same-origin")], &right),
    ] {
        let mut headers = headers;
        headers.push(("cookie", &cookie));
        let response = host.send(browser(line, &headers, body.to_owned())).await;
        let status = response.status().as_u16();
        let to = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        text += &format!("{what}: {status} {}\n", to.unwrap_or_default());
    }
    expect![[r#"
        no token: 403 
        the token of another session: 403 
        two tokens: 403 
        a page of another site: 403 
        another port: 403 
        a sandboxed frame: 403 
        another site, no origin: 403 
        a script without a token: 403 
        a script with a wrong token: 403 
        a script of another site: 403 
        a script of ours: 200 
        a form of ours: 303 /login
        the same once more: 303 /login?next=/
    "#]]
    .assert_eq(&text);
}

#[tokio::test]
async fn signing_in_takes_nothing_over_and_leads_nowhere_else() {
    let host = Host::new().await;
    let planted = format!("lockstep-7420={}", "a".repeat(64));
    let sent = browser("POST /login", &[("cookie", &planted)], format!("token={TOKEN}"));
    let first = pair(&cookie_of(&host.send(sent).await));
    assert_ne!(first, planted, "an id somebody chose is never used");
    assert_eq!(host.send(browser("/runs", &[("cookie", &planted)], "")).await.status(), 303);
    let sent = browser("POST /login", &[("cookie", &first)], format!("token={TOKEN}"));
    let second = pair(&cookie_of(&host.send(sent).await));
    assert_eq!(
        host.send(browser("/runs", &[("cookie", &first)], "")).await.status(),
        303,
        "the one before has ended"
    );
    assert_eq!(host.send(browser("/runs", &[("cookie", &second)], "")).await.status(), 200);
    let mut text = String::new();
    for next in [
        "/runs",
        "//evil.example",
        "/%5Cevil.example",
        "https://evil.example",
        "/a%0d%0aset-cookie:x=1",
        "/%09/evil.example",
        "",
        "runs",
    ] {
        let response = host.send(browser("POST /login", &[], format!("token={TOKEN}&next={next}"))).await;
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 1);
        text += &format!("{next} -> {}\n", response.headers()["location"].to_str().unwrap());
    }
    expect![[r#"
        /runs -> /runs
        //evil.example -> /
        /%5Cevil.example -> /
        https://evil.example -> /
        /a%0d%0aset-cookie:x=1 -> /
        /%09/evil.example -> /
         -> /
        runs -> /
    "#]]
    .assert_eq(&text);
    let forged = browser("POST /login", &[("origin", "http://evil.example")], format!("token={TOKEN}"));
    assert_eq!(host.send(forged).await.status(), 403, "nobody is signed in by another site");
    assert_eq!(host.send(browser("POST /login", &[], "token=wrong")).await.status(), 401);
}

#[tokio::test]
async fn a_link_signs_in_once_and_soon() {
    let host = Host::new().await;
    let link = async || {
        let made = host.answer(TOKEN, "POST /v1/login-links", r#"{"by":"anna"}"#).await;
        let made: serde_json::Value = serde_json::from_str(made.strip_prefix("201 ").unwrap()).unwrap();
        made["path"].as_str().unwrap().to_owned()
    };
    let path = link().await;
    let response = host.send(browser(&path, &[], "")).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["refresh"]),
        (200, &"0; url=/".parse().unwrap())
    );
    let cookie = pair(&cookie_of(&response));
    assert!(shown(host.send(browser("/runs", &[("cookie", &cookie)], "")).await).await.contains("anna"));
    let again = host.send(browser(&path, &[], "")).await;
    assert!(again.status() == 401 && !again.headers().contains_key("set-cookie"));
    let late = link().await;
    host.pass(2 * 60 * 1000);
    assert_eq!(host.send(browser(&late, &[], "")).await.status(), 401);
    let admin = host.token("root", Role::Admin, &[]).await;
    expect![[r#"
        403 forbidden: only the token of the data folder makes log-in links: sign in with your own token
    "#]]
    .assert_eq(&host.answer(&admin, "POST /v1/login-links", "{}").await);
    expect![[r#"
        anna (local) session.begin [local] in -: done
    "#]]
    .assert_eq(&host.audit());
}

#[tokio::test]
async fn behind_a_proxy_the_cookie_is_for_tls_alone() {
    let host = Host::with(Limits::default(), Some("https://steps.example")).await;
    let public = [("host", "steps.example"), ("origin", "https://steps.example")];
    let cookie = cookie_of(&host.send(browser("POST /login", &public, format!("token={TOKEN}"))).await);
    assert!(cookie.starts_with("__Host-lockstep=") && cookie.ends_with("; Secure"), "{cookie}");
    let seen = [("host", "steps.example"), ("cookie", &pair(&cookie))];
    assert_eq!(host.send(browser("/runs", &seen, "")).await.status(), 200);
    let plain = [("host", "steps.example"), ("origin", "http://steps.example")];
    assert_eq!(host.send(browser("POST /login", &plain, format!("token={TOKEN}"))).await.status(), 403);
    for (name, status) in [("evil.example", 421), ("steps.example:444", 421), ("127.0.0.1:7420", 303)] {
        assert_eq!(host.send(browser("/runs", &[("host", name)], "")).await.status(), status, "{name}");
    }
}
