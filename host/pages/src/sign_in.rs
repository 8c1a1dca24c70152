use crate::Frame;
use askama::Template;

/// Asks who is there.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// What is around it.
    pub frame: Frame,
    /// Where to go afterwards, a path of this host.
    pub next: String,
    /// Why the last try was refused; empty: there was none.
    pub refused: String,
}

/// Says that somebody was signed in by a link; the browser goes on by itself.
#[derive(Template)]
#[template(path = "signed_in.html")]
pub struct SignedInPage {
    /// What is around it.
    pub frame: Frame,
    /// As whom.
    pub name: String,
}
