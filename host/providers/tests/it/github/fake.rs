//! A GitHub on loopback that behaves: pull requests over a real bare repository that is served by git itself. What it answers
//! are the examples of GitHub's description with its own values, checked against the description where that is there.

use super::described;
use super::wire::{Asked, git_answer, reply, serve};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

pub(crate) const TOKEN: &str = "ghp_very-secret-token";
pub(crate) const OWNER: &str = "acme";
pub(crate) const NAME: &str = "shop";

/// What goes wrong with a request.
#[derive(Clone)]
pub(crate) enum Fault {
    /// These bytes are answered, and nothing is done.
    Answer(Vec<u8>),
    /// It is done, and these bytes are answered.
    Lost(Vec<u8>),
}

#[derive(Clone)]
pub(crate) struct PullRow {
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) head: String,
    pub(crate) base: String,
    pub(crate) draft: bool,
    pub(crate) is_open: bool,
    /// Head commit and merge commit, once it is merged.
    pub(crate) merged: Option<(String, String)>,
    pub(crate) state: &'static str,
    /// Full name of the repository its head is in.
    pub(crate) from: String,
}

pub(crate) struct State {
    pub(crate) root: PathBuf,
    pub(crate) token: String,
    pub(crate) pulls: Vec<PullRow>,
    pub(crate) check_runs: Vec<Value>,
    pub(crate) statuses: Vec<Value>,
    pub(crate) rules: Vec<Value>,
    pub(crate) required: Vec<String>,
    pub(crate) comments: Vec<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) reviews: Vec<Value>,
    /// Looks for which it has not found out whether anything merges.
    pub(crate) computing: u32,
    /// What a merge is refused with.
    pub(crate) refusal: Option<(u16, &'static str)>,
    /// Entries of a page.
    pub(crate) page: usize,
    pub(crate) faults: Vec<(String, Fault)>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) not_modified: usize,
    violations: Vec<String>,
    address: String,
}

pub(crate) struct Fake {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

impl Fake {
    /// Over `root/acme/shop.git`.
    pub(crate) fn new(root: &Path) -> Self {
        let state = State {
            root: root.to_owned(),
            token: TOKEN.into(),
            pulls: Vec::new(),
            check_runs: Vec::new(),
            statuses: Vec::new(),
            rules: Vec::new(),
            required: Vec::new(),
            comments: Vec::new(),
            labels: Vec::new(),
            reviews: Vec::new(),
            computing: 0,
            refusal: None,
            page: 100,
            faults: Vec::new(),
            asked: Vec::new(),
            not_modified: 0,
            violations: Vec::new(),
            address: String::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let served = Arc::clone(&state);
        let address = serve(move |asked| answer(&served, asked));
        state.lock().unwrap().address.clone_from(&address);
        Self { address, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next request that begins like this goes wrong.
    pub(crate) fn fault(&self, line: &str, fault: Fault) {
        self.state().faults.push((line.to_owned(), fault));
    }

    pub(crate) fn fault_times(
        &self,
        times: usize,
        line: &str,
        status: u16,
        headers: &[(&str, &str)],
        body: &str,
    ) {
        for _ in 0..times {
            self.fault(line, Fault::Answer(reply(status, headers, body.as_bytes())));
        }
    }

    /// How often what begins like this was asked.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.state().asked.iter().filter(|asked| asked.line().starts_with(line)).count()
    }

    pub(crate) fn tip(&self, branch: &str) -> String {
        self.state().tip(branch).unwrap()
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.state().git(args).unwrap()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let violations = std::mem::take(&mut self.state().violations);
            assert!(violations.is_empty(), "the fake is not as GitHub is described: {violations:#?}");
        }
    }
}

fn answer(state: &Mutex<State>, asked: &Asked) -> Vec<u8> {
    let mut state = state.lock().unwrap();
    state.asked.push(asked.clone());
    let line = asked.line();
    let fault = state.faults.iter().position(|(wanted, _)| line.starts_with(wanted.as_str()));
    let fault = fault.map(|at| state.faults.remove(at).1);
    if let Some(Fault::Answer(bytes)) = fault {
        return bytes;
    }
    let done = match asked.path.strip_prefix("/git/") {
        Some(path) => state.served_by_git(&format!("/{path}"), asked),
        None => state.served(asked),
    };
    match fault {
        Some(Fault::Lost(bytes)) => bytes,
        _ => done,
    }
}

impl State {
    fn git(&self, args: &[&str]) -> Option<String> {
        let output = Command::new("git")
            .args(["-c", "user.name=Hub", "-c", "user.email=hub@example.org"])
            .args(args)
            .current_dir(self.root.join(OWNER).join(format!("{NAME}.git")))
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
    }

