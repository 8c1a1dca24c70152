//! The document as a page, for people: plain HTML that needs no script.

use crate::problem::KINDS;
use serde_json::{Map, Value};
use std::fmt::Write;

/// How the page looks. A file of its own, so that the page may forbid styles within it.
pub(super) const STYLE: &str = include_str!("docs.css");

/// What the page may load: its style, from this host.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'";

pub(super) fn of(document: &Value) -> String {
    let mut page = Page(String::with_capacity(1 << 18));
    page.head(&document["info"]);
    page.contents(document);
    page.codes();
    for tag in names(&document["tags"]) {
        let id = anchor(tag);
        page.put(&format!("<section><h2 id=\"{id}\">{}</h2>", escaped(tag)));
        for (path, method, operation) in operations(document).filter(|(_, _, of)| of["tags"][0] == tag) {
            page.operation(path, method, operation);
        }
        page.put("</section>");
    }
    page.put("<section><h2 id=\"schemas\">What is sent and answered</h2>");
    for (name, schema) in fields(&document["components"]["schemas"]) {
        page.schema(name, schema);
    }
    page.put("</section></main></body></html>\n");
    page.0
}

struct Page(String);

impl Page {
    fn put(&mut self, html: &str) {
        self.0.push_str(html);
        self.0.push('\n');
    }

    fn head(&mut self, info: &Value) {
        let title = format!("{} {}", text(&info["title"]), text(&info["version"]));
        self.put("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
        self.put("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        self.put(&format!("<title>{} over HTTP</title>", escaped(&title)));
        self.put("<link rel=\"stylesheet\" href=\"/v1/docs.css\"></head><body><main>");
        self.put(&format!("<h1>{} over HTTP</h1>", escaped(&title)));
        for paragraph in text(&info["description"]).split("\n\n") {
            self.put(&format!("<p>{}</p>", marked_up(paragraph)));
        }
        self.put("<p>For programs: <a href=\"/v1/openapi.json\">openapi.json</a> (OpenAPI 3.1).</p>");
    }

    fn contents(&mut self, document: &Value) {
        self.put("<nav aria-label=\"Contents\"><ul><li><a href=\"#codes\">Codes of problems</a></li>");
        for tag in names(&document["tags"]) {
            self.put(&format!("<li><a href=\"#{}\">{}</a></li>", anchor(tag), escaped(tag)));
        }
        self.put("<li><a href=\"#schemas\">What is sent and answered</a></li></ul></nav>");
    }

    fn codes(&mut self) {
        self.put("<section><h2 id=\"codes\">Codes of problems</h2><table><thead>");
        self.put("<tr><th>code</th><th>status</th><th>meaning</th></tr></thead><tbody>");
        for kind in KINDS {
            let (code, status) = (kind.code(), kind.status().as_u16());
            let meaning = marked_up(kind.meaning());
            self.put(&format!("<tr><td><code>{code}</code></td><td>{status}</td><td>{meaning}</td></tr>"));
        }
        self.put("</tbody></table></section>");
    }

    fn operation(&mut self, path: &str, method: &str, operation: &Value) {
        let id = anchor(text(&operation["operationId"]));
        let method = method.to_uppercase();
        self.put(&format!("<article id=\"{id}\"><h3><code>{method} {}</code></h3>", escaped(path)));
        let (summary, description) = (text(&operation["summary"]), text(&operation["description"]));
        self.put(&format!("<p>{}. {}</p>", marked_up(summary), marked_up(description)));
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !parameters.is_empty() {
            self.put(
                "<table><thead><tr><th>parameter</th><th>in</th><th>type</th><th></th></tr></thead><tbody>",
            );
            for parameter in parameters {
                self.put(&format!(
                    "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
                    escaped(text(&parameter["name"])),
                    text(&parameter["in"]),
                    type_of(&parameter["schema"]),
                    marked_up(text(&parameter["description"])),
                ));
            }
            self.put("</tbody></table>");
        }
        self.put("<ul>");
        for (media, content) in fields(&operation["requestBody"]["content"]) {
            let optional =
                if operation["requestBody"]["required"] == true { "" } else { ", may be left out" };
            let body = described(media, &content["schema"]);
            self.put(&format!("<li>takes {body}{optional}</li>"));
        }
        for (status, answer) in fields(&operation["responses"]) {
            let description = marked_up(text(&answer["description"]));
            let content = fields(&answer["content"]).next().filter(|(media, _)| !media.contains("problem"));
            let content = content.map(|(media, content)| described(media, &content["schema"]));
            let content = content.map_or_else(String::new, |content| format!(": {content}"));
            self.put(&format!("<li><code>{status}</code> {description}{content}</li>"));
        }
        self.put("</ul></article>");
    }

    fn schema(&mut self, name: &str, schema: &Value) {
        self.put(&format!("<article id=\"schema-{}\"><h3>{}</h3>", escaped(name), escaped(name)));
        self.put(&format!("<p>{}</p>", marked_up(text(&schema["description"]))));
        self.properties(schema);
        for way in ["oneOf", "anyOf"] {
            for choice in schema[way].as_array().into_iter().flatten() {
                let what = marked_up(text(&choice["description"]));
                self.put(&format!("<p>either {} {what}</p>", type_of(choice)));
                self.properties(choice);
            }
        }
        if fields(&schema["properties"]).next().is_none() && schema.get("oneOf").is_none() {
            self.put(&format!("<p>{}</p>", type_of(schema)));
        }
        self.put("</article>");
    }

    fn properties(&mut self, schema: &Value) {
        if fields(&schema["properties"]).next().is_none() {
            return;
        }
        self.put("<table><thead><tr><th>field</th><th>type</th><th></th></tr></thead><tbody>");
        for (field, of) in fields(&schema["properties"]) {
            let required =
                schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == field));
            let optional = if required { "" } else { ", may be missing" };
            self.put(&format!(
                "<tr><td><code>{}</code></td><td>{}{optional}</td><td>{}</td></tr>",
                escaped(field),
                type_of(of),
                marked_up(text(&of["description"])),
            ));
        }
        self.put("</tbody></table>");
    }
}

