//! What the operator says about its own machines: sites, and deployments with the model behind them. Names in it are
//! those of a configuration; they are resolved against one registry.

use crate::units::{LitresPerKwh, Pue, Range};

use super::any_case;
use super::factor::EnergyFactor;
use super::model::ModelId;
use super::place::{Facility, FacilityId, SiteId};
use super::registry::Registry;
use super::zone::ZoneId;

/// The name of the site that holds where nothing better is known.
const DEFAULT_SITE: &str = "default";

/// What a configuration says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OperatorSettings {
    /// Sites by name; `default` is the one that holds where nothing better is known.
    pub sites: Vec<SiteSettings>,
    /// Deployments by the names that spans have for their models.
    pub deployments: Vec<DeploymentSettings>,
}

/// A place that the operator knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SiteSettings {
    /// Its name.
    pub name: String,
    /// The code of its zone.
    pub zone: Option<String>,
    /// Its PUE.
    pub pue: Option<Range<Pue>>,
    /// Its water use.
    pub wue: Option<Range<LitresPerKwh>>,
    /// Services (`service.name`) whose calls are computed there.
    pub services: Vec<String>,
}

/// A model under the operator's own name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeploymentSettings {
    /// The name that spans have.
    pub name: String,
    /// The model: a registry id, or a name that finds one.
    pub model: Option<String>,
    /// The site where it runs.
    pub site: Option<String>,
    /// What it was metered to take.
    pub energy: Option<EnergyFactor>,
}

/// What is wrong with the settings: the key below `sites` or `deployments`, and the cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct OperatorError {
    /// The key, with `::` between its parts.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// A site of one registry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Site {
    pub(super) zone: Option<ZoneId>,
    pub(super) facility: Option<FacilityId>,
}

/// A deployment of one registry.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    name: Box<str>,
    model: Option<ModelId>,
    ecologits_model: Option<ModelId>,
    tracker_model: Option<ModelId>,
    site: Option<SiteId>,
    energy: Option<EnergyFactor>,
}

/// What the operator said, resolved.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Operator {
    pub(super) sites: Box<[Site]>,
    pub(super) default_zone: Option<ZoneId>,
    pub(super) default_facility: Option<FacilityId>,
    services: Box<[(Box<str>, SiteId)]>,
    /// In the order of [`any_case::cmp`].
    deployments: Box<[Deployment]>,
}

impl Deployment {
    /// The name that spans have.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The model behind it.
    #[must_use]
    pub const fn model(&self) -> Option<ModelId> {
        self.model
    }

    /// The model behind it as EcoLogits knows it.
    #[must_use]
    pub const fn ecologits_model(&self) -> Option<ModelId> {
        self.ecologits_model
    }

    /// The model behind it as the tracker's file names it.
    #[must_use]
    pub const fn tracker_model(&self) -> Option<ModelId> {
        self.tracker_model
    }

    /// Where it runs.
    #[must_use]
    pub const fn site(&self) -> Option<SiteId> {
        self.site
    }

    /// What it was metered to take.
    #[must_use]
    pub const fn energy(&self) -> Option<&EnergyFactor> {
        self.energy.as_ref()
    }
}

impl Operator {
    pub(super) fn site_of_service(&self, service: &str) -> Option<SiteId> {
        self.services.iter().find(|(name, _)| **name == *service).map(|(_, site)| *site)
    }

    pub(super) fn deployment(&self, name: &str) -> Option<&Deployment> {
        let name = name.trim();
        let at = self.deployments.binary_search_by(|deployment| any_case::cmp(&deployment.name, name)).ok()?;
        self.deployments.get(at)
    }

    pub(super) const fn has_services(&self) -> bool {
        !self.services.is_empty()
    }

    pub(super) const fn has_deployments(&self) -> bool {
        !self.deployments.is_empty()
    }
}

