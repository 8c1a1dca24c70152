use lockstep_sdk::RunInfo;
use serde_json::{Map, Value};

/// What a provider is told of the run (SPEC DP-2). `explicit` inputs win over the others.
#[must_use]
pub fn provision_inputs(run: &RunInfo, explicit: &Map<String, Value>) -> Map<String, Value> {
    let mut inputs = Map::new();
    let mut tell = |name: &str, value: Value| {
        inputs.insert(name.to_owned(), value);
    };
    tell("item", run.item.as_str().into());
    tell("title", run.title.as_str().into());
    tell("description", run.description.as_str().into());
    tell("branch", run.change.head_branch.as_str().into());
    if let Some(commit) = &run.change.head_commit {
        tell("head_commit", commit.as_str().into());
    }
    if let Some(pull_request) = &run.change.pull_request {
        if let Some(branch) = &pull_request.branch {
            tell("branch", branch.as_str().into());
        }
        if let Some(number) = pull_request.number {
            tell("pull_request_number", number.into());
        }
        tell("pull_request_url", pull_request.url.as_str().into());
        if let Some((owner, repository)) = owner_and_repository(&pull_request.url) {
            tell("owner", owner.into());
            tell("repository", repository.into());
        }
    }
    for (name, value) in explicit {
        inputs.insert(name.clone(), value.clone());
    }
    inputs
}

/// From the address of a pull request at any host: `https://git.test/owner/repository/pull/7`.
fn owner_and_repository(url: &str) -> Option<(&str, &str)> {
    let (_, place) = url.split_once("://")?;
    let mut parts = place.split('/').skip(1);
    let (owner, repository, _rest) = (parts.next()?, parts.next()?, parts.next()?);
    if owner.is_empty() || repository.is_empty() { None } else { Some((owner, repository)) }
}

#[cfg(test)]
mod tests {
    use super::owner_and_repository;

    #[test]
    fn dp_2_owner_and_repository_come_from_any_host() {
        let known = Some(("shop", "web"));
        assert_eq!(owner_and_repository("https://git.test/shop/web/pull/7"), known);
        assert_eq!(owner_and_repository("http://forge.test:8080/shop/web/-/merge/7"), known);
        assert_eq!(owner_and_repository("https://git.test/shop/web"), None);
        assert_eq!(owner_and_repository("https://git.test//web/pull/7"), None);
        assert_eq!(owner_and_repository("shop/web/7"), None);
    }
}
