//! Scenarios of the carbon footprint modeling tool, as its files describe them: components with what they consume and
//! what that emits, links to other scenarios, and nested ones. Knows no totals: those are computed elsewhere.
//! <https://github.com/borisruf/carbon-footprint-modeling-tool>

use std::collections::BTreeMap;

/// Every scenario and every source of emissions that was loaded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scenarios {
    pub(super) by_id: BTreeMap<Box<str>, Scenario>,
    pub(super) sources: BTreeMap<Box<str>, EmissionSource>,
}

/// What is added up.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scenario {
    /// What it is called.
    pub title: Box<str>,
    /// Its parts, scope after scope.
    pub items: Vec<ScenarioItem>,
}

/// A part of a scenario, so many times.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioItem {
    /// How often.
    pub quantity: f64,
    /// What.
    pub what: ScenarioPart,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq)]
pub enum ScenarioPart {
    /// Something that consumes what a source emits for.
    Component {
        /// Units of the source that one unit of the component consumes; 1 where it is the source itself.
        consumption: f64,
        /// What emits.
        source: EmissionSource,
    },
    /// Another scenario, by its id.
    Link(Box<str>),
    /// A scenario of its own.
    Nested(Scenario),
}

/// What one unit of an energy or material emits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EmissionSource {
    /// `electricity`, `diesel`, ..: sources of one kind can stand for each other.
    pub kind: Box<str>,
    /// Kilograms per unit, by gas: `co2e`, `co2`, `ch4`, `n2o`.
    pub emissions_kg: BTreeMap<Box<str>, f64>,
}

impl Scenarios {
    /// The scenario with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Scenario> {
        self.by_id.get(id)
    }

    /// The source with this id.
    #[must_use]
    pub fn source(&self, id: &str) -> Option<&EmissionSource> {
        self.sources.get(id)
    }

    /// The ids of all scenarios, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(AsRef::as_ref)
    }
}

impl Scenario {
    /// The ids of all scenarios that it links to, nested ones included.
    pub(super) fn links(&self) -> Vec<&str> {
        let mut links = Vec::new();
        for item in &self.items {
            match &item.what {
                ScenarioPart::Component { .. } => {}
                ScenarioPart::Link(id) => links.push(&**id),
                ScenarioPart::Nested(scenario) => links.extend(scenario.links()),
            }
        }
        links
    }
}
