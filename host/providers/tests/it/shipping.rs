use crate::registry::RegistryProcess;
use crate::wire::{put_manifest, relay, scripted};
use lockstep_ports::{Artifact, Distribution, Label, Located, Progress, Pushed, Reference, Secret};
use lockstep_providers::{ComponentDistribution, DistributionOptions, PlainHttp};
use lockstep_types::Digest;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// What docker's `htpasswd` has for `ann` with the password `s3cret`, at the lowest cost.
const HTPASSWD: &str = "ann:$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n";

fn artifact(content: &str) -> Artifact {
    let label = Label {
        kind: "ci-gate".into(),
        version: "1.0.0".into(),
        summary: "Waits for checks".into(),
        world: "lockstep:step/step@0.1.0".into(),
        imports: Vec::new(),
    };
    Artifact { component: content.as_bytes().to_vec(), signature: None, label }
}

fn signed(content: &str, signature: &str) -> Artifact {
    Artifact { signature: Some(signature.as_bytes().to_vec()), ..artifact(content) }
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

fn nowhere() -> Progress {
    Arc::new(|_, _| ())
}

/// Ships with what is said of it as text.
struct Ship(ComponentDistribution);

impl Ship {
    fn new() -> Self {
        Self::with(DistributionOptions::default())
    }

    fn with(options: DistributionOptions) -> Self {
        Self(ComponentDistribution::new(options))
    }

    async fn push(&self, to: &str, artifact: &Artifact) -> Result<Pushed, String> {
        self.0.push(&reference(to), artifact, false, nowhere()).await.map_err(|error| error.to_string())
    }

    async fn move_to(&self, to: &str, artifact: &Artifact) -> Pushed {
        self.0.push(&reference(to), artifact, true, nowhere()).await.unwrap()
    }

    async fn locate(&self, at: &str) -> Result<Located, String> {
        self.0.locate(&reference(at)).await.map_err(|error| error.to_string())
    }

    async fn pull(&self, at: &str) -> Result<String, String> {
        let located = self.locate(at).await?;
        let bytes = self.0.pull(&located, nowhere()).await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(bytes).unwrap())
    }
}

/// What holds of every place: `place` is one without a tag, and `mark` stands before one.
async fn ships(ship: &Ship, place: &str, mark: char) {
    let tagged = |tag: &str| format!("{place}{mark}{tag}");
    assert!(ship.pull(&tagged("1.0")).await.unwrap_err().contains("there is nothing at"));
    let (old, new) = (signed("\0asm old", "{\"by\":\"ann\"}"), artifact("\0asm new"));
    let pushed = ship.push(&tagged("1.0"), &old).await.unwrap();
    assert_eq!(
        (pushed.was_there, pushed.moved_from, pushed.component),
        (false, None, Digest::of(b"\0asm old"))
    );
    assert!(ship.push(&tagged("1.0"), &old).await.unwrap().was_there, "the same again changes nothing");

    let located = ship.locate(&tagged("1.0")).await.unwrap();
    assert_eq!(located.pinned, pushed.pinned, "a tag says what it is pinned to");
    assert_eq!((located.label.kind.as_str(), located.label.version.as_str()), ("ci-gate", "1.0.0"));
    assert_eq!((located.size, located.signature), (8, old.signature.clone()));
    assert_eq!(ship.pull(&located.pinned.to_string()).await.unwrap(), "\0asm old");

    // A tag is moved only on request; who pinned keeps what was pinned.
    let refused = ship.push(&tagged("1.0"), &new).await.unwrap_err();
    assert!(refused.contains("already") && refused.contains("--move-tag"), "{refused}");
    let moved = ship.move_to(&tagged("1.0"), &new).await;
    assert_eq!(moved.moved_from, pushed.pinned.digest);
    assert_eq!(ship.pull(&tagged("1.0")).await.unwrap(), "\0asm new");
    assert_eq!(ship.pull(&pushed.pinned.to_string()).await.unwrap(), "\0asm old");

    let untagged = ship.push(place, &artifact("\0asm other")).await.unwrap();
    assert_eq!((untagged.pinned.tag.as_ref(), untagged.was_there), (None, false));
    assert_eq!(ship.pull(&untagged.pinned.to_string()).await.unwrap(), "\0asm other");

    assert!(ship.pull(place).await.unwrap_err().contains("does not say which component"));
    let zero = Digest::zero();
    let gone = ship.pull(&format!("{place}@sha256:{zero}")).await.unwrap_err();
    assert!(gone.contains("there is nothing at"), "{gone}");
    let gone = ship.pull(&format!("{}@sha256:{zero}", tagged("1.0"))).await.unwrap_err();
    assert!(gone.contains("its tag moved to"), "{gone}");
    assert!(ship.push(&moved.pinned.to_string(), &new).await.unwrap_err().contains("leave it out"));
}

