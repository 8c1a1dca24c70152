//! Data in, text out: a pipeline and a script of what components and the outside say, and the timeline that follows.

mod approvals;
mod control;
mod flow;
mod forge;
mod outside;
mod pins;
mod properties;
mod random;
mod world;
