use lockstep_sdk::{Comment, JobResult, read_object};
use serde::Deserialize;

/// Comments of one grade; a reply with more is unusable, it could never be worked through.
const MAX_COMMENTS: usize = 200;

/// A usable reply of a grader (SPEC CO-4).
#[derive(Debug, Deserialize)]
pub(crate) struct Grade {
    pub(crate) rating: f64,
    pub(crate) summary: String,
    #[serde(default)]
    comments: Option<Vec<Remark>>,
}

#[derive(Debug, Deserialize)]
struct Remark {
    body: String,
    #[serde(default, alias = "quotedSource")]
    quote: Option<String>,
    #[serde(default)]
    lines: Option<(u32, u32)>,
    #[serde(default, alias = "id")]
    anchor: Option<String>,
}

impl Grade {
    /// Reads the structured report where the job has one, else the text (CO-5).
    pub(crate) fn of(result: &JobResult) -> Result<Self, String> {
        let grade = match &result.report {
            Some(report) => read_object(report),
            None => Self::find(&result.output),
        }?;
        if !(0.0..=1.0).contains(&grade.rating) {
            return Err("the rating is not between 0 and 1".to_owned());
        }
        if grade.comments.as_ref().is_some_and(|comments| comments.len() > MAX_COMMENTS) {
            return Err(format!("it has more than {MAX_COMMENTS} comments"));
        }
        Ok(grade)
    }

    /// CO-5: from the first `{` to the last `}`.
    fn find(text: &str) -> Result<Self, String> {
        match (text.find('{'), text.rfind('}')) {
            (Some(start), Some(end)) if start < end => read_object(&text[start..=end]),
            _ => Err("there is no JSON object in it".to_owned()),
        }
    }

    pub(crate) fn into_comments(self) -> Vec<Comment> {
        let comments = self.comments.unwrap_or_default().into_iter();
        comments.map(|Remark { body, quote, lines, anchor }| Comment { body, quote, lines, anchor }).collect()
    }

    pub(crate) fn has_comments(&self) -> bool {
        self.comments.as_ref().is_some_and(|comments| !comments.is_empty())
    }
}