    fn tip(&self, branch: &str) -> Option<String> {
        self.git(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")])
    }

    fn served_by_git(&self, path: &str, asked: &Asked) -> Vec<u8> {
        use base64ct::{Base64, Encoding as _};
        let wanted = Base64::encode_string(format!("x-access-token:{}", self.token).as_bytes());
        if asked.header("authorization") != format!("Basic {wanted}") {
            return reply(401, &[("www-authenticate", "Basic realm=x")], b"");
        }
        git_answer(&self.root, path, asked)
    }

    fn served(&mut self, asked: &Asked) -> Vec<u8> {
        if asked.header("authorization") != format!("Bearer {}", self.token) {
            return said(401, "Bad credentials");
        }
        let Some(path) = asked.path.strip_prefix(&format!("/api/repos/{OWNER}/{NAME}/")) else {
            return said(404, "Not Found");
        };
        let parts: Vec<&str> = path.split('/').collect();
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        match (asked.method.as_str(), parts.as_slice()) {
            (_, ["git", ..]) => self.served_refs(&parts, &body, asked),
            ("GET", ["commits", sha, "check-runs"]) => {
                let runs: Vec<Value> =
                    self.check_runs.iter().filter(|run| run["head_sha"] == *sha).cloned().collect();
                self.pages(
                    "check-runs",
                    &runs,
                    asked,
                    |all, page| json!({ "total_count": all, "check_runs": page }),
                )
            }
            ("GET", ["commits", sha, "status"]) => {
                let statuses: Vec<Value> = self
                    .statuses
                    .iter()
                    .filter(|status| status["url"].as_str().unwrap().ends_with(sha))
                    .cloned()
                    .collect();
                let combined = described::example("combined");
                self.pages("combined", &statuses, asked, |all, page| {
                    let mut combined = combined.clone();
                    combined["total_count"] = all.into();
                    combined["statuses"] = page.into();
                    combined
                })
            }
            ("GET", ["branches", branch @ ..]) => {
                let mut told = described::example("branch");
                told["name"] = branch.join("/").into();
                told["protection"]["required_status_checks"] =
                    json!({ "enforcement_level": "non_admins", "contexts": self.required, "checks": [] });
                self.told("branch", 200, told, asked)
            }
            ("GET", ["rules", "branches", ..]) => {
                let rules = self.rules.clone();
                self.pages("rules", &rules, asked, |_, page| page.into())
            }
            ("GET", ["pulls", number, "reviews"]) if self.pull(number).is_some() => {
                let reviews = self.reviews.clone();
                self.pages("reviews", &reviews, asked, |_, page| page.into())
            }
            (_, ["pulls", ..]) => self.served_pulls(&parts, &body, asked),
            (_, ["issues", number, what @ ..]) if self.pull(number).is_some() => {
                self.served_issues(what, &body, asked)
            }
            _ => said(404, "Not Found"),
        }
    }

    fn served_refs(&mut self, parts: &[&str], body: &Value, asked: &Asked) -> Vec<u8> {
        match (asked.method.as_str(), parts) {
            ("GET", ["git", "ref", "heads", branch @ ..]) => match self.tip(&branch.join("/")) {
                Some(sha) => self.told("ref", 200, self.reference(&branch.join("/"), &sha), asked),
                None => said(404, "Not Found"),
            },
            ("PATCH", ["git", "refs", "heads", base @ ..]) => {
                let (base, sha) = (base.join("/"), body["sha"].as_str().unwrap().to_owned());
                let old = self.tip(&base).unwrap();
                if self.git(&["merge-base", "--is-ancestor", &old, &sha]).is_none() {
                    return said(422, "Update is not a fast forward");
                }
                self.git(&["update-ref", &format!("refs/heads/{base}"), &sha]).unwrap();
                for pull in self.pulls.iter_mut().filter(|pull| pull.is_open && pull.base == base) {
                    pull.is_open = false;
                    pull.merged = Some((sha.clone(), sha.clone()));
                }
                self.told("ref", 200, self.reference(&base, &sha), asked)
            }
            _ => said(404, "Not Found"),
        }
    }

    fn served_pulls(&mut self, parts: &[&str], body: &Value, asked: &Asked) -> Vec<u8> {
        match (asked.method.as_str(), parts) {
            ("GET", ["pulls"]) => {
                let wanted = |pull: &&PullRow| {
                    let is_open = match asked.query.get("state").map(String::as_str) {
                        Some("all") => true,
                        Some("closed") => !pull.is_open,
                        _ => pull.is_open,
                    };
                    let owner = pull.from.split('/').next().unwrap();
                    is_open
                        && asked
                            .query
                            .get("head")
                            .is_none_or(|head| *head == format!("{owner}:{}", pull.head))
                };
                let pulls: Vec<Value> = self
                    .pulls
                    .iter()
                    .rev()
                    .filter(wanted)
                    .map(|pull| self.pull_value(pull, "pull-simple"))
                    .collect();
                self.pages("pulls", &pulls, asked, |_, page| page.into())
            }
            ("POST", ["pulls"]) => {
                let text = |name: &str| body[name].as_str().unwrap().to_owned();
                let (head, base) = (text("head"), text("base"));
                let (Some(tip), Some(base_tip)) = (self.tip(&head), self.tip(&base)) else {
                    return said(422, "Validation Failed");
                };
                if self.git(&["merge-base", "--is-ancestor", &tip, &base_tip]).is_some() {
                    return said(422, &format!("No commits between {base} and {head}"));
                }
                let own = format!("{OWNER}/{NAME}");
                let is_same = |pull: &PullRow| pull.head == head && pull.base == base && pull.from == own;
                if self.pulls.iter().any(|pull| pull.is_open && is_same(pull)) {
                    return said(422, &format!("A pull request already exists for {OWNER}:{head}."));
                }
                let number = self.pulls.len() as u64 + 1;
                self.pulls.push(PullRow {
                    number,
                    title: text("title"),
                    body: text("body"),
                    head,
                    base,
                    draft: false,
                    is_open: true,
                    merged: None,
                    state: "clean",
                    from: format!("{OWNER}/{NAME}"),
                });
                let value = self.pull_value(&self.pulls[number as usize - 1], "pull");
                self.told("pull", 201, value, asked)
            }
            ("GET", ["pulls", number]) => {
                let Some(at) = self.pull(number) else { return said(404, "Not Found") };
                let value = self.pull_value(&self.pulls[at], "pull");
                self.computing = self.computing.saturating_sub(1);
                self.told("pull", 200, value, asked)
            }
            ("PUT", ["pulls", number, what]) => self.served_changes(number, what, body, asked),
            _ => said(404, "Not Found"),
        }
    }

    fn served_changes(&mut self, number: &str, what: &str, body: &Value, asked: &Asked) -> Vec<u8> {
        let Some(at) = self.pull(number) else { return said(404, "Not Found") };
        match what {
            "merge" => {
                if let Some((status, message)) = self.refusal {
                    return said(status, message);
                }
                if self.pull_value(&self.pulls[at], "pull")["mergeable"] != true || !self.pulls[at].is_open {
                    return said(405, "Pull Request is not mergeable");
                }
                if self.tip(&self.pulls[at].head).unwrap() != body["sha"] {
                    return said(409, "Head branch was modified. Review and try the merge again.");
                }
                let sha = self.merge(at, body["merge_method"].as_str().unwrap());
                let merged =
                    json!({ "sha": sha, "merged": true, "message": "Pull Request successfully merged" });
                self.told("merge", 200, merged, asked)
            }
            "update-branch" => {
                let (head, base) = (self.pulls[at].head.clone(), self.pulls[at].base.clone());
                let (tip, base) = (self.tip(&head).unwrap(), self.tip(&base).unwrap());
                if body["expected_head_sha"] != tip {
                    return said(422, "expected_head_sha did not match the current head ref.");
                }
                let Some(commit) = self.merge_commit(&tip, &base, &[&tip, &base], "Merge base") else {
                    return said(422, "merge conflict between base and head");
                };
                self.git(&["update-ref", &format!("refs/heads/{head}"), &commit]).unwrap();
                let taken =
                    json!({ "message": "Updating pull request branch.", "url": "https://github.com/x" });
                self.told("update-branch", 202, taken, asked)
            }
            _ => said(404, "Not Found"),
        }
    }

    fn served_issues(&mut self, what: &[&str], body: &Value, asked: &Asked) -> Vec<u8> {
        let told = |template: &str, name: &str, text: &str| {
            let mut value = described::example(template);
            value[name] = text.into();
            value
        };
        match (asked.method.as_str(), what) {
            ("GET", ["comments"]) => {
                let comments: Vec<Value> =
                    self.comments.iter().map(|text| told("comment", "body", text)).collect();
                self.pages("comments", &comments, asked, |_, page| page.into())
            }
            ("POST", ["comments"]) => {
                let text = body["body"].as_str().unwrap().to_owned();
                self.comments.push(text.clone());
                self.told("comment", 201, told("comment", "body", &text), asked)
            }
            (method, ["labels", name @ ..]) => {
                match method {
                    "POST" => {
                        let names =
                            body["labels"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                        self.labels.extend(names.map(str::to_owned));
                    }
                    "DELETE" => self.labels.retain(|label| !label.eq_ignore_ascii_case(&name.join("/"))),
                    _ => {}
                }
                let labels: Vec<Value> = self.labels.iter().map(|name| told("label", "name", name)).collect();
                self.pages("labels", &labels, asked, |_, page| page.into())
            }
            _ => reply(404, &[], b"{}"),
        }
    }

    fn pull(&self, number: &str) -> Option<usize> {
        let number: u64 = number.parse().ok()?;
        self.pulls.iter().position(|pull| pull.number == number)
    }

    fn reference(&self, branch: &str, sha: &str) -> Value {
        let mut value = described::example("ref");
        value["ref"] = format!("refs/heads/{branch}").into();
        value["object"]["sha"] = sha.into();
        value
    }

    /// A commit of merging two others; none if they conflict.
    fn merge_commit(&self, ours: &str, theirs: &str, parents: &[&str], message: &str) -> Option<String> {
        let tree = self.git(&["merge-tree", "--write-tree", ours, theirs])?;
        let parents = parents.iter().flat_map(|parent| ["-p", parent]);
        let args: Vec<&str> = ["commit-tree", &tree, "-m", message].into_iter().chain(parents).collect();
        self.git(&args)
    }

    fn merge(&mut self, at: usize, method: &str) -> String {
        let pull = self.pulls[at].clone();
        let (head, base) = (self.tip(&pull.head).unwrap(), self.tip(&pull.base).unwrap());
        let both = [base.as_str(), head.as_str()];
        let parents = if method == "merge" { &both[..] } else { &both[..1] };
        let commit = self.merge_commit(&base, &head, parents, &format!("{method}: {}", pull.title)).unwrap();
        self.git(&["update-ref", &format!("refs/heads/{}", pull.base), &commit]).unwrap();
        self.pulls[at].is_open = false;
        self.pulls[at].merged = Some((head, commit.clone()));
        commit
    }

    fn pull_value(&self, pull: &PullRow, template: &str) -> Value {
        let mut value = described::example(template);
        let base = self.tip(&pull.base).unwrap();
        let head = pull.merged.as_ref().map(|(head, _)| head.clone()).or_else(|| self.tip(&pull.head));
        let head = head.unwrap_or_else(|| "0".repeat(40));
        value["number"] = pull.number.into();
        value["html_url"] = format!("https://github.test/{OWNER}/{NAME}/pull/{}", pull.number).into();
        value["title"] = pull.title.clone().into();
        value["body"] = pull.body.clone().into();
        value["draft"] = pull.draft.into();
        value["state"] = if pull.is_open { "open" } else { "closed" }.into();
        value["merged_at"] = pull.merged.as_ref().map(|_| "2026-01-05T09:00:00Z").into();
        value["merge_commit_sha"] = pull.merged.as_ref().map(|(_, commit)| commit.clone()).into();
        for (end, branch, sha, from) in [
            ("head", &pull.head, &head, pull.from.as_str()),
            ("base", &pull.base, &base, &format!("{OWNER}/{NAME}")),
        ] {
            value[end]["ref"] = branch.clone().into();
            value[end]["sha"] = sha.clone().into();
            value[end]["repo"]["full_name"] = from.into();
        }
        if template == "pull" {
            let merges = self.git(&["merge-tree", "--write-tree", &base, &head]).is_some();
            let known = self.computing == 0;
            value["merged"] = pull.merged.is_some().into();
            value["mergeable"] = known.then_some(merges && pull.is_open).into();
            let state = if merges { pull.state } else { "dirty" };
            value["mergeable_state"] = if known { state } else { "unknown" }.into();
        }
        value
    }

    /// One page of a list, and where the next is.
    fn pages(
        &mut self,
        kind: &str,
        all: &[Value],
        asked: &Asked,
        page: impl Fn(usize, Vec<Value>) -> Value,
    ) -> Vec<u8> {
        let number: usize = asked.query.get("page").map_or(1, |page| page.parse().unwrap());
        let start = (number - 1) * self.page;
        let entries: Vec<Value> = all.iter().skip(start).take(self.page).cloned().collect();
        let value = page(all.len(), entries);
        let mut headers = Vec::new();
        let next =
            format!("<http://{}{}?page={}&per_page=1>; rel=\"next\"", self.address, asked.path, number + 1);
        if start + self.page < all.len() {
            headers.push(("link", next.as_str()));
        }
        self.told_with(kind, 200, &value, asked, &headers)
    }

    fn told(&mut self, kind: &str, status: u16, value: Value, asked: &Asked) -> Vec<u8> {
        self.told_with(kind, status, &value, asked, &[])
    }

    fn told_with(
        &mut self,
        kind: &str,
        status: u16,
        value: &Value,
        asked: &Asked,
        more: &[(&str, &str)],
    ) -> Vec<u8> {
        self.violations.extend(described::violations(kind, value));
        let body = value.to_string();
        let etag = format!("\"{}\"", lockstep_types::Digest::of(body.as_bytes()));
        if asked.method == "GET" && asked.header("if-none-match") == etag {
            self.not_modified += 1;
            return reply(304, &[("etag", &etag)], b"");
        }
        let mut headers = vec![("content-type", "application/json"), ("x-ratelimit-remaining", "4999")];
        headers.push(("etag", &etag));
        headers.extend_from_slice(more);
        reply(status, &headers, body.as_bytes())
    }
}

/// A refusal.
fn said(status: u16, message: &str) -> Vec<u8> {
    let body = json!({ "message": message, "documentation_url": "https://docs.github.com" });
    reply(status, &[("content-type", "application/json")], body.to_string().as_bytes())
}

/// A check run of a commit.
pub(crate) fn check_run(id: u64, name: &str, commit: &str, status: &str, conclusion: Option<&str>) -> Value {
    let mut value = described::example("check-run");
    value["id"] = id.into();
    value["name"] = name.into();
    value["head_sha"] = commit.into();
    value["status"] = status.into();
    value["conclusion"] = conclusion.into();
    value["html_url"] = format!("https://github.test/runs/{id}").into();
    value
}

/// A status of a commit.
pub(crate) fn status(context: &str, commit: &str, state: &str) -> Value {
    let mut value = described::example("status");
    value["context"] = context.into();
    value["state"] = state.into();
    value["url"] = format!("https://api.github.test/statuses/{commit}").into();
    value
}

/// A review.
pub(crate) fn review(id: u64, author: &str, state: &str, commit: &str) -> Value {
    let mut value = described::example("review");
    value["id"] = id.into();
    value["user"]["login"] = author.into();
    value["state"] = state.into();
    value["commit_id"] = commit.into();
    value
}
