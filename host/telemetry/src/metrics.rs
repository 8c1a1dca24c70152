//! What is counted, and how it is shown.

use crate::names::Names;
use crate::process::Look;
use async_trait::async_trait;
use lockstep_ports::{Measure, Meter, MetricsPage};
use lockstep_types::RunStatus;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// Bounds of what takes parts of a millisecond: a call, a flush.
const SHORT: [f64; 12] =
    [0.000_01, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.02, 0.1, 0.5, 2.0];

/// Bounds of what goes over a network.
const MEDIUM: [f64; 10] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Bounds of work that takes minutes.
const LONG: [f64; 9] = [0.1, 1.0, 5.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0];

/// How most calls end.
const TRANSITION: &str = "transition";

type Labels<const N: usize> = [(&'static str, String); N];
type Counts<const N: usize> = Family<Labels<N>, Counter>;
type Levels<const N: usize> = Family<Labels<N>, Gauge>;
type Times<const N: usize> = Family<Labels<N>, Histogram, Bounds>;
type Seconds = Gauge<f64, AtomicU64>;

#[derive(Clone, Copy)]
struct Bounds(&'static [f64]);

impl MetricConstructor<Histogram> for Bounds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// Counts what is noted, and shows it with what the operating system knows of this process.
pub struct Metrics {
    registry: Registry,
    data: PathBuf,
    names: Names,
    commits: Counts<1>,
    commit_times: Histogram,
    runs: Counts<1>,
    runs_now: Levels<1>,
    durable: Counter,
    called: RwLock<HashMap<String, Called>>,
    calls_now: Gauge,
    invocations: Counts<2>,
    invocation_fuel: Counts<1>,
    invocation_times: Times<1>,
    work: Counts<3>,
    work_times: Times<2>,
    levels: Levels<1>,
    requests: Counts<3>,
    request_times: Times<2>,
    deliveries: Counts<2>,
    provider_calls: Counts<2>,
    provider_times: Times<1>,
    rate_limits: Levels<1>,
    process: ProcessMetrics,
}

/// What is counted for each call of a kind's component, found with one look: calls are what there is most of.
#[derive(Clone)]
struct Called {
    /// The name it is counted under.
    kind: String,
    transitions: Counter,
    fuel: Counter,
    times: Histogram,
}

#[derive(Default)]
struct ProcessMetrics {
    memory: Gauge,
    cpu: Seconds,
    fds: Gauge,
    threads: Gauge,
    store: Gauge,
    free: Gauge,
}

impl Metrics {
    /// Counts for the host of a data folder; `version` is the program's.
    #[must_use]
    pub fn new(data: PathBuf, version: &str) -> Self {
        let mut this = Self {
            registry: Registry::with_prefix("lockstep"),
            data,
            names: Names::default(),
            commits: Counts::default(),
            commit_times: Histogram::new(SHORT),
            runs: Counts::default(),
            runs_now: Levels::default(),
            durable: Counter::default(),
            called: RwLock::default(),
            calls_now: Gauge::default(),
            invocations: Counts::default(),
            invocation_fuel: Counts::default(),
            invocation_times: Times::new_with_constructor(Bounds(&SHORT)),
            work: Counts::default(),
            work_times: Times::new_with_constructor(Bounds(&LONG)),
            levels: Levels::default(),
            requests: Counts::default(),
            request_times: Times::new_with_constructor(Bounds(&MEDIUM)),
            deliveries: Counts::default(),
            provider_calls: Counts::default(),
            provider_times: Times::new_with_constructor(Bounds(&MEDIUM)),
            rate_limits: Levels::default(),
            process: ProcessMetrics::default(),
        };
        this.durable = this.commits.get_or_create_owned(&[("outcome", "durable".to_owned())]);
        this.calls_now = this.levels.get_or_create_owned(&[("what", "invocations".to_owned())]);
        this.register(version);
        this.register_outside();
        this.register_process();
        for status in [RunStatus::Running, RunStatus::Blocked, RunStatus::Paused] {
            drop(this.runs_now.get_or_create(&[("status", status.word().to_owned())]));
        }
        this
    }

    fn register(&mut self, version: &str) {
        let registry = &mut self.registry;
        registry.register("build", "The program", Info::new(vec![("version", version.to_owned())]));
        registry.register("turns", "Turns, by whether they became durable", self.commits.clone());
        let seconds = || Unit::Seconds;
        registry.register_with_unit(
            "commit",
            "Until a turn is durable",
            seconds(),
            self.commit_times.clone(),
        );
        registry.register("runs_moved", "Runs that came to stand there", self.runs.clone());
        registry.register("runs", "Live runs by status", self.runs_now.clone());
        registry.register("invocations", "Calls of components by kind and outcome", self.invocations.clone());
        registry.register("fuel", "Fuel used by calls of components", self.invocation_fuel.clone());
        let times = self.invocation_times.clone();
        registry.register_with_unit("invocation", "Calls of components, with their wait", seconds(), times);
        registry.register("work", "Jobs and effects by kind and outcome", self.work.clone());
        let times = self.work_times.clone();
        registry.register_with_unit("work_duration", "Jobs and effects", seconds(), times);
        registry.register("under_way", "What is under way now", self.levels.clone());
    }

    fn register_outside(&mut self) {
        let (registry, seconds) = (&mut self.registry, || Unit::Seconds);
        registry.register("http_requests", "Requests by route and status", self.requests.clone());
        let times = self.request_times.clone();
        registry.register_with_unit("http_request", "Until the head of an answer", seconds(), times);
        registry.register("deliveries", "Messages to listeners", self.deliveries.clone());
        registry.register("provider_calls", "Requests to somebody outside", self.provider_calls.clone());
        let times = self.provider_times.clone();
        registry.register_with_unit("provider_call", "Requests to somebody outside", seconds(), times);
        let left = "Requests a provider still takes";
        registry.register("provider_rate_limit_remaining", left, self.rate_limits.clone());
    }

    fn register_process(&mut self) {
        let (registry, process, bytes) = (&mut self.registry, &self.process, || Unit::Bytes);
        registry.register_with_unit(
            "process_resident",
            "Memory of the process",
            bytes(),
            process.memory.clone(),
        );
        let cpu = process.cpu.clone();
        registry.register_with_unit("process_cpu", "Processor time of the process", Unit::Seconds, cpu);
        registry.register("process_open_fds", "Open files of the process", process.fds.clone());
        registry.register("process_threads", "Threads of the process", process.threads.clone());
        registry.register_with_unit("store", "Files of the store", bytes(), process.store.clone());
        registry.register_with_unit("disk_free", "Free space of its disk", bytes(), process.free.clone());
    }

    fn note_request(&self, method: &str, route: &str, status: u16, time: Duration) {
        let (method, route) = (self.names.bounded(method), route.to_owned());
        let labels = [("method", method.clone()), ("route", route.clone()), ("status", status.to_string())];
        self.requests.get_or_create(&labels).inc();
        let labels = [("method", method), ("route", route)];
        self.request_times.get_or_create(&labels).observe(time.as_secs_f64());
    }

    fn note_moved(&self, from: Option<RunStatus>, to: RunStatus) {
        let label = |status: RunStatus| [("status", status.word().to_owned())];
        self.runs.get_or_create(&label(to)).inc();
        if to.is_live() {
            self.runs_now.get_or_create(&label(to)).inc();
        }
        if let Some(from) = from.filter(|from| from.is_live()) {
            self.runs_now.get_or_create(&label(from)).dec();
        }
    }

    fn called(&self, kind: &str) -> Called {
        let known = self.called.read().unwrap_or_else(PoisonError::into_inner).get(kind).cloned();
        known.unwrap_or_else(|| {
            let name = self.names.bounded(kind);
            let label = [("kind", name.clone())];
            let transitions = [("kind", name.clone()), ("outcome", TRANSITION.to_owned())];
            let called = Called {
                transitions: self.invocations.get_or_create_owned(&transitions),
                fuel: self.invocation_fuel.get_or_create_owned(&label),
                times: self.invocation_times.get_or_create_owned(&label),
                kind: name,
            };
            // Those that are counted together need no place of their own.
            if called.kind == kind {
                let mut known = self.called.write().unwrap_or_else(PoisonError::into_inner);
                known.insert(kind.to_owned(), called.clone());
            }
            called
        })
    }

    fn note_invocation(&self, kind: &str, outcome: &str, fuel: u64, time: Duration) {
        let called = self.called(kind);
        if outcome == TRANSITION {
            called.transitions.inc();
        } else {
            let labels = [("kind", called.kind), ("outcome", outcome.to_owned())];
            self.invocations.get_or_create(&labels).inc();
        }
        called.fuel.inc_by(fuel);
        called.times.observe(time.as_secs_f64());
    }

    fn note_work(&self, what: &str, kind: &str, outcome: &str, time: Duration) {
        let (what, kind) = (what.to_owned(), self.names.bounded(kind));
        let labels = [("what", what.clone()), ("kind", kind.clone()), ("outcome", outcome.to_owned())];
        self.work.get_or_create(&labels).inc();
        self.work_times.get_or_create(&[("what", what), ("kind", kind)]).observe(time.as_secs_f64());
    }

    fn note_provider_call(&self, provider: &str, outcome: &str, time: Duration) {
        let provider = provider.to_owned();
        let labels = [("provider", provider.clone()), ("outcome", outcome.to_owned())];
        self.provider_calls.get_or_create(&labels).inc();
        self.provider_times.get_or_create(&[("provider", provider)]).observe(time.as_secs_f64());
    }

    fn show(&self, look: &Look) -> String {
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let process = &self.process;
        process.memory.set(gauge(look.resident_bytes));
        process.cpu.set(look.cpu_seconds);
        process.fds.set(gauge(look.open_fds));
        process.threads.set(gauge(look.threads));
        process.store.set(gauge(look.store_bytes));
        process.free.set(gauge(look.free_bytes));
        let mut text = String::new();
        // Writing to a text does not fail.
        encode(&mut text, &self.registry).unwrap_or_default();
        text
    }
}

impl Meter for Metrics {
    fn note(&self, measure: &Measure<'_>) {
        let own = |text: &str| text.to_owned();
        match *measure {
            Measure::ProviderCall { provider, outcome, time } => {
                self.note_provider_call(provider, outcome, time);
            }
            Measure::RateLimit { provider, remaining } => {
                let gauge = self.rate_limits.get_or_create(&[("provider", own(provider))]);
                gauge.set(i64::try_from(remaining).unwrap_or(i64::MAX));
            }
            Measure::Commit { outcome, time } => {
                match outcome {
                    "durable" => self.durable.inc(),
                    _ => self.commits.get_or_create(&[("outcome", own(outcome))]).inc(),
                };
                self.commit_times.observe(time.as_secs_f64());
            }
            Measure::Moved { from, to } => self.note_moved(from, to),
            Measure::Invocation { kind, outcome, fuel, time } => {
                self.note_invocation(kind, outcome, fuel, time);
            }
            Measure::Work { what, kind, outcome, time } => self.note_work(what, kind, outcome, time),
            Measure::Level { what: "invocations", change } => {
                self.calls_now.inc_by(change);
            }
            Measure::Level { what, change } => {
                self.levels.get_or_create(&[("what", own(what))]).inc_by(change);
            }
            Measure::Request { method, route, status, time } => {
                self.note_request(method, route, status, time);
            }
            Measure::Delivery { listener, outcome } => {
                let labels = [("listener", self.names.bounded(listener)), ("outcome", own(outcome))];
                self.deliveries.get_or_create(&labels).inc();
            }
            _ => {}
        }
    }
}

#[async_trait]
impl MetricsPage for Metrics {
    async fn page(&self) -> String {
        let data = self.data.clone();
        // Looking at the disk may wait for it.
        let look = tokio::task::spawn_blocking(move || Look::at(&data)).await.unwrap_or_default();
        self.show(&look)
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, Metrics};
    use lockstep_ports::{Measure, Meter};
    use lockstep_types::RunStatus;
    use std::time::Duration;

    #[test]
    fn what_is_noted_is_shown() {
        let metrics = Metrics::new("/".into(), "1.2.3");
        let time = Duration::from_millis(3);
        let measures = [
            Measure::Commit { outcome: "durable", time },
            Measure::Moved { from: None, to: RunStatus::Running },
            Measure::Moved { from: Some(RunStatus::Running), to: RunStatus::Failed },
            Measure::Moved { from: None, to: RunStatus::Blocked },
            Measure::Invocation { kind: "ci-gate", outcome: "transition", fuel: 7, time },
            Measure::Work { what: "job", kind: "coder", outcome: "done", time },
            Measure::Level { what: "jobs", change: 2 },
            Measure::Level { what: "jobs", change: -1 },
            Measure::Request { method: "GET", route: "/v1/runs/{run}", status: 200, time },
            Measure::Delivery { listener: "team", outcome: "given-up" },
            Measure::ProviderCall { provider: "github", outcome: "2xx", time },
            Measure::RateLimit { provider: "github", remaining: 4999 },
        ];
        measures.iter().for_each(|measure| metrics.note(measure));
        let text = metrics.show(&Look::default());
        let shown = text.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket"));
        // Labels of one name come in any order.
        let mut shown: Vec<String> = shown.map(|line| format!("{line}\n")).collect();
        shown.sort();
        let shown = shown.concat();
        expect_test::expect![[r#"
            lockstep_build_info{version="1.2.3"} 1
            lockstep_commit_seconds_count 1
            lockstep_commit_seconds_sum 0.003
            lockstep_deliveries_total{listener="team",outcome="given-up"} 1
            lockstep_disk_free_bytes 0
            lockstep_fuel_total{kind="ci-gate"} 7
            lockstep_http_request_seconds_count{method="GET",route="/v1/runs/{run}"} 1
            lockstep_http_request_seconds_sum{method="GET",route="/v1/runs/{run}"} 0.003
            lockstep_http_requests_total{method="GET",route="/v1/runs/{run}",status="200"} 1
            lockstep_invocation_seconds_count{kind="ci-gate"} 1
            lockstep_invocation_seconds_sum{kind="ci-gate"} 0.003
            lockstep_invocations_total{kind="ci-gate",outcome="transition"} 1
            lockstep_process_cpu_seconds 0.0
            lockstep_process_open_fds 0
            lockstep_process_resident_bytes 0
            lockstep_process_threads 0
            lockstep_provider_call_seconds_count{provider="github"} 1
            lockstep_provider_call_seconds_sum{provider="github"} 0.003
            lockstep_provider_calls_total{provider="github",outcome="2xx"} 1
            lockstep_provider_rate_limit_remaining{provider="github"} 4999
            lockstep_runs_moved_total{status="blocked"} 1
            lockstep_runs_moved_total{status="failed"} 1
            lockstep_runs_moved_total{status="running"} 1
            lockstep_runs{status="blocked"} 1
            lockstep_runs{status="paused"} 0
            lockstep_runs{status="running"} 0
            lockstep_store_bytes 0
            lockstep_turns_total{outcome="durable"} 1
            lockstep_under_way{what="invocations"} 0
            lockstep_under_way{what="jobs"} 1
            lockstep_work_duration_seconds_count{what="job",kind="coder"} 1
            lockstep_work_duration_seconds_sum{what="job",kind="coder"} 0.003
            lockstep_work_total{what="job",kind="coder",outcome="done"} 1
        "#]]
        .assert_eq(&shown);
        assert!(text.contains("lockstep_commit_seconds_bucket{le=\"0.005\"} 1\n"), "{text}");
    }
}
