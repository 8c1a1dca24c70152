//! Those who are told what happens: in order, at least once, each at its own pace.

use crate::host::{Host, World, ask};
use async_trait::async_trait;
use lockstep_ports::{Bookmark, Bookmarks, Happening, Listener, Message, MessageError, NoMeter, RunAction};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Ear {
    name: String,
    /// Answers to come; none: it takes everything.
    refusals: Mutex<Vec<bool>>,
    told: Mutex<Vec<String>>,
}

impl Ear {
    /// `refusals`: whether each of the first messages may be taken later.
    fn new(name: &str, refusals: impl IntoIterator<Item = bool>) -> Arc<Self> {
        let refusals = Mutex::new(refusals.into_iter().collect());
        Arc::new(Self { name: name.to_owned(), refusals, told: Mutex::default() })
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

#[async_trait]
impl Listener for Ear {
    fn name(&self) -> &str {
        &self.name
    }

    fn wants(&self, what: Happening) -> bool {
        !matches!(what, Happening::Notice | Happening::Started)
    }

    async fn deliver(&self, delivery: &Message) -> Result<(), MessageError> {
        let refusal = self.refusals.lock().unwrap().pop();
        let item = delivery.summary.as_ref().map(|run| run.item.clone()).unwrap_or_default();
        let mark = if refusal.is_some() { "!" } else { "" };
        self.told.lock().unwrap().push(format!("{mark}{item} {}", delivery.what.word()));
        match refusal {
            Some(is_temporary) => Err(MessageError { message: "busy".to_owned(), is_temporary }),
            None => Ok(()),
        }
    }
}

#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<BTreeMap<String, Bookmark>>>);

impl Shelf {
    fn of(&self, name: &str) -> Bookmark {
        self.0.lock().unwrap()[name].clone()
    }
}

#[async_trait]
impl Bookmarks for Shelf {
    async fn load(&self, name: &str) -> Result<Option<Bookmark>, String> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    async fn save(&self, name: &str, bookmark: &Bookmark) -> Result<(), String> {
        self.0.lock().unwrap().insert(name.to_owned(), bookmark.clone());
        Ok(())
    }
}

fn follow(host: &Host, shelf: &Shelf, ears: &[&Arc<Ear>]) {
    let listeners = ears.iter().map(|ear| Arc::clone(*ear) as Arc<dyn Listener>).collect();
    let bookmarks: Arc<dyn Bookmarks> = Arc::new(shelf.clone());
    host.run(async { host.runtime.follow(listeners, &bookmarks, &NoMeter::shared()) });
    host.settle();
}

#[test]
fn everybody_is_told_in_order_and_goes_on_after_a_crash() {
    let mut world = World::new();
    world.says("ask", [ask()]);
    let (shelf, ear) = (Shelf::default(), Ear::new("a", []));
    let host = world.open();
    host.start(&["build"]);
    follow(&host, &shelf, &[&ear]);
    assert!(ear.told().is_empty(), "a new one hears of what comes");
    let run = host.start(&["ask"]);
    host.act(&run, RunAction::Stop { reason: "enough".to_owned() }).unwrap();
    assert_eq!(ear.told(), ["task blocked", "task failed"]);
    let host = world.crash(host);
    follow(&host, &shelf, &[&ear]);
    assert!(ear.told().is_empty());
    host.start(&["build"]);
    assert_eq!(ear.told(), ["task done"]);
    assert_eq!(shelf.of("a").delivered, 3);
}

#[test]
fn one_that_does_not_answer_holds_up_nobody_else_and_gets_everything_later() {
    let mut world = World::new();
    let shelf = Shelf::default();
    let (deaf, other) = (Ear::new("deaf", [true; 2]), Ear::new("other", []));
    let host = world.open();
    follow(&host, &shelf, &[&deaf, &other]);
    host.start(&["build"]);
    host.start(&["build"]);
    assert_eq!(other.told(), ["task done", "task done"]);
    assert_eq!(deaf.told(), ["!task done"]);
    assert!(shelf.of("deaf").failing.is_some_and(|(_, why)| why == "busy"));
    // Killed meanwhile, it is told again.
    let host = world.crash(host);
    follow(&host, &shelf, &[&deaf]);
    assert_eq!(deaf.told(), ["!task done"]);
    world.clock.advance_ms(1000);
    host.settle();
    assert_eq!(deaf.told(), ["task done", "task done"]);
    assert_eq!(shelf.of("deaf").failing, None);
}

#[test]
fn a_message_that_is_never_taken_is_given_up() {
    let world = World::new();
    let (shelf, ear) = (Shelf::default(), Ear::new("a", [false]));
    let never = Ear::new("never", [true; 1000]);
    let host = world.open();
    follow(&host, &shelf, &[&ear, &never]);
    host.start(&["build"]);
    host.start(&["build"]);
    assert_eq!(ear.told(), ["!task done", "task done"]);
    assert_eq!((shelf.of("a").given_up, shelf.of("a").delivered), (1, 1));
    for _ in 0..149 {
        world.clock.advance_ms(10 * 60 * 1000);
        host.settle();
    }
    assert_eq!(never.told().len(), 151);
    assert_eq!(shelf.of("never").given_up, 1);
}
