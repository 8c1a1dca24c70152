//! Tickets as issues of a Linear team, through its GraphQL API.
//!
//! Linear lets whoever creates choose the id: it is made from the key, so that creating again finds it there.

use super::{failed, refused};
use crate::http::{Http, HttpError, HttpFault, HttpRequest, HttpResponse};
use async_trait::async_trait;
use lockstep_ports::{Ticket, TicketState, Tracker, TrackerError};
use lockstep_types::{Digest, Timestamp};
use serde_json::{Value, json};

/// Everything that is asked of Linear; a test command holds it against Linear's published types.
pub(super) mod query {
    pub(crate) const VIEWER: &str = "query { viewer { name } }";
    pub(crate) const TEAM: &str =
        "query($key: String!) { teams(filter: { key: { eq: $key } }) { nodes { id } } }";
    pub(crate) const ISSUE: &str = "query($id: String!) { issue(id: $id) { id identifier url \
        state { id type } team { states { nodes { id type position } } } } }";
    pub(crate) const COMMENT: &str = "query($id: String!) { comment(id: $id) { id } }";
    pub(crate) const CREATE: &str = "mutation($input: IssueCreateInput!) { issueCreate(input: $input) { success \
        issue { id identifier url } } }";
    pub(crate) const ADD_COMMENT: &str =
        "mutation($input: CommentCreateInput!) { commentCreate(input: $input) { success } }";
    pub(crate) const MOVE: &str = "mutation($id: String!, $input: IssueUpdateInput!) { \
        issueUpdate(id: $id, input: $input) { success } }";
}

/// Issues of one team. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LinearIssues {
    http: Http,
    /// Its key: `ENG`.
    team: String,
}

impl LinearIssues {
    /// The issues of a team by its key. `http` has the address of Linear's API and a token.
    #[must_use]
    pub fn new(http: Http, team: String) -> Self {
        Self { http, team }
    }

    /// What Linear has under the names asked for. Asking twice does no harm: whatever is created has an id of ours.
    async fn ask(&self, query: &str, variables: &Value) -> Result<Value, TrackerError> {
        let request =
            HttpRequest::post("").json(&json!({ "query": query, "variables": variables })).repeatable();
        let response = self.http.send(&request).await.map_err(|error| failed(&error))?;
        // Errors of GraphQL come with 200 or 400.
        let answer: Result<Value, HttpError> = match response.status {
            200..300 | 400 => response.json(),
            _ => Err(response.refused()),
        };
        let answer = answer.map_err(|error| failed(&error))?;
        match answer.get("errors").and_then(Value::as_array).filter(|errors| !errors.is_empty()) {
            Some(errors) => Err(refusal(&response, &errors[0])),
            None if answer["data"].is_object() => Ok(answer["data"].clone()),
            None => Err(failed(&response.misread("it has neither data nor errors"))),
        }
    }

    async fn team_id(&self) -> Result<String, TrackerError> {
        let data = self.ask(query::TEAM, &json!({ "key": self.team })).await?;
        let id = data.pointer("/teams/nodes/0/id").and_then(Value::as_str);
        let unknown =
            || refused(format!("linear: there is no team {}: correct it in config.toml", self.team));
        id.map(str::to_owned).ok_or_else(unknown)
    }

    fn ticket(issue: &Value) -> Option<Ticket> {
        let text = |name: &str| issue[name].as_str().map(str::to_owned);
        Some(Ticket { external_id: text("identifier")?, url: text("url")? })
    }
}

/// The state of a team that means this: of its kind the first that people see.
fn state_for(wanted: TicketState, states: &Value) -> Option<String> {
    let kinds: &[&str] = match wanted {
        TicketState::InProgress => &["started"],
        TicketState::Done => &["completed"],
        TicketState::Open => &["unstarted", "backlog"],
    };
    let states = states.as_array()?;
    let position = |state: &&Value| state["position"].as_f64().unwrap_or(f64::MAX);
    kinds.iter().find_map(|kind| {
        let of_kind = states.iter().filter(|state| state["type"].as_str() == Some(kind));
        let first = of_kind.min_by(|a, b| position(a).total_cmp(&position(b)))?;
        first["id"].as_str().map(str::to_owned)
    })
}

fn kind_of(state: TicketState) -> &'static str {
    match state {
        TicketState::InProgress => "started",
        TicketState::Done => "completed",
        TicketState::Open => "unstarted",
    }
}