#[tokio::test]
async fn a_folder_ships_components() {
    let dir = tempfile::tempdir().unwrap();
    ships(&Ship::new(), &format!("dir:{}", dir.path().join("shop/steps").display()), '#').await;
}

#[tokio::test]
async fn a_registry_ships_components() {
    let Some(registry) = RegistryProcess::start() else { return };
    ships(&Ship::new(), &format!("oci://{}/team/ci-gate", registry.host), ':').await;
}

#[tokio::test]
async fn a_folder_is_readable_and_survives_damage() {
    let dir = tempfile::tempdir().unwrap();
    let place = format!("dir:{}", dir.path().display());
    let ship = Ship::new();
    let pushed = ship.push(&format!("{place}#stable"), &signed("\0asm", "sig")).await.unwrap();
    let file = dir.path().join(format!("{}.wasm", pushed.component));
    assert_eq!(std::fs::read(dir.path().join(format!("{}.wasm.sig", pushed.component))).unwrap(), b"sig");
    let index = std::fs::read_to_string(dir.path().join("index.json")).unwrap();
    expect_test::expect![[r#"
        {
          "components": [
            {
              "digest": "cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f",
              "kind": "ci-gate",
              "version": "1.0.0",
              "summary": "Waits for checks",
              "size": 4,
              "signed": true,
              "tags": [
                "stable"
              ]
            }
          ]
        }"#]]
    .assert_eq(&index);

    // The component is what its name says, whatever the index says.
    let pinned = pushed.pinned.to_string();
    std::fs::write(&file, "\0asM").unwrap();
    let damaged = ship.pull(&pinned).await.unwrap_err();
    assert!(
        damaged.starts_with("the component of dir:") && damaged.contains("damaged or was changed"),
        "{damaged}"
    );
    assert!(!ship.push(&place, &artifact("\0asm")).await.unwrap().was_there, "a push mends it");
    assert_eq!(ship.pull(&pinned).await.unwrap(), "\0asm");

    std::fs::write(dir.path().join("index.json"), "{").unwrap();
    assert_eq!(ship.pull(&pinned).await.unwrap(), "\0asm");
    assert!(ship.pull(&format!("{place}#stable")).await.unwrap_err().starts_with("cannot read"));
    assert!(ship.push(&place, &artifact("\0asm")).await.unwrap_err().starts_with("cannot read"));

    // Nobody leads a reader out of the folder.
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &file).unwrap();
    assert!(ship.pull(&pinned).await.unwrap_err().starts_with("cannot read"));
}

#[tokio::test]
async fn many_writers_lose_nothing_of_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let ship = Arc::new(Ship::new());
    let place = format!("dir:{}", dir.path().display());
    let pushes: Vec<_> = (0..8)
        .map(|n| {
            let (ship, to) = (Arc::clone(&ship), format!("{place}#v{n}"));
            tokio::spawn(async move { ship.push(&to, &artifact(&format!("\0asm {n}"))).await.unwrap() })
        })
        .collect();
    for push in pushes {
        push.await.unwrap();
    }
    for n in 0..8 {
        assert_eq!(ship.pull(&format!("{place}#v{n}")).await.unwrap(), format!("\0asm {n}"));
    }
}

