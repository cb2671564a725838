//! What was measured, as rows of JSON: one figure each, with what it is compared with and what it should be.

use std::{num::ParseFloatError, time::Duration};

use serde::Serialize;

/// One figure.
#[derive(Serialize)]
pub(crate) struct Row {
    part: &'static str,
    name: String,
    value: f64,
    unit: &'static str,
    spread: Option<f64>,
    ratio_to: Option<&'static str>,
    ratio: Option<f64>,
    target: Option<String>,
    holds: Option<bool>,
}

impl Row {
    /// A figure that is as it is.
    pub(crate) fn new(part: &'static str, name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            part,
            name: name.into(),
            value,
            unit,
            spread: None,
            ratio_to: None,
            ratio: None,
            target: None,
            holds: None,
        }
    }

    /// How far from the value half of all measurements lie.
    pub(crate) fn spread(self, spread: f64) -> Self {
        Self {
            spread: Some(spread),
            ..self
        }
    }

    /// It should be less than this.
    pub(crate) fn below(self, limit: f64) -> Self {
        let (value, unit) = (self.value, self.unit);
        Self {
            ratio_to: Some("target"),
            ratio: Some(value / limit),
            target: Some(format!("below {limit} {unit}")),
            holds: Some(value < limit),
            ..self
        }
    }

    /// It is so many times what it is compared with.
    pub(crate) fn ratio(self, to: &'static str, ratio: f64) -> Self {
        Self {
            ratio_to: Some(to),
            ratio: Some(ratio),
            ..self
        }
    }

    /// The ratio should be no more than this.
    pub(crate) fn ratio_at_most(self, limit: f64) -> Self {
        Self {
            target: Some(format!("at most {limit}")),
            holds: self.ratio.map(|ratio| ratio <= limit),
            ..self
        }
    }

    /// The ratio should be no less than this.
    pub(crate) fn ratio_at_least(self, limit: f64) -> Self {
        Self {
            target: Some(format!("at least {limit}")),
            holds: self.ratio.map(|ratio| ratio >= limit),
            ..self
        }
    }

    /// It should be no less than this.
    pub(crate) fn at_least(self, limit: f64) -> Self {
        let (value, unit) = (self.value, self.unit);
        Self {
            ratio_to: Some("target"),
            ratio: Some(value / limit),
            target: Some(format!("at least {limit} {unit}")),
            holds: Some(value >= limit),
            ..self
        }
    }

    /// It should be no more than this.
    pub(crate) fn at_most(self, limit: f64) -> Self {
        let (value, unit) = (self.value, self.unit);
        Self {
            ratio_to: Some("target"),
            ratio: Some(value / limit),
            target: Some(format!("at most {limit} {unit}")),
            holds: Some(value <= limit),
            ..self
        }
    }
}

/// A time as it is given to a benchmark: seconds, with a fraction if need be.
pub(crate) fn seconds(text: &str) -> Result<Duration, ParseFloatError> {
    Ok(Duration::try_from_secs_f64(text.parse()?).unwrap_or_default())
}

/// The median, and how far from it half of all lie.
pub(crate) fn middle(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |quarter: usize| {
        values
            .get(values.len() * quarter / 4)
            .copied()
            .unwrap_or_default()
    };
    (at(2), (at(3) - at(1)) / 2.0)
}