impl Registry {
    /// The same registry with what the operator says about sites and deployments, instead of what was said before.
    ///
    /// # Errors
    /// Every [`OperatorError`]: zones, models and sites that are not there.
    pub fn furnished(mut self, settings: &OperatorSettings) -> Result<Self, Vec<OperatorError>> {
        let mut errors = Vec::new();
        let mut operator = Operator::default();
        let (mut sites, mut services) = (Vec::new(), Vec::new());
        for (id, settings) in (0..).map(SiteId).zip(&settings.sites) {
            let site = self.site(settings, &mut errors);
            if settings.name == DEFAULT_SITE {
                (operator.default_zone, operator.default_facility) = (site.zone, site.facility);
            }
            for service in &settings.services {
                if services.iter().any(|(known, _): &(Box<str>, SiteId)| **known == **service) {
                    let path = format!("sites::{}::services", settings.name);
                    let message = format!("`{service}` has a site already; write it at one site");
                    errors.push(OperatorError { path, message });
                }
                services.push((service.as_str().into(), id));
            }
            sites.push(site);
        }
        let names: Vec<&str> = settings.sites.iter().map(|site| site.name.as_str()).collect();
        let mut deployments: Vec<_> =
            settings.deployments.iter().map(|settings| self.deployment_of(settings, &names, &mut errors)).collect();
        deployments.sort_by(|one, other| any_case::cmp(&one.name, &other.name));
        for twice in deployments.windows(2).filter(|pair| pair[0].name.eq_ignore_ascii_case(&pair[1].name)) {
            let message = format!("differs from `{}` in case only; write one of them", twice[1].name);
            errors.push(OperatorError { path: format!("deployments::{}", twice[0].name), message });
        }
        operator.sites = sites.into();
        operator.services = services.into();
        operator.deployments = deployments.into();
        self.operator = operator;
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }

    fn site(&mut self, settings: &SiteSettings, errors: &mut Vec<OperatorError>) -> Site {
        let zone = settings.zone.as_deref().and_then(|code| {
            let zone = self.zone_by_code(code);
            if zone.is_none() {
                let path = format!("sites::{}::zone", settings.name);
                errors.push(OperatorError { path, message: self.unknown_zone(code) });
            }
            zone
        });
        Site { zone, facility: self.site_facility(settings, zone) }
    }

    /// A data centre of its own, where the site says anything about one.
    fn site_facility(&mut self, settings: &SiteSettings, zone: Option<ZoneId>) -> Option<FacilityId> {
        if settings.pue.is_none() && settings.wue.is_none() {
            return None;
        }
        let usual = self.facility(self.unknown_facility)?;
        let facility = Facility {
            id: settings.name.as_str().into(),
            provider: None,
            names: Box::default(),
            zone,
            pue: settings.pue.unwrap_or(usual.pue),
            wue: settings.wue.unwrap_or(usual.wue),
            source: "configuration".into(),
        };
        let id = u32::try_from(self.facilities.len()).ok().map(FacilityId)?;
        let mut facilities = std::mem::take(&mut self.facilities).into_vec();
        facilities.push(facility);
        self.facilities = facilities.into();
        Some(id)
    }

    fn deployment_of(
        &self,
        settings: &DeploymentSettings,
        sites: &[&str],
        errors: &mut Vec<OperatorError>,
    ) -> Deployment {
        let mut error = |key: &str, message: String| {
            errors.push(OperatorError { path: format!("deployments::{}::{key}", settings.name), message });
        };
        let model = settings.model.as_deref();
        let found =
            model.and_then(|model| self.model_by_id(model).or_else(|| Some(self.resolve(model, None, None)?.model)));
        if let (Some(model), None) = (model, found) {
            error("model", self.unknown_model(model));
        }
        let ecologits_model = model.and_then(|model| {
            let same_id = found.and_then(|id| self.model(id)).and_then(|model| self.ecologits_row_of(model.id()));
            self.resolve_ecologits(model, None).map(|resolution| resolution.model).or(same_id)
        });
        let tracker_model = model.and_then(|model| self.tracker(model));
        let site = settings.site.as_deref().and_then(|name| {
            let at = sites.iter().position(|known| *known == name).and_then(|at| u32::try_from(at).ok());
            if at.is_none() {
                error("site", format!("there is no site `{name}`; write it under `sites`, or remove it here"));
            }
            at.map(SiteId)
        });
        Deployment {
            name: settings.name.trim().into(),
            model: found,
            ecologits_model,
            tracker_model,
            site,
            energy: settings.energy,
        }
    }
}
