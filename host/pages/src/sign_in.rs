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
