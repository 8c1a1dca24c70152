//! The traits between the rooms, with their errors. Every adapter implements some of them; none knows another.
//!
//! No adapter lives here, and no runtime: a port may be awaited, but says nothing of how it is driven. The only
//! implementations are the observers that answer from a record, which whoever replays needs.
#![warn(missing_docs)]

mod access;
mod backtest;
mod board;
mod clock;
mod component_service;
mod components;
mod credentials;
mod deliveries;
mod distribution;
mod follow;
mod forge;
mod journal;
mod lenient;
mod meter;
mod outside;
mod recorded;
mod replies;
mod service;
mod simulation;
mod step_executor;
mod tracker;
mod workers;

pub use access::{
    AUDIT_KEPT, AUDIT_PAGE_MAX, AccessChange, AccessService, AccessStore, AuditLine, AuditPage, AuditQuery,
    DoneBeside, IssuedToken, NewToken, TokenView,
};
pub use backtest::{
    BacktestCandidate, BacktestCase, BacktestCounts, BacktestFuel, BacktestLine, BacktestOutcome,
    BacktestProgress, BacktestReport, BacktestRequest, BacktestService, FieldDifference,
};
pub use board::{
    BoardCommand, BoardCommit, BoardReply, BoardService, Card, CardAction, ItemView, SpendView, StartItem,
};
pub use clock::Clock;
pub use component_service::{
    ActivateRequest, Activated, Actor, AddRequest, CanaryBegun, CanaryReport, CanaryRequest, CanaryRun,
    ComponentDetail, ComponentService, ComponentView, Gates, GcEntry, GcReport, GrantRequest, KindView,
    LimitView, RolledBack, RunCounts, SignatureView, StopView, TrustChange,
};
pub use components::{ComponentStore, ComponentStoreError, RegistryChange};
pub use credentials::{CredentialError, Credentials, Secret};
pub use deliveries::{
    DELIVERIES_PAGE_MAX, Deliveries, Delivery, DeliveryError, DeliveryState, NewDelivery, Settlement, Taken,
};
pub use distribution::{
    Artifact, Distribution, DistributionError, InvalidReference, Label, Located, Place, Progress, Pushed,
    Reference, SHIPPED_COMPONENT_MAX, SIGNATURE_MAX,
};
pub use follow::{Bookmark, Bookmarks, Happening, Listener, Message, MessageError};
pub use forge::{Forge, ForgePullRequest, ForgeReview, ReviewVerdict};
pub use journal::{Commit, FEED_PAGE_MAX, FeedEntry, Journal, JournalError, ROWS_PAGE_MAX};
pub use lenient::LenientObserver;
pub use meter::{Measure, Meter, MetricsPage, NoMeter, Readiness};
pub use outside::{
    ChangeSource, ChangeSourceError, CheckOrder, Checks, Effects, Jobs, Mergeability, ObservationOrder,
    Observations, Wake, Workspace,
};
pub use recorded::RecordedObserver;
pub use replies::{Replies, Reply, ReplyAnswer};
pub use service::{
    FeedItem, InvocationDifference, InvocationView, ReplayReport, RunAction, RunPage, RunQuery, RunService,
    ServiceError, StartRequest, VerifyReport,
};
pub use simulation::{ScenarioView, SimulationService};
pub use step_executor::{Inspected, LoadError, Observer, StepExecutor};
pub use tracker::{Ticket, TicketState, Tracker, TrackerError};
pub use workers::{
    LeaseAsk, Leased, LeasedChange, Word, WorkerError, WorkerFailure, WorkerJobView, WorkerQueue, WorkerView,
    WorkersView,
};