#[tokio::test]
async fn what_a_registry_gives_is_checked() {
    let Some(registry) = RegistryProcess::start() else { return };
    let ship = Ship::new();
    let place = format!("oci://{}/gate", registry.host);
    let pushed = ship.push(&format!("{place}:1"), &artifact("\0asm one")).await.unwrap();
    let manifest_file = registry.blob(&pushed.pinned.digest.unwrap().to_string());
    let manifest = std::fs::read_to_string(&manifest_file).unwrap();

    let put = |tag: &str, from: &str, to: &str| {
        assert!(manifest.contains(from), "{manifest}");
        put_manifest(&registry.host, &format!("gate/manifests/{tag}"), &manifest.replace(from, to))
    };
    assert_eq!(put("smaller", "\"size\":8", "\"size\":7"), "201");
    let smaller = ship.pull(&format!("{place}:smaller")).await.unwrap_err();
    assert!(smaller.contains("has 8 bytes, but 7 were announced"), "{smaller}");
    assert_eq!(put("larger", "\"size\":8", "\"size\":9"), "201");
    let larger = ship.pull(&format!("{place}:larger")).await.unwrap_err();
    assert!(larger.contains("has 8 bytes, but 9 were announced"), "{larger}");
    assert_eq!(put("huge", "\"size\":8", "\"size\":99999999"), "201");
    let huge = ship.pull(&format!("{place}:huge")).await.unwrap_err();
    assert!(huge.contains("has 99999999 bytes, more than the 67108864 that are shipped"), "{huge}");

    assert_eq!(
        put("image", "application/vnd.wasm.config.v0+json", "application/vnd.oci.image.config.v1+json"),
        "201"
    );
    let image = ship.pull(&format!("{place}:image")).await.unwrap_err();
    assert!(
        image.contains("is not a component artifact: its configuration is application/vnd.oci"),
        "{image}"
    );
    assert_eq!(put("text", "application/wasm", "text/plain"), "201");
    let text = ship.pull(&format!("{place}:text")).await.unwrap_err();
    assert!(text.contains("is not a component artifact: its layer is text/plain"), "{text}");

    // Whoever stores it changes a byte of the component, then of the manifest.
    let blob = registry.blob(&pushed.component.to_string());
    std::fs::write(&blob, "\0asm onE").unwrap();
    let flipped = ship.pull(&pushed.pinned.to_string()).await.unwrap_err();
    assert!(
        flipped.starts_with("the component of oci://") && flipped.contains("damaged or was changed"),
        "{flipped}"
    );
    std::fs::write(&manifest_file, manifest.replace("1.0.0", "1.0.1")).unwrap();
    let flipped = ship.pull(&pushed.pinned.to_string()).await.unwrap_err();
    assert!(flipped.contains("did not do it") || flipped.starts_with("the manifest of oci://"), "{flipped}");
}

#[tokio::test]
async fn a_registry_that_goes_away_is_an_error_and_moves_no_tag() {
    let Some(mut registry) = RegistryProcess::start() else { return };
    let large = artifact(&"\0asm".repeat(1 << 18));
    let ship = Ship::new();
    let place = format!("oci://{}/gate:1", registry.host);
    let cut = format!("oci://{}/gate:1", relay(&registry.host, 300_000, u64::MAX));
    let broken = ship.push(&cut, &large).await.unwrap_err();
    assert!(broken.contains("cannot be reached or broke off"), "{broken}");
    assert!(ship.locate(&place).await.unwrap_err().contains("there is nothing at"));

    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&told);
    let progress: Progress = Arc::new(move |done, total| seen.lock().unwrap().push((done, total)));
    ship.0.push(&reference(&place), &large, false, progress).await.unwrap();
    assert_eq!(told.lock().unwrap().last(), Some(&(1 << 20, 1 << 20)));
    assert!(told.lock().unwrap().is_sorted());

    let cut = format!("oci://{}/gate:1", relay(&registry.host, u64::MAX, 300_000));
    let broken = ship.pull(&cut).await.unwrap_err();
    assert!(broken.contains("cannot be reached or broke off"), "{broken}");
    registry.stop();
    let gone = ship.pull(&place).await.unwrap_err();
    assert!(gone.contains("cannot be reached or broke off: Connection refused"), "{gone}");
}