fn described(media: &str, schema: &Value) -> String {
    let inline = fields(&schema["properties"]).map(|(name, _)| format!("<code>{}</code>", escaped(name)));
    let inline: Vec<String> = inline.collect();
    let shape = match inline.as_slice() {
        [] => type_of(schema),
        names => format!("an object of {}", names.join(", ")),
    };
    format!("<code>{}</code> {shape}", escaped(media))
}

/// A schema in a few words, with a link to what has a name.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|to| to.rsplit('/').next()) {
        let name = escaped(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if let Some(word) = schema.get("const") {
        return format!("<code>{}</code>", escaped(&word.to_string()));
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> =
            words.iter().map(|word| format!("<code>{}</code>", escaped(&word.to_string()))).collect();
        return words.join(" or ");
    }
    for way in ["anyOf", "oneOf", "allOf"] {
        if let Some(ways) = schema[way].as_array() {
            let ways: Vec<String> = ways.iter().map(type_of).collect();
            return ways.join(if way == "allOf" { " and " } else { " or " });
        }
    }
    match &schema["type"] {
        Value::String(one) if one == "array" => format!("list of {}", type_of(&schema["items"])),
        Value::String(one) => one.clone(),
        Value::Array(several) => several.iter().map(text).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    }
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    fields(&document["paths"])
        .flat_map(|(path, methods)| fields(methods).map(move |(method, operation)| (path, method, operation)))
}

fn fields(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).map(|(name, value)| (name.as_str(), value))
}

fn names(tags: &Value) -> impl Iterator<Item = &str> {
    tags.as_array().into_iter().flatten().map(|tag| text(&tag["name"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn anchor(name: &str) -> String {
    name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

/// Text as HTML, with what stands between backticks as code and between double stars as strong.
fn marked_up(text: &str) -> String {
    let mut html = String::new();
    for (at, part) in text.split('`').enumerate() {
        let part = escaped(part);
        if at % 2 == 1 {
            write!(html, "<code>{part}</code>").unwrap_or_default();
            continue;
        }
        for (at, part) in part.split("**").enumerate() {
            let open = if at % 2 == 1 { "<strong>" } else { "" };
            let close = if at % 2 == 1 { "</strong>" } else { "" };
            write!(html, "{open}{part}{close}").unwrap_or_default();
        }
    }
    html
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
    html
}
