use crate::{InvalidId, RunId};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The ids of a board follow the rule of run ids, and shorter ones come first, so that `pipeline-2` is before
/// `pipeline-10` and the order of ids is the order in which things were made.
macro_rules! board_id {
    ($name:ident, $what:literal, $max:literal, $pattern:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = $pattern)))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text of the id.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                let rule = concat!("1 to ", $max, " letters, digits, - or _");
                let invalid = |text: String| InvalidId { what: $what, text, rule };
                let checked = RunId::try_from(text).map_err(|error| invalid(error.text))?;
                let text = String::from(checked);
                if text.len() > $max { Err(invalid(text)) } else { Ok(Self(text)) }
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                (self.0.len(), &self.0).cmp(&(other.0.len(), &other.0))
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

// Shorter than the others, which are made of it and a number.
board_id!(
    WorkspaceId,
    "workspace id",
    64,
    "^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$",
    "A board with everything on it, 1 to 64 characters."
);
board_id!(
    ItemId,
    "item id",
    128,
    "^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$",
    "An item of work. Made by the board it is `WORKSPACE-NUMBER`, unique on the host."
);
board_id!(PipelineId, "pipeline id", 128, "^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$", "A pipeline of a workspace.");
board_id!(PresetId, "preset id", 128, "^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$", "A preset of a workspace.");
board_id!(
    ScheduleId,
    "schedule id",
    128,
    "^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$",
    "A recurring schedule of a workspace."
);

#[cfg(test)]
mod tests {
    use super::PipelineId;

    #[test]
    fn ids_are_ordered_as_they_were_counted() {
        let mut ids: Vec<PipelineId> =
            ["pipeline-10", "pipeline-2", "pipeline-1"].iter().map(|id| id.parse().unwrap()).collect();
        ids.sort();
        let text: Vec<&str> = ids.iter().map(PipelineId::as_str).collect();
        assert_eq!(text, ["pipeline-1", "pipeline-2", "pipeline-10"]);
    }

    #[test]
    fn an_id_that_could_not_be_a_key_is_named_for_what_it_is() {
        let error = "a/b".parse::<PipelineId>().unwrap_err();
        assert_eq!(error.to_string(), "\"a/b\" is not a pipeline id: 1 to 128 letters, digits, - or _");
    }
}
