use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Why a service could not be asked, or what its answer was instead. Display is one line; no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    /// Who was asked.
    pub service: &'static str,
    /// Where, without a query.
    pub url: String,
    /// What went wrong.
    pub fault: HttpFault,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpFault {
    /// What was given is no address that can be asked.
    Address(String),
    /// It would be spoken to without TLS.
    Unencrypted,
    /// The request or the client cannot be made.
    Request(String),
    /// There was no connection, so nothing was sent.
    Unreachable(String),
    /// The connection broke; the request may have been carried out.
    CutShort(String),
    /// Nothing came in time; the request may have been carried out.
    Timeout(Duration),
    /// It answered more than this many bytes.
    TooLarge(usize),
    /// It redirects without end.
    Circles,
    /// It answered with this status.
    Status {
        /// The status.
        status: u16,
        /// What it says of it; may be empty.
        said: String,
        /// Whether it takes no more for now.
        is_throttled: bool,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// It answered what is not understood.
    Misread(String),
}

impl HttpError {
    pub(super) fn new(service: &'static str, url: &str, fault: HttpFault) -> Self {
        Self { service, url: url.to_owned(), fault }
    }

    /// The status it answered with, if it did.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.fault {
            HttpFault::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match &self.fault {
            HttpFault::Unreachable(_) | HttpFault::CutShort(_) | HttpFault::Timeout(_) => true,
            HttpFault::Status { status, is_throttled, .. } => {
                *is_throttled || *status >= 500 || *status == 408
            }
            _ => false,
        }
    }
}

impl Error for HttpError {}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, url, fault } = self;
        match fault {
            HttpFault::Address(reason) => write!(f, "{service}: {url} is no address to ask: {reason}"),
            HttpFault::Unencrypted => {
                write!(f, "{service}: {url} would be spoken to without TLS: give an address with https://")
            }
            HttpFault::Request(reason) => write!(f, "{service}: the request cannot be made: {reason}"),
            HttpFault::Unreachable(reason) => write!(f, "{service} cannot be reached at {url}: {reason}"),
            HttpFault::CutShort(reason) => {
                write!(f, "{service}: the answer of {url} was cut short: {reason}")
            }
            HttpFault::Timeout(time) => {
                write!(f, "{service}: {url} did not answer within {} s", time.as_secs_f32())
            }
            HttpFault::TooLarge(limit) => write!(f, "{service}: {url} answered more than {limit} bytes"),
            HttpFault::Circles => write!(f, "{service}: {url} redirects in circles"),
            HttpFault::Status { status, said, retry_after, .. } => {
                write!(f, "{service}: {url} answered {status}")?;
                if !said.is_empty() {
                    write!(f, ": {said}")?;
                }
                match retry_after {
                    Some(time) => write!(f, " (again in {} s)", time.as_secs()),
                    None => Ok(()),
                }
            }
            HttpFault::Misread(reason) => {
                write!(f, "{service}: {url} answered what is not understood: {reason}")
            }
        }
    }
}

impl HttpFault {
    /// The fault as it is counted.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Timeout(_) => "timeout",
            Self::CutShort(_) => "cut-short",
            _ => "invalid",
        }
    }
}

/// What an error of the client means for a request that may take `time`.
pub(super) fn of(error: &reqwest::Error, time: Duration, is_answered: bool) -> HttpFault {
    let reason = crate::text::one_line(&deepest(error));
    if error.is_timeout() && !error.is_connect() {
        HttpFault::Timeout(time)
    } else if error.is_connect() {
        HttpFault::Unreachable(reason)
    } else if error.is_builder() {
        HttpFault::Request(reason)
    } else if is_answered || error.is_request() || error.is_body() {
        HttpFault::CutShort(reason)
    } else {
        HttpFault::Misread(reason)
    }
}

/// The cause at the end of the chain, which is the one that says something: `connection refused`.
pub(super) fn deepest(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
