use crate::access::Host;
use crate::{TOKEN, shown};
use expect_test::expect_file;
use lockstep_types::Role;
use serde_json::Value;

/// Every operation the description tells of, asked by every role: `yes` where the guard lets it through, whatever comes of
/// it then.
#[tokio::test]
async fn each_role_may_do_what_its_operations_say() {
    let host = Host::new().await;
    let text = host.answer(TOKEN, "/v1/openapi.json", "").await;
    let document: Value = serde_json::from_str(text.strip_prefix("200 ").unwrap()).unwrap();
    let mut tokens = Vec::new();
    for role in Role::ALL {
        tokens.push((role, host.token(&format!("a-{}", role.word()), role, &[]).await));
    }
    let mut table = "viewer, operator, admin\n".to_owned();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(needed) = operation["x-role"].as_str() else { continue };
            let needed: Role = needed.parse().unwrap();
            let path = path.replace("{run}", "run-1").replace(['{', '}'], "");
            let line = format!("{} {path}", method.to_uppercase());
            let mut row = String::new();
            for (role, token) in &tokens {
                // What is asked is not to be done: a body that no route takes comes after the guard.
                let response = host.ask(token, &line, "not json").await;
                let status = response.status().as_u16();
                let answer = if status == 403 { shown(response).await } else { String::new() };
                assert_eq!(status == 403, *role < needed, "{line} by {}: {status} {answer}", role.word());
                row += if status == 403 { " no " } else { " yes" };
            }
            table += &format!("{row}  {line}\n");
            let mut nobody = crate::request(&line, "");
            nobody.headers_mut().remove("authorization");
            assert_eq!(host.send(nobody).await.status(), 401, "{line}");
        }
    }
    expect_file!["roles.txt"].assert_eq(&table);
}
