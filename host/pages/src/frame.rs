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
    /// When it was made.
    pub now: Timestamp,
}

impl Frame {
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

    /// Whether `section` is the inbox and somebody is waited for there.
    #[must_use]
    pub fn counts(&self, section: &Section) -> bool {
        *section == Section::Inbox && self.waiting > 0
    }
}
