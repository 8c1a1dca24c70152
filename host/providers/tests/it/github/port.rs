//! What webhooks and people need of a forge, and the credentials of an App.

use super::World;
use super::asked::commit_there;
use super::fake::{PullRow, TOKEN, review};
use super::wire::{Asked, reply, serve};
use crate::fixture::Fixture;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use lockstep_ports::{Forge, ReviewVerdict, Secret};
use lockstep_providers::{GitHub, GitHubCredential, GitHubOptions};
use lockstep_types::{ObserveFailure, Timestamp};
use std::process::Command;
use std::sync::{Arc, Mutex};

fn path(world: &World) -> String {
    world.fixture.repo().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn clones_are_found_by_name_whatever_its_letters() {
    let world = World::new();
    assert_eq!(world.github.repositories(), [path(&world)]);
    assert_eq!(world.github.clone_of("ACME/Shop"), Some(path(&world)));
    assert_eq!(world.github.clone_of("acme/other"), None);
    let failed = world.github.pull_request("/nowhere", 1).await;
    assert_eq!(
        failed,
        Err(ObserveFailure::Failed("config.toml does not say what /nowhere is on GitHub".into()))
    );
}

#[tokio::test]
async fn pull_requests_are_told_also_those_of_forks() {
    let world = World::new();
    world.checks().await.unwrap();
    let own = world.fake.state().pulls[0].clone();
    let fork = PullRow { number: 2, from: "stranger/shop".into(), title: "Mine".into(), ..own.clone() };
    world.fake.state().pulls.push(fork);
    let mut found = world.github.open_pull_requests(&path(&world)).await.unwrap();
    assert_eq!(found.len(), 2);
    let (fork, own) = (found.remove(0), found.remove(0));
    assert_eq!((fork.head_branch, fork.title.as_str()), (None, "Mine"));
    assert_eq!((own.head_branch.as_deref(), own.base_branch.as_str()), (Some("feature"), "main"));
    assert_eq!((own.number, own.author.as_str(), own.is_open, own.is_merged), (1, "octocat", true, false));
    assert_eq!((own.labels, own.updated_at), (vec!["bug".to_owned()], Timestamp(1_296_068_472_000)));
    assert_eq!(own.head_commit, world.fixture.tip("feature"));
    assert_eq!(world.github.pull_request(&path(&world), 2).await.unwrap().unwrap().title, "Mine");
    assert_eq!(world.github.pull_request(&path(&world), 99).await, Ok(None));
    // One of a fork is not that of our branch of the same name.
    world.fake.state().pulls.remove(0);
    assert_eq!(world.checks().await.unwrap().pull_request.unwrap().number, Some(2), "another is opened");
    assert_eq!(world.fake.state().pulls.len(), 2);
}

#[tokio::test]
async fn reviews_are_told_in_order_without_those_being_written() {
    let world = World::new();
    world.checks().await.unwrap();
    let head = world.fixture.tip("feature");
    world.fake.state().reviews = vec![
        review(1, "ann", "CHANGES_REQUESTED", &head),
        review(2, "bob", "PENDING", &head),
        review(3, "ann", "APPROVED", &head),
    ];
    world.fake.state().page = 1;
    let reviews = world.github.reviews(&path(&world), 1).await.unwrap();
    let told: Vec<_> = reviews.iter().map(|review| (review.id, review.verdict)).collect();
    assert_eq!(told, [(1, ReviewVerdict::ChangesRequested), (3, ReviewVerdict::Approved)]);
    assert_eq!((reviews[0].author.as_str(), reviews[0].commit.as_str()), ("ann", head.as_str()));
    assert!(reviews[0].at > Timestamp(0));
}

#[tokio::test]
async fn a_comment_is_made_once_a_key_wherever_it_stands() {
    let world = World::new();
    world.checks().await.unwrap();
    world.fake.state().page = 1;
    let say = async |key: &str| world.github.comment(&path(&world), 1, key, "CI is red").await.unwrap();
    tokio::join!(say("a"), say("a"), say("b"));
    let world = world.restarted();
    world.github.comment(&path(&world), 1, "a", "CI is red").await.unwrap();
    let comments = world.fake.state().comments.clone();
    assert_eq!(comments.len(), 2);
    assert!(comments.iter().all(|text| text.starts_with("CI is red\n\n<!-- lockstep ")), "{comments:?}");
    let failed = world.github.comment(&path(&world), 9, "a", "x").await.unwrap_err();
    assert!(matches!(failed, ObserveFailure::Failed(why) if why.contains("issues/9/comments is not there")));
}

#[tokio::test]
async fn labels_that_are_as_wanted_stay() {
    let world = World::new();
    world.checks().await.unwrap();
    world.fake.state().labels = vec!["Bug".into(), "wip/now".into()];
    let (add, remove) = (["bug".to_owned(), "ready".to_owned()], ["WIP/now".to_owned(), "gone".to_owned()]);
    for _ in 0..2 {
        world.github.label(&path(&world), 1, &add, &remove).await.unwrap();
        assert_eq!(world.fake.state().labels, ["Bug", "ready"]);
    }
    assert_eq!(world.fake.count("POST /api/repos/acme/shop/issues"), 1);
    assert_eq!(world.fake.count("DELETE /api/repos/acme/shop/issues"), 1);
}

#[tokio::test]
async fn a_branch_is_fetched_forward_or_made() {
    let world = World::new();
    let fetch = async |branch: &str| world.github.fetch(&path(&world), branch).await;
    assert_eq!(fetch("feature").await, Ok(None), "it is only here");
    let main = commit_there(&world, "main", "m.txt");
    assert_eq!(fetch("main").await, Ok(Some(main.clone())));
    assert!(world.fixture.path("m.txt").exists(), "it is checked out");
    world.fake.git(&["branch", "new/one", "main"]);
    assert_eq!(fetch("new/one").await, Ok(Some(main.clone())));
    assert_eq!(world.fixture.tip("new/one"), main);
    // What is here and not there stays.
    let ahead = world.fixture.commit("n.txt", "n\n", "add n");
    assert_eq!(fetch("main").await, Ok(Some(ahead)));
    commit_there(&world, "main", "o.txt");
    assert!(fetch("main").await.is_err());
    assert_eq!(fetch("--upload-pack=touch x").await, Ok(None));
}

/// An App's GitHub: gives tokens one after another, and takes only the last.
struct Apps {
    address: String,
    claims: Arc<Mutex<Vec<String>>>,
    given: Arc<Mutex<u32>>,
}

impl Apps {
    fn new(expires_at: &'static str) -> Self {
        let (claims, given) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let (seen, count) = (Arc::clone(&claims), Arc::clone(&given));
        let address = serve(move |asked: &Asked| {
            let mut given = count.lock().unwrap();
            let bearer = asked.header("authorization").strip_prefix("Bearer ").unwrap().to_owned();
            if asked.line() == "POST /app/installations/42/access_tokens" {
                seen.lock().unwrap().push(bearer);
                *given += 1;
                let mut told = super::described::example("token");
                told["token"] = format!("ghs_{given}").into();
                told["expires_at"] = expires_at.into();
                return reply(201, &[], told.to_string().as_bytes());
            }
            if bearer == format!("ghs_{given}") { reply(200, &[], b"[]") } else { reply(401, &[], b"{}") }
        });
        Self { address, claims, given }
    }

    fn github(&self, fixture: &Fixture, key: &str) -> Result<GitHub, String> {
        let key = Secret::new(key.to_owned());
        let credential = GitHubCredential::App { id: "Iv1.abc".into(), installation: 42, key };
        let mut options = GitHubOptions::new(credential, vec![(fixture.repo(), "acme/shop".into())]);
        options.api = format!("http://{}", self.address);
        options.pace = super::PACE;
        GitHub::new(fixture.git.clone(), options).map_err(|error| error.to_string())
    }
}

/// A key as GitHub gives it, and the public half of it.
pub(crate) fn key(fixture: &Fixture, kind: &str) -> (String, std::path::PathBuf) {
    let (private, public) = (fixture.root().join("key.pem"), fixture.root().join("key.pub"));
    let openssl =
        |args: &[&str]| assert!(Command::new("openssl").args(args).output().unwrap().status.success());
    openssl(&["genrsa", kind, "-out", private.to_str().unwrap(), "2048"]);
    openssl(&["rsa", "-in", private.to_str().unwrap(), "-pubout", "-out", public.to_str().unwrap()]);
    (std::fs::read_to_string(private).unwrap(), public)
}

#[tokio::test]
async fn an_app_signs_for_a_token_and_keeps_it_until_it_ends() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: no openssl here to make a key and check a signature");
        return;
    }
    let fixture = Fixture::new();
    let (pem, public) = key(&fixture, "-traditional");
    let apps = Apps::new("2100-01-01T00:00:00Z");
    let github = apps.github(&fixture, &pem).unwrap();
    let repository = fixture.repo().to_str().unwrap().to_owned();
    let ask = async || github.open_pull_requests(&repository).await;
    let (one, two) = tokio::join!(ask(), ask());
    assert_eq!((one, two), (Ok(Vec::new()), Ok(Vec::new())));
    assert_eq!(*apps.given.lock().unwrap(), 1, "two at once need one token");
    // One that was taken back is replaced.
    *apps.given.lock().unwrap() += 1;
    assert_eq!(ask().await, Ok(Vec::new()));
    let claims = apps.claims.lock().unwrap().clone();
    assert_eq!(claims.len(), 2);
    let (said, signature) = claims[0].rsplit_once('.').unwrap();
    let (head, claim) = said.split_once('.').unwrap();
    let json = |part: &str| -> serde_json::Value {
        serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap()
    };
    assert_eq!(json(head), serde_json::json!({ "alg": "RS256", "typ": "JWT" }));
    let claim = json(claim);
    let time = claim["exp"].as_u64().unwrap() - claim["iat"].as_u64().unwrap();
    assert!(claim["iss"] == "Iv1.abc" && time <= 600, "{claim}");
    let (text, sign) = (fixture.root().join("said"), fixture.root().join("sign"));
    std::fs::write(&text, said).unwrap();
    std::fs::write(&sign, Base64UrlUnpadded::decode_vec(signature).unwrap()).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-verify"]).arg(public).arg("-signature").arg(sign).arg(text);
    assert!(openssl.output().unwrap().status.success());
}

#[tokio::test]
async fn a_token_that_ends_soon_is_replaced_and_a_key_that_is_none_refused() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: no openssl here to make a key");
        return;
    }
    let fixture = Fixture::new();
    let (pem, _) = key(&fixture, "-verbose");
    let apps = Apps::new("2020-01-01T00:00:00Z");
    let github = apps.github(&fixture, &pem).unwrap();
    let repository = fixture.repo().to_str().unwrap().to_owned();
    for _ in 0..2 {
        github.open_pull_requests(&repository).await.unwrap();
    }
    assert_eq!(*apps.given.lock().unwrap(), 2);
    for bad in ["", TOKEN, "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"] {
        let why = apps.github(&fixture, bad).err().unwrap();
        assert!(why.contains("is no RSA key in PEM") && !why.contains(TOKEN), "{why}");
    }
}
