//! Forms of pages: how they are read, and how the next page says what came of them.

use super::{Refusal, bare};
use crate::extract;
use crate::identity::{Identity, Role};
use crate::problem::{self, Problem};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use lockstep_pages::Typed;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

/// Largest form: an edited proposal with comments, or a pipeline file, both a few ten kilobytes.
const FORM_MAX: usize = 1024 * 1024;

/// Longest word of what was done, in bytes: a browser keeps a cookie of 4 KiB, and a letter takes up to three bytes of it for one.
const TOLD_MAX: usize = 1200;

const TOLD: &str = "lockstep-told";

/// The fields of a form, sent from a page of whoever sends it (`csrf` is right). Fields of one name are a list; line ends
/// are `\n`, as they were where the text came from.
///
/// With all of them as they were typed, for the page that has to show them again. The field `form` says there which form of
/// the page it is, and is no part of `T`; `FormOf<Vec<(String, String)>>` takes any fields.
pub(super) struct FormOf<T>(pub(super) T, pub(super) Typed);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for FormOf<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (mut parts, body) = request.into_parts();
        let identity = match Identity::from_request_parts(&mut parts, state).await {
            Ok(identity) => identity,
            Err(problem) => return Err(Refusal(bare("Form"), problem)),
        };
        let refusal = |problem| {
            let mut frame = bare("Form");
            frame.who = Some(identity.name.clone());
            frame.csrf.clone_from(&identity.csrf);
            Refusal(frame, problem)
        };
        if identity.role < Role::Operator {
            let detail = "your role may look but change nothing: ask an operator or an admin";
            return Err(refusal(Problem::new(problem::FORBIDDEN, detail)));
        }
        let request = Request::from_parts(parts, body);
        let bytes = extract::read(request, FORM_MAX).await.map_err(refusal)?;
        let text = String::from_utf8_lossy(&bytes);
        fields(&text, &identity.csrf).map(|(form, typed)| Self(form, typed)).map_err(refusal)
    }
}

/// Reads `text`, as browsers encode a form.
fn fields<T: DeserializeOwned>(text: &str, csrf: &str) -> Result<(T, Typed), Problem> {
    let (own, others): (Vec<&str>, Vec<&str>) =
        text.split('&').partition(|pair| matches!(pair.split('=').next(), Some("csrf" | "form")));
    let own: Vec<(String, String)> = parsed(&own.join("&"));
    let named = |name| own.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let same: bool = named("csrf").as_bytes().ct_eq(csrf.as_bytes()).into();
    if csrf.is_empty() || !same {
        let detail = "the form is of a page from before you signed in: go back, load the page again and send it once more";
        return Err(Problem::new(problem::FORGED, detail));
    }
    // Browsers end the lines of a text field with both characters, whatever the text had.
    let others = others.join("&").replace("%0D%0A", "%0A").replace("%0d%0a", "%0a");
    let form = serde_html_form::from_str(&others)
        .map_err(|error| Problem::new(problem::INVALID, format!("the form cannot be read: {error}")))?;
    Ok((form, Typed { form: named("form").to_owned(), fields: parsed(&others) }))
}

fn parsed(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// A field that people leave empty to say nothing.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// Goes to `path`, a page of this host, which begins with `words`: what was done.
pub(super) fn done(path: &str, words: &str) -> Response {
    told(path, 'd', words)
}

/// Goes to `path`, a page of this host, which begins with `words`: why nothing was done. For forms in which nothing was
/// typed; one with text is shown again with it.
pub(super) fn refused(path: &str, words: &str) -> Response {
    told(path, 'r', words)
}

fn told(path: &str, kind: char, words: &str) -> Response {
    let end = words.floor_char_boundary(TOLD_MAX);
    let encoded: String = form_urlencoded::byte_serialize(&words.as_bytes()[..end]).collect();
    let cookie = format!("{TOLD}={kind}{encoded}; Path=/; HttpOnly; SameSite=Strict; Max-Age=60");
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => ([(header::SET_COOKIE, cookie)], Redirect::to(path)).into_response(),
        Err(_) => Redirect::to(path).into_response(),
    }
}

/// What the request before this one has done, or why it has not.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) done: String,
    pub(super) refused: String,
}

/// Hands what was told to the page that shows it, once: a page that a script fetches again does not take it.
pub(super) async fn hand_on(mut request: Request, next: Next) -> Response {
    let told = read_told(request.headers()).filter(|_| !request.headers().contains_key("hx-request"));
    let Some(told) = told else { return next.run(request).await };
    request.extensions_mut().insert(told);
    let mut response = next.run(request).await;
    let media = response.headers().get(header::CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    if !media.starts_with(b"text/html") {
        return response;
    }
    let gone = format!("{TOLD}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    if let Ok(gone) = HeaderValue::from_str(&gone) {
        response.headers_mut().append(header::SET_COOKIE, gone);
    }
    response
}

fn read_told(headers: &HeaderMap) -> Option<Told> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, cookie) = pairs.find(|(name, _)| *name == TOLD)?;
    let (kind, encoded) = cookie.split_at_checked(1)?;
    let (words, _) = form_urlencoded::parse(encoded.as_bytes()).next()?;
    match kind {
        "d" => Some(Told { done: words.into_owned(), refused: String::new() }),
        "r" => Some(Told { done: String::new(), refused: words.into_owned() }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::fields;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Bulk {
        run: Vec<String>,
        text: String,
    }

    fn read(text: &str) -> String {
        match fields::<Bulk>(text, "right") {
            Ok((Bulk { run, text }, typed)) => format!("{run:?} {text:?} of {:?}", typed.form),
            Err(problem) => problem.detail().to_owned(),
        }
    }

    #[test]
    fn a_form_is_read_if_it_is_of_a_page_of_its_sender() {
        let whole = read("run=a&csrf=right&text=1%0D%0A2&form=bulk&run=b");
        assert_eq!(whole, r#"["a", "b"] "1\n2" of "bulk""#);
        assert_eq!(read("csrf=right"), r#"[] "" of """#);
        for forged in ["run=a", "run=a&csrf=", "run=a&csrf=wrong", "", "%63srf=right"] {
            assert!(read(forged).starts_with("the form is of a page from before"), "{forged}");
        }
        assert!(read("csrf=right&more=1").starts_with("the form cannot be read: unknown field `more`"));
    }
}
