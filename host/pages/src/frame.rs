use lockstep_types::Timestamp;
use lockstep_types::board::WorkspaceId;

/// What the navigation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names are their labels")]
pub enum Section {
    Runs,
    Inbox,
    Board,
    Pipelines,
    Components,
    Schedules,
    Spend,
    Audit,
    Settings,
}

impl Section {
    /// All of them, in the order of the navigation.
    pub const ALL: [Self; 9] = [
        Self::Runs,
        Self::Inbox,
        Self::Board,
        Self::Pipelines,
        Self::Components,
        Self::Schedules,
        Self::Spend,
        Self::Audit,
        Self::Settings,
    ];

    /// How it is called.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Runs => "Runs",
            Self::Inbox => "Inbox",
            Self::Board => "Board",
            Self::Pipelines => "Pipelines",
            Self::Components => "Components",
            Self::Schedules => "Schedules",
            Self::Spend => "Spend",
            Self::Audit => "Audit",
            Self::Settings => "Settings",
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Runs => "/runs",
            Self::Inbox => "/inbox",
            Self::Board => "/board",
            Self::Pipelines => "/pipelines",
            Self::Components => "/components",
            Self::Schedules => "/schedules",
            Self::Spend => "/spend",
            Self::Audit => "/audit",
            Self::Settings => "/settings",
        }
    }
}

/// What is around every page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Title of the page.
    pub title: String,
    /// The section it belongs to; none for pages outside of all.
    pub section: Option<Section>,
    /// Who looks at it; none: nobody has signed in.
    pub who: Option<String>,
    /// Whether they may do what the forms of an operator do: start, stop, answer, change boards.
    pub operates: bool,
    /// Whether they may change what the host runs, and who may speak to it.
    pub administers: bool,
    /// What a form must send along as `csrf`.
    pub csrf: String,
    /// The workspace that is looked at.
    pub workspace: Option<WorkspaceId>,
    /// Cards that wait for somebody, shown beside the inbox.
    pub waiting: usize,
    /// Address of the page with its query, to be fetched again when something changed; empty: it stays as it is.
    pub live: String,
    /// What was just done, in words; empty: nothing.
    pub done: String,
    /// Why what was just asked for was not done; empty: nothing was refused.
    pub refused: String,
    /// What was typed into the form that was refused, to be shown in it again.
    pub typed: Typed,
    /// When it was made.
    pub now: Timestamp,
}

/// The fields of a form as somebody filled them in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// Which form of the page: its field `form`.
    pub form: String,
    /// Names and values.
    pub fields: Vec<(String, String)>,
}

impl Frame {
    /// What a field of a form holds: what was typed into it when it was refused, else `otherwise`.
    #[must_use]
    pub fn typed<'a>(&'a self, form: impl AsRef<str>, field: &str, otherwise: &'a str) -> &'a str {
        let mut fields = self.typed.fields.iter().filter(|_| self.typed.form == form.as_ref());
        fields.find(|(name, _)| name == field).map_or(otherwise, |(_, value)| value)
    }

    /// Whether a form was refused in which something was typed.
    #[must_use]
    pub fn has_typed(&self, form: impl AsRef<str>) -> bool {
        !self.typed.form.is_empty() && self.typed.form == form.as_ref()
    }

    /// What was typed as the remark on a line of a proposal.
    #[must_use]
    pub fn typed_line(&self, form: impl AsRef<str>, line: &usize) -> &str {
        let mut fields = self.typed.fields.iter().filter(|_| self.typed.form == form.as_ref());
        let is_it = |name: &str| name.strip_prefix("line-").is_some_and(|number| number == line.to_string());
        fields.find(|(name, _)| is_it(name)).map_or("", |(_, value)| value)
    }

    /// Whether a form was refused and a box of it was ticked, or a choice of it chosen.
    #[must_use]
    pub fn ticked(&self, form: impl AsRef<str>, field: &str, value: &str) -> bool {
        let mut fields = self.typed.fields.iter().filter(|_| self.typed.form == form.as_ref());
        fields.any(|(name, given)| name == field && given == value)
    }

    /// The navigation: the section, and whether it is the current one.
    #[must_use]
    pub fn sections(&self) -> [(Section, bool); 9] {
        Section::ALL.map(|section| (section, self.section == Some(section)))
    }

    /// How long ago something was.
    #[must_use]
    pub fn ago(&self, then: &Timestamp) -> String {
        crate::text::duration(self.now.ms_since(*then)) + " ago"
    }

    /// For how long something has been so.
    #[must_use]
    pub fn since(&self, then: &Timestamp) -> String {
        crate::text::duration(self.now.ms_since(*then))
    }

    /// Whether `section` is the inbox and somebody is waited for there.
    #[must_use]
    pub fn counts(&self, section: &Section) -> bool {
        *section == Section::Inbox && self.waiting > 0
    }
}
