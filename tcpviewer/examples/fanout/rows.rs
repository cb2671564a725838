//! What was measured, as rows of JSON: one figure each, with what it should be.

use serde::Serialize;

/// One figure.
#[derive(Serialize)]
pub(crate) struct Row {
    part: &'static str,
    name: String,
    value: f64,
    unit: &'static str,
    ratio_to: Option<&'static str>,
    ratio: Option<f64>,
    target: Option<String>,
    holds: Option<bool>,
}

impl Row {
    /// A figure that is as it is.
    pub(crate) fn new(name: String, value: f64, unit: &'static str) -> Self {
        Self {
            part: "fanout",
            name,
            value,
            unit,
            ratio_to: None,
            ratio: None,
            target: None,
            holds: None,
        }
    }

    /// A figure that should be no more than this.
    pub(crate) fn at_most(name: String, value: f64, unit: &'static str, limit: f64) -> Self {
        Self {
            ratio_to: Some("target"),
            ratio: Some(value / limit),
            target: Some(format!("at most {limit} {unit}")),
            holds: Some(value <= limit),
            ..Self::new(name, value, unit)
        }
    }
}