#[tokio::test]
async fn a_registry_may_want_a_password() {
    let with_password = |dir: &Path| {
        let file = dir.join("htpasswd");
        std::fs::write(&file, HTPASSWD).unwrap();
        format!("auth:\n  htpasswd: {{realm: lockstep, path: {}}}\n", file.display())
    };
    let Some(registry) = RegistryProcess::start_with(with_password) else { return };
    let place = format!("oci://{}/gate:1", registry.host);
    let login = |password: &str| {
        let login = Some(("ann".to_owned(), Secret::new(password.to_owned())));
        Ship::with(DistributionOptions { login, ..DistributionOptions::default() })
    };
    let nobody = Ship::new().push(&place, &artifact("\0asm")).await.unwrap_err();
    assert!(nobody.contains("it wants a name and a password") && nobody.contains("docker login"), "{nobody}");
    let wrong = login("guessed").push(&place, &artifact("\0asm")).await.unwrap_err();
    assert!(wrong.contains("does not accept the name and password") && !wrong.contains("guessed"), "{wrong}");
    login("s3cret").push(&place, &artifact("\0asm")).await.unwrap();
    let config = registry.dir.path().join("config.json");
    let auths = format!(r#"{{"auths":{{"{}":{{"auth":"YW5uOnMzY3JldA=="}}}}}}"#, registry.host);
    std::fs::write(&config, auths).unwrap();
    let docker = DistributionOptions { docker_config: Some(config), ..DistributionOptions::default() };
    assert_eq!(Ship::with(docker).pull(&place).await.unwrap(), "\0asm");
}

/// A registry that gives tokens elsewhere and keeps its blobs elsewhere: neither learns more than it must.
#[tokio::test]
async fn tokens_and_redirects_take_no_password_along() {
    let blob = |media: &str| {
        format!(r#"{{"mediaType":"{media}","digest":"sha256:{}","size":4}}"#, Digest::of(b"\0asm"))
    };
    let (config, layer) = (blob("application/vnd.wasm.config.v0+json"), blob("application/wasm"));
    let manifest = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]}}"#);
    let (storage, stored) = scripted(|_| "200 OK\n\n\0asm".to_owned());
    let (tokens, given) = scripted(|_| "200 OK\n\n{\"token\":\"t0ken\"}".to_owned());
    let challenge = format!(
        "401 No\nWWW-Authenticate: Bearer realm=\"http://{tokens}/t\",scope=\"repository:gate:pull\""
    );
    let (registry, asked) = scripted(move |head| {
        if !head.to_lowercase().contains("authorization: bearer t0ken") {
            challenge.clone()
        } else if head.contains("/manifests/") {
            format!("200 OK\n\n{manifest}")
        } else {
            format!("307 Elsewhere\nLocation: http://{storage}/kept?key=1")
        }
    });
    let login = Some(("ann".to_owned(), Secret::new("s3cret".into())));
    let ship = Ship::with(DistributionOptions { login, ..DistributionOptions::default() });
    assert_eq!(ship.pull(&format!("oci://{registry}/gate:1")).await.unwrap(), "\0asm");
    let said = |heads: &Mutex<Vec<String>>, text: &str| {
        heads.lock().unwrap().iter().any(|head| head.to_lowercase().contains(&text.to_lowercase()))
    };
    assert!(said(&given, "GET /t?scope=repository%3Agate%3Apull "));
    assert!(said(&given, "authorization: Basic YW5uOnMzY3JldA=="));
    assert!(said(&stored, "GET /kept?key=1 ") && !said(&stored, "authorization:"));
    assert!(!said(&asked, "basic"), "the registry itself asked for a token");
}

#[tokio::test]
async fn a_stranger_cannot_ask_for_the_password() {
    let (thief, stolen) = scripted(|_| "200 OK\n\n{\"token\":\"t\"}".to_owned());
    let theft = format!("401 No\nWWW-Authenticate: Bearer realm=\"http://{thief}/\"");
    let storage = scripted(move |_| theft.clone()).0;
    let registry = scripted(move |_| format!("307 Elsewhere\nLocation: http://{storage}/kept")).0;
    let login = Some(("ann".to_owned(), Secret::new("s3cret".into())));
    let ship = Ship::with(DistributionOptions { login, ..DistributionOptions::default() });
    let refused = ship.locate(&format!("oci://{registry}/gate:1")).await.unwrap_err();
    assert!(refused.contains("it sends elsewhere whoever logs in"), "{refused}");
    assert!(stolen.lock().unwrap().is_empty());
}

/// Neither a token that fits into no header nor an answer that is missing brings the client down.
#[tokio::test]
async fn a_registry_may_answer_badly() {
    let tokens = scripted(|_| "200 OK\n\n{\"token\":\"a\\nb\"}".to_owned()).0;
    let challenge = format!("401 No\nWWW-Authenticate: Bearer realm=\"http://{tokens}/t\"");
    let registry = scripted(move |_| challenge.clone()).0;
    let refused = Ship::new().locate(&format!("oci://{registry}/gate:1")).await.unwrap_err();
    assert!(refused.ends_with("did not do it: the token it gives is none"), "{refused}");

    let silent = scripted(|head| match head.split(' ').next() {
        Some("PUT") if head.contains("/manifests/") => "201 Stored".to_owned(),
        Some("PUT") => "201 Stored\nLocation: /there".to_owned(),
        Some("POST") => "202 Go on\nLocation: /upload".to_owned(),
        Some("HEAD") if head.contains("/manifests/") => {
            format!("200 OK\nDocker-Content-Digest: sha256:{}", Digest::zero())
        }
        _ => "404 None".to_owned(),
    });
    let place = format!("oci://{}/gate", silent.0);
    let refused = Ship::new().push(&place, &artifact("\0asm")).await.unwrap_err();
    assert!(refused.starts_with(&format!("the manifest of {place} is damaged or was changed")), "{refused}");
}

