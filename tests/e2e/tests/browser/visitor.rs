//! Somebody at a browser, who knows a page only by what is written on it.

use crate::host::root;
use crate::program::program;
use crate::server::Server;
use chromiumoxide::browser::{Browser, BrowserConfig};
use chromiumoxide::cdp::browser_protocol::dom::{
    FocusParams, GetDocumentParams, GetOuterHtmlParams, ScrollIntoViewIfNeededParams,
};
use chromiumoxide::cdp::browser_protocol::emulation::{
    MediaFeature, SetDeviceMetricsOverrideParams, SetScriptExecutionDisabledParams,
};
use chromiumoxide::cdp::browser_protocol::input::{
    DispatchKeyEventParams, DispatchKeyEventType, InsertTextParams,
};
use chromiumoxide::cdp::browser_protocol::log::{EventEntryAdded, LogEntryLevel};
use chromiumoxide::cdp::browser_protocol::network::EventRequestWillBeSent;
use chromiumoxide::cdp::js_protocol::runtime::{EventConsoleApiCalled, EventExceptionThrown};
use chromiumoxide::element::Element;
use chromiumoxide::page::{Page, ScreenshotParams};
use futures_util::{Stream, StreamExt};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// How long anything a visitor waits for may take before the test has failed: a busy machine compiles components first.
const PATIENCE: Duration = Duration::from_secs(60);

/// Widths of a desk and of a phone.
const WIDE: i64 = 1280;
const NARROW: i64 = 390;

/// Height of both, until a picture of all of a page is taken.
const HEIGHT: i64 = 900;

/// What a browser must not do by itself: it would ask its maker for updates, and say so in its log.
const ARGUMENTS: [&str; 7] = [
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "disable-dev-shm-usage",
];

pub(crate) struct Visitor {
    page: Page,
    origin: String,
    complaints: Arc<Mutex<Vec<String>>>,
    runs_no_scripts: bool,
    _browser: Browser,
    _profile: TempDir,
}

impl Visitor {
    /// Somebody who has just come to the pages of `server`; none where there is no browser.
    pub(crate) async fn new(server: &Server) -> Option<Self> {
        let program = program()?;
        let profile = tempfile::tempdir().unwrap();
        let config = BrowserConfig::builder().chrome_executable(program).no_sandbox().args(ARGUMENTS);
        let config = config.user_data_dir(profile.path()).viewport(None).request_timeout(PATIENCE);
        let (browser, mut events) =
            Browser::launch(config.build().unwrap()).await.expect("the browser starts");
        tokio::spawn(async move { while events.next().await.is_some() {} });
        let page = browser.new_page("about:blank").await.unwrap();
        let complaints = Arc::default();
        let origin = server.url();
        let runs_no_scripts = false;
        let mut visitor =
            Self { page, origin, complaints, runs_no_scripts, _browser: browser, _profile: profile };
        visitor.listen().await;
        visitor.wear(WIDE, "light").await;
        Some(visitor)
    }

    /// The same with scripts switched off.
    pub(crate) async fn without_scripts(server: &Server) -> Option<Self> {
        let mut visitor = Self::new(server).await?;
        visitor.runs_no_scripts = true;
        visitor.page.execute(SetScriptExecutionDisabledParams::new(true)).await.unwrap();
        Some(visitor)
    }

