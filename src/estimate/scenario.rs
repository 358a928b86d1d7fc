//! Totals of scenarios of the carbon footprint modeling tool: quantities times what is consumed times what that emits.
//! Knows the scenarios, and no file.

use std::collections::BTreeMap;

use crate::factors::{EmissionSource, Scenario, ScenarioPart, Scenarios};

/// Deeper than any chain of scenarios.
const MAX_DEPTH: usize = 64;

/// Kilograms by gas. Only gases that every part has can be added up.
pub type Totals = BTreeMap<String, f64>;

/// Why there is no total.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// No such scenario.
    #[error("there is no scenario `{0}`; load its file")]
    NoScenario(String),
    /// No such source.
    #[error("there is no source `{0}`; load the file of sources")]
    NoSource(String),
    /// Links or nested scenarios without an end.
    #[error("scenarios are nested deeper than 64 levels at `{0}`; take levels out")]
    TooDeep(String),
}

/// The totals of a scenario, so many times; where a source is given, it stands in place of every source of its kind.
///
/// By hand: a token of GPT-3 is 2.5 times a token of Llama 2 70B, which takes 3.05000793e-6 kWh at 0.322167 kg/kWh, so
/// 150 tokens are 150 x 2.5 x 3.05000793e-6 x 0.322167 = 3.68479e-4 kg.
/// ```
/// use gramtrace::estimate::scenario::totals;
/// use gramtrace::factors::{Registry, RegistryFile};
///
/// let token = r#"{"title": "Llama 2", "scopes": [{"list": [{"type": "component", "quantity": "1",
///     "consumer": {"consumptions": {"electricity": {"value": "0.00000305000793", "unit": "kWh", "base_unit": "token"}}},
///     "source": {"type": "electricity", "emissions": {"co2e": {"value": "0.322167", "unit": "kg", "base_unit": "kWh"}}}}]}]}"#;
/// let gpt = r#"{"title": "GPT-3", "scopes": [{"list": [{"type": "link", "quantity": 2.5, "scenario_id": "llama2"}]}]}"#;
/// let mut files = RegistryFile::builtin();
/// files.push(RegistryFile::new("llama2.json", token.as_bytes()));
/// files.push(RegistryFile::new("gpt.json", gpt.as_bytes()));
/// let registry = Registry::load(&files)?;
/// let totals = totals(registry.scenarios(), "gpt", 150.0, None)?;
/// assert!((totals["co2e"] / 3.68479e-4 - 1.0).abs() < 1e-5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ScenarioError`] for ids that are not there, and for nesting without an end.
pub fn totals(scenarios: &Scenarios, id: &str, quantity: f64, source: Option<&str>) -> Result<Totals, ScenarioError> {
    let instead = match source {
        Some(source) => Some(scenarios.source(source).ok_or_else(|| ScenarioError::NoSource(source.to_owned()))?),
        None => None,
    };
    let scenario = scenarios.get(id).ok_or_else(|| ScenarioError::NoScenario(id.to_owned()))?;
    let mut sum = Sum { scenarios, instead, totals: None };
    sum.add(id, scenario, quantity, 0)?;
    Ok(sum.totals.unwrap_or_default())
}

struct Sum<'s> {
    scenarios: &'s Scenarios,
    instead: Option<&'s EmissionSource>,
    totals: Option<Totals>,
}

impl Sum<'_> {
    fn add(&mut self, id: &str, scenario: &Scenario, quantity: f64, depth: usize) -> Result<(), ScenarioError> {
        if depth > MAX_DEPTH {
            return Err(ScenarioError::TooDeep(id.to_owned()));
        }
        for item in &scenario.items {
            let quantity = quantity * item.quantity;
            match &item.what {
                ScenarioPart::Component { consumption, source } => self.component(quantity * consumption, source),
                ScenarioPart::Nested(inner) => self.add(id, inner, quantity, depth + 1)?,
                ScenarioPart::Link(link) => {
                    let scenarios = self.scenarios;
                    let linked = scenarios.get(link).ok_or_else(|| ScenarioError::NoScenario(link.to_string()))?;
                    self.add(link, linked, quantity, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn component(&mut self, consumed: f64, source: &EmissionSource) {
        let source = self.instead.filter(|instead| instead.kind == source.kind).unwrap_or(source);
        let emitted = |gas: &str| Some(consumed * source.emissions_kg.get(gas)?);
        match &mut self.totals {
            None => {
                self.totals =
                    Some(source.emissions_kg.keys().filter_map(|gas| Some((gas.to_string(), emitted(gas)?))).collect());
            }
            Some(totals) => {
                totals.retain(|gas, total| match emitted(gas) {
                    Some(more) => {
                        *total += more;
                        true
                    }
                    None => false,
                });
            }
        }
    }
}