#[tokio::test]
async fn nothing_goes_in_the_clear_over_a_network() {
    let far = scripted(|_| "307 Elsewhere\nLocation: http://127.0.0.1:80@203.0.113.1/kept".to_owned()).0;
    let refused = Ship::new().locate(&format!("oci://{far}/gate:1")).await.unwrap_err();
    assert_eq!(
        refused,
        format!(
            "where oci://{far}/gate leads to is not encrypted: only this machine is spoken to like that, unless \
             --insecure-http is added"
        )
    );
    let circle = scripted(|_| "307 Again\nLocation: /again".to_owned()).0;
    let refused = Ship::new().locate(&format!("oci://{circle}/gate:1")).await.unwrap_err();
    assert!(refused.contains("it redirects in circles"), "{refused}");
    let upload = scripted(|head| match head.split(' ').next() {
        Some("POST") => "202 Go on\nLocation: http://203.0.113.1/upload?secret=1".to_owned(),
        _ => "404 None".to_owned(),
    });
    let refused =
        Ship::new().push(&format!("oci://{}/gate:1", upload.0), &artifact("\0asm")).await.unwrap_err();
    assert!(refused.starts_with("http://203.0.113.1/upload is not encrypted"), "{refused}");
    // Where no HTTP is spoken, an HTTP server is no registry.
    let plain = scripted(|_| "200 OK".to_owned()).0;
    let never =
        Ship::with(DistributionOptions { plain_http: PlainHttp::Never, ..DistributionOptions::default() });
    let refused = never.locate(&format!("oci://{plain}/gate:1")).await.unwrap_err();
    assert!(refused.contains("cannot be reached or broke off"), "{refused}");
}

#[tokio::test]
async fn answers_are_bounded_and_cleaned() {
    let long = scripted(|head| {
        let size = if head.contains("/manifests/") { (1 << 20) + 1 } else { 0 };
        format!("200 OK\n\n{}", " ".repeat(size))
    });
    let long = long.0;
    let refused = Ship::new().locate(&format!("oci://{long}/gate:1")).await.unwrap_err();
    assert!(
        refused.contains("the manifest at oci://") && refused.contains("more than the 1048576"),
        "{refused}"
    );
    let fault = scripted(|_| {
        "500 Oh\n\n{\"errors\":[{\"code\":\"UNKNOWN\",\"message\":\"disk\\u001b[31m full\"}]}".to_owned()
    });
    let refused = Ship::new().locate(&format!("oci://{}/gate:1", fault.0)).await.unwrap_err();
    assert!(
        refused.ends_with("reading the manifest was answered with 500: UNKNOWN disk[31m full"),
        "{refused}"
    );
}

/// What only a process of its own can do: trust the certificate that its environment names.
#[tokio::test]
#[ignore = "is started by the test below, with the environment it needs"]
async fn ships_with_tls() {
    let host = std::env::var("LOCKSTEP_TEST_REGISTRY").unwrap();
    let options = DistributionOptions { plain_http: PlainHttp::Never, ..DistributionOptions::default() };
    ships(&Ship::with(options), &format!("oci://{host}/gate"), ':').await;
}

#[tokio::test]
async fn a_certificate_is_trusted_or_refused() {
    let certified = |dir: &Path| {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(dir)
            .output();
        if !made.is_ok_and(|made| made.status.success()) {
            return String::new();
        }
        format!("  tls: {{certificate: {0}/cert.pem, key: {0}/key.pem}}\n", dir.display())
    };
    let Some(registry) = RegistryProcess::start_with(certified) else { return };
    let certificate = registry.dir.path().join("cert.pem");
    if !certificate.exists() {
        println!("skipped: no openssl here to make a certificate with");
        return;
    }
    let options = DistributionOptions { plain_http: PlainHttp::Never, ..DistributionOptions::default() };
    let refused = Ship::with(options).locate(&format!("oci://{}/gate:1", registry.host)).await.unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
    let trusting = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "shipping::ships_with_tls"])
        .env("LOCKSTEP_TEST_REGISTRY", &registry.host)
        .env("SSL_CERT_FILE", &certificate)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&trusting.stdout);
    assert!(trusting.status.success() && said.contains("1 passed"), "{said}");
}
