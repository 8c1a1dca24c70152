use std::fmt;
use std::str::FromStr;

/// A language a step project can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// With the SDK.
    Rust,
    /// Run by QuickJS, which becomes part of the component.
    JavaScript,
    /// Run by CPython, which becomes part of the component.
    Python,
    /// With generated bindings and no C library.
    C,
}

impl Language {
    /// All of them, the most recommended first.
    pub const ALL: [Self; 4] = [Self::Rust, Self::JavaScript, Self::Python, Self::C];

    /// What `--lang` calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::JavaScript => "js",
            Self::Python => "python",
            Self::C => "c",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No project for this language is carried.
#[derive(Debug, thiserror::Error)]
#[error(
    "no project for {name:?}, only for rust, js, python and c; any language whose compiler makes components of the \
     WIT world in `wit/` of such a project will do, begin with one of these"
)]
pub struct UnknownLanguage {
    /// What was asked for.
    pub name: String,
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Self, UnknownLanguage> {
        match name.to_ascii_lowercase().as_str() {
            "rust" | "rs" => Ok(Self::Rust),
            "js" | "javascript" => Ok(Self::JavaScript),
            "python" | "py" => Ok(Self::Python),
            "c" => Ok(Self::C),
            _ => Err(UnknownLanguage { name: name.to_owned() }),
        }
    }
}