    async fn listen(&mut self) {
        self.page.enable_log().await.unwrap();
        self.page.enable_runtime().await.unwrap();
        let logged = self.page.event_listener::<EventEntryAdded>().await.unwrap();
        self.complain(logged, |event| {
            let entry = &event.entry;
            let is_told = matches!(entry.level, LogEntryLevel::Warning | LogEntryLevel::Error);
            is_told.then(|| format!("{} ({})", entry.text, entry.url.as_deref().unwrap_or_default()))
        });
        let thrown = self.page.event_listener::<EventExceptionThrown>().await.unwrap();
        self.complain(thrown, |event| Some(format!("{:?}", event.exception_details)));
        let called = self.page.event_listener::<EventConsoleApiCalled>().await.unwrap();
        self.complain(called, |event| {
            matches!(event.r#type.as_ref(), "error" | "warning" | "assert")
                .then(|| format!("{:?}", event.args))
        });
        let sent = self.page.event_listener::<EventRequestWillBeSent>().await.unwrap();
        let origin = format!("{}/", self.origin);
        self.complain(sent, move |event| {
            let url = &event.request.url;
            let is_ours = url.starts_with(&origin) || url.starts_with("data:") || url.starts_with("about:");
            (!is_ours).then(|| format!("asks somebody else: {url}"))
        });
    }

    fn complain<E: Send + Sync + 'static>(
        &self,
        mut events: impl Stream<Item = Arc<E>> + Send + Unpin + 'static,
        complaint: impl Fn(&E) -> Option<String> + Send + 'static,
    ) {
        let complaints = Arc::clone(&self.complaints);
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                complaints.lock().unwrap().extend(complaint(&event));
            }
        });
    }

    /// Fails if anything was logged, thrown or asked elsewhere so far.
    pub(crate) fn has_nothing_to_complain_of(&self) {
        let complaints = self.complaints.lock().unwrap();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    pub(crate) async fn open(&self, path: &str) {
        self.page.goto(format!("{}{path}", self.origin)).await.unwrap();
    }

    /// Signs in with the token of the data folder.
    pub(crate) async fn sign_in(&self, server: &Server) {
        self.open("/login").await;
        self.fill("Token", &server.token).await;
        self.press("Sign in").await;
        self.see("Sign out").await;
    }

    /// The path and query of the page.
    pub(crate) async fn path(&self) -> String {
        let url = self.page.url().await.unwrap().unwrap_or_default();
        url.strip_prefix(&self.origin).unwrap_or(&url).to_owned()
    }

    /// Waits until `text` can be read on the page.
    pub(crate) async fn see(&self, text: &str) {
        let seen = async { while !self.text().await.contains(text) {} };
        if tokio::time::timeout(PATIENCE, seen).await.is_err() {
            panic!("{text:?} is not to be read at {}:\n{}", self.path().await, self.text().await);
        }
    }

    /// All that can be read; nothing while another page is on its way.
    pub(crate) async fn text(&self) -> String {
        if self.runs_no_scripts {
            return self.markup().await.map(|markup| without_tags(&markup)).unwrap_or_default();
        }
        let text = "document.readyState === 'complete' ? document.body.innerText : ''";
        let text = self.page.evaluate_expression(text).await;
        text.ok().and_then(|text| text.into_value().ok()).unwrap_or_default()
    }

    /// The document as it is. A page that runs no scripts evaluates nothing for us either.
    async fn markup(&self) -> Option<String> {
        let document = self.page.execute(GetDocumentParams::default()).await.ok()?;
        let whole = GetOuterHtmlParams::builder().node_id(document.root.node_id).build();
        Some(self.page.execute(whole).await.ok()?.outer_html.clone())
    }

    /// Clicks the first button, link or summary that is called so.
    pub(crate) async fn press(&self, name: &str) {
        let name = quoted(name);
        let all = ["a", "button", "summary"]
            .map(|tag| format!("//{tag}[normalize-space(.)={name} or @aria-label={name}]"));
        self.click(&all.join(" | ")).await;
    }

    /// Puts the cursor into the field of a label and types, in place of what is there.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        self.click(&of_label(label)).await;
        let all =
            DispatchKeyEventParams::builder().r#type(DispatchKeyEventType::KeyDown).command("selectAll");
        self.page.execute(all.build().unwrap()).await.unwrap();
        self.page.execute(InsertTextParams::new(text)).await.unwrap();
    }

    /// Chooses an option of a list by typing its first letters, as at a keyboard.
    pub(crate) async fn choose(&self, label: &str, option: &str) {
        let field = self.find(&of_label(label)).await;
        let focus = FocusParams::builder().backend_node_id(field.backend_node_id).build();
        self.page.execute(focus).await.unwrap();
        field.type_str(option).await.unwrap();
    }

    async fn click(&self, xpath: &str) {
        let element = self.find(xpath).await;
        let show = ScrollIntoViewIfNeededParams::builder().backend_node_id(element.backend_node_id).build();
        self.page.execute(show).await.unwrap();
        let point = element.clickable_point().await;
        let point = point.unwrap_or_else(|error| panic!("{xpath} cannot be clicked: {error}"));
        self.page.click(point).await.unwrap();
    }

    async fn find(&self, xpath: &str) -> Element {
        let found = async {
            loop {
                if let Ok(element) = self.page.find_xpath(xpath).await {
                    return element;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(element) => element,
            Err(_) => panic!("nothing at {} is {xpath}:\n{}", self.path().await, self.text().await),
        }
    }

    /// Keeps pictures of the page: at a desk by day and by night, and on a phone. Nothing may be wider than the phone.
    pub(crate) async fn shoot(&self, name: &str) {
        let folder = root().join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        for (width, scheme, suffix) in
            [(WIDE, "dark", "dark"), (NARROW, "light", "phone"), (WIDE, "light", "light")]
        {
            self.wear(width, scheme).await;
            self.picture(width, &folder.join(format!("{name}-{suffix}.png"))).await;
            let is_wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
            let wider: bool = self.page.evaluate_expression(is_wider).await.unwrap().into_value().unwrap();
            assert!(!wider, "{name} is wider than {width} pixels");
        }
    }

    /// The whole page, as high as it is.
    async fn picture(&self, width: i64, file: &Path) {
        let height = self.page.evaluate_expression("document.documentElement.scrollHeight").await.unwrap();
        self.size(width, height.into_value().unwrap()).await;
        let picture = self.page.screenshot(ScreenshotParams::builder().build()).await.unwrap();
        std::fs::write(file, picture).unwrap();
    }

    async fn wear(&self, width: i64, scheme: &str) {
        self.size(width, HEIGHT).await;
        let scheme = MediaFeature::new("prefers-color-scheme", scheme);
        self.page.emulate_media_features(vec![scheme]).await.unwrap();
    }

    async fn size(&self, width: i64, height: i64) {
        self.page.execute(SetDeviceMetricsOverrideParams::new(width, height, 1.0, false)).await.unwrap();
    }
}

/// Where the field of a label is.
fn of_label(label: &str) -> String {
    let label = quoted(label);
    let of_label = format!("//label[starts-with(normalize-space(.), {label})]");
    let tags = "self::input or self::textarea or self::select";
    format!("{of_label}//*[{tags}] | //*[@id={of_label}/@for] | //*[({tags}) and @aria-label={label}]")
}

/// What is left of a document when its tags are taken out.
fn without_tags(markup: &str) -> String {
    markup.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text).collect()
}

/// A text as XPath writes it.
fn quoted(text: &str) -> String {
    if text.contains('\'') { format!("\"{text}\"") } else { format!("'{text}'") }
}
