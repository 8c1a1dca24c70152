use crate::Frame;

/// A choice of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// What people read.
    pub label: String,
    /// Whether it is the one that holds.
    pub is_chosen: bool,
}

/// The choices of a list: what was chosen in the form when it was refused holds, else `current`.
pub(crate) fn choices<V, L>(
    frame: &Frame,
    (form, field): (&str, &str),
    current: &str,
    all: impl IntoIterator<Item = (V, L)>,
) -> Vec<Choice>
where
    V: ToString,
    L: ToString,
{
    let chosen = frame.typed(form, field, current);
    let choice = |(value, label): (V, L)| {
        let value = value.to_string();
        Choice { is_chosen: value == chosen, value, label: label.to_string() }
    };
    all.into_iter().map(choice).collect()
}
