//! End-to-end tests: the real binary, a real repository, real jobs. It depends on no crate of the host.
