//! The files every page refers to, carried in the binary.

/// A file under `/assets/`.
pub struct Asset {
    /// Its name there.
    pub name: &'static str,
    /// Its media type.
    pub media: &'static str,
    /// What is in it.
    pub text: &'static str,
}

/// All of them.
pub const ASSETS: [Asset; 3] = [
    Asset {
        name: "lockstep.css",
        media: "text/css; charset=utf-8",
        text: include_str!("../assets/lockstep.css"),
    },
    Asset {
        name: "htmx.js",
        media: "text/javascript; charset=utf-8",
        text: concat!(include_str!("../assets/htmx.js"), "\n", include_str!("../assets/keep.js")),
    },
    Asset { name: "icon.svg", media: "image/svg+xml", text: include_str!("../assets/icon.svg") },
];
