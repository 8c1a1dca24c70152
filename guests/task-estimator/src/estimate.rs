use lockstep_sdk::read_object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an estimator replies (SPEC TE-1).
#[derive(Deserialize)]
pub(crate) struct Axes {
    complexity: f64,
    risk: f64,
    impact: f64,
    #[serde(default)]
    rationale: Value,
}

/// What is kept of it (SPEC TE-2).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Estimate {
    complexity: f64,
    risk: f64,
    impact: f64,
    rationale: String,
    model: Option<String>,
    created_at: u64,
}

impl Axes {
    /// TE-1: from the first `{` to the last `}`; numbers are numbers, and clamped. One that is none rejects all.
    pub(crate) fn find(text: &str) -> Result<Self, String> {
        let json = match (text.find('{'), text.rfind('}')) {
            (Some(start), Some(end)) if start < end => &text[start..=end],
            _ => return Err("there is no JSON object in it".to_owned()),
        };
        let mut axes: Self = read_object(json)?;
        for value in [&mut axes.complexity, &mut axes.risk, &mut axes.impact] {
            *value = value.clamp(0.0, 1.0);
        }
        Ok(axes)
    }

    fn rationale(&self) -> &str {
        self.rationale.as_str().unwrap_or_default().trim()
    }

    /// `complexity 50 %, risk 20 %, impact 10 %: why`
    pub(crate) fn summary(&self) -> String {
        let percent = |value: f64| (value * 100.0 + 0.5) as u32;
        let [complexity, risk, impact] = [self.complexity, self.risk, self.impact].map(percent);
        let text = format!("complexity {complexity} %, risk {risk} %, impact {impact} %");
        match self.rationale() {
            "" => text,
            why => format!("{text}: {why}"),
        }
    }

    pub(crate) fn dated(&self, model: Option<String>, created_at: u64) -> Estimate {
        let Self { complexity, risk, impact, .. } = *self;
        Estimate { complexity, risk, impact, rationale: self.rationale().to_owned(), model, created_at }
    }
}