fn refusal(response: &HttpResponse, error: &Value) -> TrackerError {
    let told = error.pointer("/extensions/userPresentableMessage").or_else(|| error.get("message"));
    let said = crate::text::one_line(told.and_then(Value::as_str).unwrap_or_default());
    let code = error.pointer("/extensions/code").and_then(Value::as_str).unwrap_or_default();
    let is_throttled = code == "RATELIMITED";
    let status = if code == "AUTHENTICATION_ERROR" { 401 } else { response.status };
    let mut error = response.refused();
    error.fault = HttpFault::Status { status, said, is_throttled, retry_after: response.retry_after() };
    failed(&error)
}

/// An id in the form of a random UUID that is always the same for a key.
fn id_of(key: &str) -> String {
    let digest = Digest::of(key.as_bytes()).to_string();
    let (a, b, c, d, e) = (&digest[..8], &digest[8..12], &digest[13..16], &digest[17..20], &digest[20..32]);
    format!("{a}-{b}-4{c}-8{d}-{e}")
}

#[async_trait]
impl Tracker for LinearIssues {
    async fn file(
        &self,
        key: &str,
        title: &str,
        body: &str,
        _: Timestamp,
        is_first: bool,
    ) -> Result<Ticket, TrackerError> {
        let id = id_of(key);
        let find = async || {
            let data = self.ask(query::ISSUE, &json!({ "id": id })).await?;
            Ok::<_, TrackerError>(Self::ticket(&data["issue"]))
        };
        if !is_first && let Ok(Some(ticket)) = find().await {
            return Ok(ticket);
        }
        let team = self.team_id().await?;
        let input = json!({ "id": id, "teamId": team, "title": title, "description": body });
        let made = match self.ask(query::CREATE, &json!({ "input": input })).await {
            Ok(data) => Self::ticket(&data["issueCreate"]["issue"]),
            // It may be there: the answer to an earlier request was lost.
            Err(error) => return find().await.ok().flatten().ok_or(error),
        };
        made.ok_or_else(|| refused("linear: it took the ticket and did not say which it is"))
    }

    async fn comment(&self, id: &str, key: &str, text: &str, _: Timestamp) -> Result<(), TrackerError> {
        let own = id_of(key);
        let input = json!({ "id": own, "issueId": id, "body": text });
        match self.ask(query::ADD_COMMENT, &json!({ "input": input })).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let there = self.ask(query::COMMENT, &json!({ "id": own })).await;
                there.is_ok_and(|data| data["comment"].is_object()).then_some(()).ok_or(error)
            }
        }
    }

    async fn set_state(&self, id: &str, state: TicketState) -> Result<(), TrackerError> {
        let issue = self.ask(query::ISSUE, &json!({ "id": id })).await?["issue"].take();
        if issue["state"]["type"].as_str() == Some(kind_of(state)) {
            return Ok(());
        }
        let Some(to) = state_for(state, &issue["team"]["states"]["nodes"]) else {
            return Err(refused(format!(
                "linear: the team of {id} has no state that means {}",
                kind_of(state)
            )));
        };
        let variables = json!({ "id": id, "input": { "stateId": to } });
        self.ask(query::MOVE, &variables).await.map(drop)
    }

    async fn check(&self) -> Result<String, TrackerError> {
        let data = self.ask(query::VIEWER, &json!({})).await?;
        self.team_id().await?;
        let name = data["viewer"]["name"].as_str().unwrap_or("somebody");
        Ok(format!("issues of team {} on Linear, as {name}", self.team))
    }
}

#[cfg(test)]
mod tests {
    use super::{id_of, state_for};
    use lockstep_ports::TicketState;
    use serde_json::json;

    #[test]
    fn an_id_follows_from_its_key() {
        assert_eq!(id_of("a"), id_of("a"));
        assert_ne!(id_of("a"), id_of("b"));
        let id = id_of("a");
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!((&id[14..15], &id[19..20]), ("4", "8"));
    }

    #[test]
    fn a_state_is_the_first_of_its_kind() {
        let states = json!([
            { "id": "review", "type": "started", "position": 3.0 },
            { "id": "doing", "type": "started", "position": 2.0 },
            { "id": "later", "type": "backlog", "position": 0.5 },
        ]);
        assert_eq!(state_for(TicketState::InProgress, &states).as_deref(), Some("doing"));
        assert_eq!(state_for(TicketState::Open, &states).as_deref(), Some("later"));
        assert_eq!(state_for(TicketState::Done, &states), None);
        assert_eq!(state_for(TicketState::Done, &json!(null)), None);
    }
}
