//! The HTTP interface of the host: `/v1`, its event stream and the errors of both.
//!
//! It translates between HTTP and the services of the host, [`lockstep_ports::RunService`] and
//! [`lockstep_ports::BoardService`], and decides who may speak to it. It never stores anything, never looks behind the
//! services and holds no rule about runs or boards.

mod api;
mod etag;
mod extract;
mod guard;
mod hooks;
mod identity;
mod known;
mod limits;
mod observe;
mod origin;
mod pages;
mod paging;
mod problem;
mod replies;
mod routes;
mod serve;
mod state;

pub use hooks::Hooks;
pub use limits::Limits;
pub use observe::Watch;
pub use origin::Origin;
pub use routes::app;
pub use serve::{ServeError, bind, serve};
pub use state::{AppState, Options, Services};
