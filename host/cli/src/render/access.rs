use super::{Style, Tone, line};
use lockstep_ports::{AuditPage, IssuedToken, TokenView};
use lockstep_types::{AuditOutcome, Role};

/// Letters of a name or subject in a table.
const NAMES_MAX: usize = 40;

/// A token that was made, with its secret.
pub(crate) fn issued(style: &Style, issued: &IssuedToken) -> String {
    let token = &issued.token;
    let until = token.expires_at.map(|end| format!(" until {}", style.moment(end))).unwrap_or_default();
    format!(
        "added {} of {}: {} for {}{until}\n{}\nKeep it now: it is shown once.\n",
        token.id,
        line(&token.name, NAMES_MAX),
        token.role.word(),
        scope(token),
        style.paint(Tone::Strong, &issued.secret)
    )
}

fn scope(token: &TokenView) -> String {
    let names: Vec<&str> = token.workspaces.iter().map(lockstep_types::board::WorkspaceId::as_str).collect();
    if names.is_empty() { "all workspaces".to_owned() } else { names.join(", ") }
}

/// Tokens, by name.
pub(crate) fn tokens(style: &Style, tokens: &[TokenView]) -> String {
    if tokens.is_empty() {
        return "there are no tokens beside that of the data folder: `lockstep token add` makes one\n"
            .to_owned();
    }
    let rows: Vec<_> = tokens
        .iter()
        .map(|token| {
            let moment = |at| style.moment(at);
            let until = match (token.is_expired, token.expires_at) {
                (true, _) => "expired".to_owned(),
                (false, end) => end.map_or_else(|| "-".to_owned(), moment),
            };
            let role = if token.role == Role::Admin { Tone::Strong } else { Tone::Plain };
            vec![
                (Tone::Strong, line(&token.name, NAMES_MAX)),
                (Tone::Faint, token.id.clone()),
                (role, token.role.word().to_owned()),
                (Tone::Plain, line(&scope(token), NAMES_MAX)),
                (if token.is_expired { Tone::Bad } else { Tone::Plain }, until),
                (Tone::Faint, token.used_at.map_or_else(|| "never".to_owned(), moment)),
                (Tone::Faint, line(&token.created_by, NAMES_MAX)),
            ]
        })
        .collect();
    style.table(&["NAME", "ID", "ROLE", "FOR", "UNTIL", "USED", "MADE BY"], &rows)
}

/// What was asked of the host, the newest first.
pub(crate) fn requests(style: &Style, page: &AuditPage, more: Option<&str>) -> String {
    if page.entries.is_empty() {
        return "nothing was asked yet\n".to_owned();
    }
    let rows: Vec<_> = page
        .entries
        .iter()
        .map(|entry| {
            let (tone, outcome) = match entry.outcome {
                Some(AuditOutcome::Done) => (Tone::Plain, "done"),
                Some(outcome) => (Tone::Bad, outcome.word()),
                None => (Tone::Faint, "unknown"),
            };
            let via = [entry.via.as_str(), entry.from.as_str()].join(" ");
            let about = [entry.detail.as_str(), entry.reason.as_str()];
            let about = about.iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>().join("; ");
            let workspace = entry.workspace.as_ref().map_or("", |id| id.as_str());
            vec![
                (Tone::Faint, entry.id.clone()),
                (Tone::Faint, style.moment(entry.at)),
                (Tone::Plain, line(&entry.by, NAMES_MAX)),
                (Tone::Strong, line(&entry.operation, NAMES_MAX)),
                (Tone::Plain, line(&entry.subject, NAMES_MAX)),
                (Tone::Plain, line(workspace, NAMES_MAX)),
                (tone, outcome.to_owned()),
                (Tone::Plain, line(&about, NAMES_MAX)),
                (Tone::Faint, line(via.trim(), 2 * NAMES_MAX)),
            ]
        })
        .collect();
    let mut text =
        style.table(&["NO", "WHEN", "BY", "WHAT", "TO", "WORKSPACE", "OUTCOME", "HOW", "FROM"], &rows);
    if let Some(more) = more {
        text.push_str(&format!("older: {more}\n"));
    }
    text
}
