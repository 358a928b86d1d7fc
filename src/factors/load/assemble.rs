//! From a draft to a registry: codes, ids and names become indexes, and what leads nowhere is an error.
//! Knows drafts, and no syntax of any file.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::DocumentErrors;
use crate::document::section::{nearest, shortened};
use crate::factors::any_case;
use crate::factors::hours::Hours;
use crate::factors::index::{Match, Meant, NameIndex, NamedModel, Scope};
use crate::factors::model::{Model, ModelId, ModelWarning, Precision, Speed, Tier};
use crate::factors::moment::{Moment, Validity};
use crate::factors::operator::Operator;
use crate::factors::place::{Facility, FacilityId};
use crate::factors::providers::Provider;
use crate::factors::registry::{Registry, TRACKER};
use crate::factors::sized::SizedModels;
use crate::factors::zone::ZoneId;
use crate::factors::{names, sized};
use crate::units::{LitresPerKwh, Pue, Range};

use super::draft::{Draft, KnownModel, Located, ModelEntry, Origin};
use super::ecologits;
use super::zones::{Zones, zones};

/// The id of the site that stands for one that nothing is known of.
const UNKNOWN_SITE: &str = "unknown";

/// Puts a draft together.
pub(super) fn assemble(mut draft: Draft, label: String) -> Result<Registry, DocumentErrors> {
    let zones = zones(&mut draft);
    let facilities = facilities(&mut draft, &zones);
    let mut models = Models::default();
    models.ecologits(&mut draft, &facilities);
    models.entries(&mut draft, &facilities);
    models.known(&mut draft);
    models.tracker(&draft);
    let fallbacks = models.fallbacks(&mut draft, &facilities);
    let regions = regions(&mut draft, &zones);
    let hours = hours(&mut draft, &zones);
    sources(&mut draft);
    scenarios(&mut draft);
    let unknown_facility = facilities.id(UNKNOWN_SITE);
    let world = zones.world();
    if draft.errors.is_empty() && (unknown_facility.is_none() || world.is_none()) {
        let message = "no site `unknown` or no grid `WOR`; write them, or load `builtin` first";
        draft.error(&Origin::of("registry"), "", message);
    }
    let (Some(unknown_facility), Some(world), true) = (unknown_facility, world, draft.errors.is_empty()) else {
        return Err(DocumentErrors(draft.errors));
    };
    Ok(Registry {
        label,
        sources: draft.sources.into_iter().map(|(id, source)| (id.into(), source.value)).collect(),
        models: models.models.into(),
        names: NameIndex::new(models.names),
        ecologits: NameIndex::new(models.ecologits),
        tracker: models.tracker.into_iter().collect(),
        fallbacks: fallbacks.into(),
        phase: draft.phase,
        zone_codes: zones.codes,
        zones: zones.zones,
        world,
        facilities: facilities.facilities.into(),
        unknown_facility,
        regions: regions.into(),
        hours,
        scenarios: draft.scenarios,
        operator: Operator::default(),
        sized: SizedModels::new(),
    })
}

/// Data centres in the making.
struct Facilities {
    facilities: Vec<Facility>,
}

impl Facilities {
    fn id(&self, id: &str) -> Option<FacilityId> {
        let at = self.facilities.iter().position(|facility| *facility.id == *id)?;
        u32::try_from(at).ok().map(FacilityId)
    }

    fn of(&self, provider: Provider) -> Option<FacilityId> {
        let at = self.facilities.iter().position(|facility| facility.provider == Some(provider))?;
        u32::try_from(at).ok().map(FacilityId)
    }
}

fn facilities(draft: &mut Draft, zones: &Zones) -> Facilities {
    let mut facilities = Vec::new();
    for row in std::mem::take(&mut draft.providers) {
        let origin = Origin::at(&draft.providers_file, &row.name);
        let (pue, wue): (_, _) = (ecologits::range::<Pue>(row.pue), ecologits::range::<LitresPerKwh>(row.wue));
        let (provider, zone) = (Provider::from_name(&row.name), zones.find(&row.location));
        let (Some(provider), Some(zone), Ok(pue), Ok(wue)) = (provider, zone, pue, wue) else {
            draft.error(&origin, "", "no data centre; write a provider of EcoLogits, a country, `pue` and `wue`");
            continue;
        };
        facilities.push(Facility {
            id: row.name.as_str().into(),
            provider: Some(provider),
            names: Box::default(),
            zone: Some(zone),
            pue,
            wue,
            source: "ecologits-0.11.3".into(),
        });
    }
    let usual = draft.sites.get(UNKNOWN_SITE).map(|site| (site.value.pue, site.value.wue));
    for (id, site) in draft.sites.clone() {
        let zone = site.value.zone.as_deref().and_then(|code| {
            let zone = zones.find(code);
            if zone.is_none() {
                draft.error(&site.origin, "zone", zones.unknown(code));
            }
            zone
        });
        let (pue, wue) = usual.unwrap_or_default();
        facilities.push(Facility {
            id: id.into(),
            provider: None,
            names: site.value.names.iter().map(|name| name.as_str().into()).collect(),
            zone,
            pue: site.value.pue.or(pue).unwrap_or(Range::exact(Pue::LEAST)),
            wue: site.value.wue.or(wue).unwrap_or(Range::exact(LitresPerKwh::LEAST)),
            source: site.value.sources.first().map_or("", String::as_str).into(),
        });
    }
    Facilities { facilities }
}

/// Models in the making, with the names that find them.
#[derive(Default)]
struct Models {
    models: Vec<Model>,
    names: Vec<NamedModel>,
    ecologits: Vec<NamedModel>,
    tracker: BTreeMap<Box<str>, ModelId>,
}

impl Models {
    fn push(&mut self, model: Model) -> ModelId {
        let id = ModelId(u32::try_from(self.models.len()).unwrap_or(u32::MAX));
        self.models.push(model);
        id
    }

    /// The rows of EcoLogits with their names. A provider may have a name once only.
    fn ecologits(&mut self, draft: &mut Draft, facilities: &Facilities) {
        let file = std::mem::take(&mut draft.ecologits_file);
        let table = std::mem::take(&mut draft.ecologits);
        let mut by_name: BTreeMap<(Provider, &str), ModelId> = BTreeMap::new();
        for row in &table.models {
            let origin = Origin::at(&file, &format!("{}/{}", row.provider, row.name));
            match ecologits::model(row, &draft.own) {
                Ok(model) => {
                    let provider = model.provider;
                    let host = provider.and_then(|provider| facilities.of(provider));
                    let id = self.push(Model { host, ..model });
                    let twice = provider.and_then(|provider| by_name.insert((provider, &row.name), id));
                    if twice.is_some() {
                        draft.error(&origin, "", "the model stands twice; write it once");
                    }
                }
                Err(reason) => draft.error(&origin, "", reason),
            }
        }
        let rows = by_name.iter().map(|((provider, name), id)| self.row_name((name, *provider), *id, draft));
        let mut named: Vec<NamedModel> = rows.flatten().collect();
        for alias in &table.aliases {
            let provider = Provider::from_name(&alias.provider);
            let found = provider.and_then(|provider| Some((provider, *by_name.get(&(provider, &*alias.alias))?)));
            let origin = Origin::at(&file, &alias.name);
            match found {
                None => draft.error(&origin, "", "an alias of no model; write the name of a model"),
                Some((provider, _)) if by_name.contains_key(&(provider, &*alias.name)) => {
                    draft.error(&origin, "", "an alias that is a model's own name; remove it");
                }
                Some((provider, id)) => {
                    let row = self.row_name((&alias.name, provider), id, draft);
                    // Also where it is as short as the id: the maker's own name has a date.
                    named.extend(row.map(|row| NamedModel { matched: Match::Alias, ..row }));
                }
            }
        }
        self.ecologits = named;
        self.names = self.ecologits.clone();
        let valid = |entry: &NamedModel| valid_from(entry, draft);
        for at in 0..self.names.len() {
            if let Some(validity) = self.names.get(at).and_then(valid) {
                self.names[at].valid = validity;
            }
        }
    }

    fn row_name(&self, (name, provider): (&str, Provider), id: ModelId, draft: &Draft) -> Option<NamedModel> {
        let model = self.models.get(id.0 as usize)?;
        Some(NamedModel {
            name: name.into(),
            provider: Some(provider),
            model: id,
            id: model.id.clone(),
            is_released: model.is_released(),
            matched: ecologits::matched_by(name, &model.id),
            scope: ecologits::scope_of(name, provider, &draft.own),
            valid: Validity::default(),
        })
    }

    /// The entries of registry files; a name of an entry that they replace means nothing any more.
    fn entries(&mut self, draft: &mut Draft, facilities: &Facilities) {
        let replaced: BTreeSet<&str> = draft.models.keys().map(String::as_str).collect();
        let models = &self.models;
        self.names
            .retain(|entry| models.get(entry.model.0 as usize).is_some_and(|model| !replaced.contains(&*model.id)));
        for (id, entry) in std::mem::take(&mut draft.models) {
            let model = self.entry(&id, &entry, draft, facilities);
            for name in &entry.value.names {
                let named = NamedModel {
                    name: name.value.name.as_str().into(),
                    provider: name.value.provider,
                    model,
                    id: id.as_str().into(),
                    is_released: entry.value.is_released,
                    matched: ecologits::matched_by(&name.value.name, &id),
                    scope: name.value.scope,
                    valid: name.value.valid,
                };
                if let Some(other) = self.rival(&named) {
                    let message = format!(
                        "`{}` means `{other}` too; write it at one of them, or `valid` dates at both",
                        shortened(&name.value.name)
                    );
                    draft.error(&name.origin, "", message);
                }
                self.names.push(named);
            }
        }
    }

    /// Names of models that are known, for entries that there are and for models without one. A name that another
    /// table has already keeps its meaning.
    fn known(&mut self, draft: &mut Draft) {
        let mut of_id: BTreeMap<Box<str>, (ModelId, bool)> = BTreeMap::new();
        for (at, model) in (0..).map(ModelId).zip(&self.models) {
            let first = of_id.entry(model.id.clone()).or_insert((at, model.is_released()));
            // An entry goes before rows of EcoLogits, and of those the one without a date.
            if model.row.is_none() || model.id.ends_with(&*model.name) {
                *first = (at, model.is_released());
            }
        }
        let taken: BTreeSet<String> = self.names.iter().map(|entry| entry.name.to_ascii_lowercase()).collect();
        for (id, Located { value, .. }) in std::mem::take(&mut draft.known) {
            let (model, is_released) = match of_id.get(&*id) {
                Some(known) => *known,
                None => (self.push(known_model(&id, &value)), value.is_released),
            };
            for name in value.names.iter().filter(|name| !taken.contains(&name.name.to_ascii_lowercase())) {
                self.names.push(NamedModel {
                    name: name.name.as_str().into(),
                    provider: None,
                    model,
                    id: id.as_str().into(),
                    is_released,
                    matched: ecologits::matched_by(&name.name, &id),
                    scope: Scope::Anywhere,
                    valid: name.valid,
                });
            }
        }
    }

    /// The id of another model that has the name at the same provider and time.
    fn rival(&self, named: &NamedModel) -> Option<&str> {
        let is_rival = |other: &&NamedModel| {
            other.name.eq_ignore_ascii_case(&named.name)
                && other.provider == named.provider
                && other.model != named.model
                && other.valid.overlaps(&named.valid)
        };
        let rival = self.names.iter().find(is_rival)?;
        self.models.get(rival.model.0 as usize).map(Model::id)
    }

    fn entry(&mut self, id: &str, entry: &Located<ModelEntry>, draft: &mut Draft, facilities: &Facilities) -> ModelId {
        let Located { origin, value } = entry;
        let host = value.host.as_deref().and_then(|host| {
            let found = facilities.id(host);
            if found.is_none() {
                let known: Vec<&str> = facilities.facilities.iter().map(|facility| &*facility.id).collect();
                let cure = nearest(host, &known)
                    .map_or_else(|| "write it under `sites`".to_owned(), |near| format!("did you mean `{near}`?"));
                draft.error(origin, "host", format!("there is no site `{}`; {cure}", shortened(host)));
            }
            found
        });
        for source in &value.sources {
            check_source(source, origin, draft);
        }
        let warnings: &[ModelWarning] = if value.is_released { &[] } else { &[ModelWarning::ArchitectureNotReleased] };
        let name = id.split_once('/').map_or(id, |(_, name)| name);
        self.push(Model {
            id: id.into(),
            name: name.into(),
            kind: value.kind,
            provider: None,
            host,
            architecture: value.architecture,
            precision: value.precision,
            speed: value.speed,
            factor: value.factor.clone(),
            tier: value.tier,
            warnings: warnings.into(),
            sources: value.sources.iter().map(|source| source.as_str().into()).collect(),
            note: value.note.as_str().into(),
            row: None,
        })
    }

    fn fallbacks(&mut self, draft: &mut Draft, facilities: &Facilities) -> Vec<ModelId> {
        let entries = std::mem::take(&mut draft.fallbacks);
        entries.iter().map(|(id, entry)| self.entry(id, entry, draft, facilities)).collect()
    }

    /// The factors of the tracker's files, each a row with the id of the model that its name means.
    fn tracker(&mut self, draft: &Draft) {
        use crate::factors::factor::{Co2eFactor, Factor};
        use crate::factors::providers::ProviderHint;

        let index = NameIndex::new(self.names.clone());
        for (name, entry) in &draft.tracker {
            let known = index.resolve(name, ProviderHint::Unstated, None).and_then(|found| match found.meant {
                Meant::Model(id) => self.models.get(id.0 as usize),
                Meant::Size(_) => None,
            });
            let id = known.map_or_else(|| name.as_str().into(), |model| model.id.clone());
            let (kind, host) =
                known.map_or((crate::factors::model::ModelKind::Generative, None), |model| (model.kind, model.host));
            let model = self.push(Model {
                id,
                name: name.as_str().into(),
                kind,
                provider: None,
                host,
                architecture: None,
                precision: Precision::Full,
                speed: Speed::default(),
                factor: Some(Factor::Co2e(Co2eFactor {
                    per_input: entry.per_prompt_token,
                    per_output: entry.per_completion_token,
                    grid: "whatever its source took; the tracker's own factors took Western USA 2021, 322.167 g/kWh"
                        .into(),
                })),
                tier: Tier::E,
                warnings: Box::default(),
                sources: [entry.reference_url.as_str().into()].into(),
                note: Box::default(),
                row: Some(format!("{TRACKER}:{name}").into()),
            });
            self.tracker.insert(name.as_str().into(), model);
        }
    }
}

/// A model of which nothing is known but its name; open weights whose name says their size have an architecture.
fn known_model(id: &str, known: &KnownModel) -> Model {
    let plain = without_factor(id, known);
    let Some(size) = names::size_in(&plain.name).filter(|_| known.is_released) else { return plain };
    let sized = sized::model(&size);
    Model {
        architecture: sized.architecture,
        precision: sized.precision,
        factor: sized.factor,
        tier: sized.tier,
        sources: sized.sources,
        note: "its size is read from its name".into(),
        ..plain
    }
}

/// A model of which nothing is known but its name.
fn without_factor(id: &str, known: &KnownModel) -> Model {
    let warnings: &[ModelWarning] = if known.is_released { &[] } else { &[ModelWarning::ArchitectureNotReleased] };
    Model {
        id: id.into(),
        name: id.split_once('/').map_or(id, |(_, name)| name).into(),
        kind: known.kind,
        provider: None,
        host: None,
        architecture: None,
        precision: Precision::Full,
        speed: Speed::default(),
        factor: None,
        tier: Tier::E,
        warnings: warnings.into(),
        sources: Box::default(),
        note: "known by name; nobody has published or assumed what its calls take".into(),
        row: None,
    }
}

/// From when on gramtrace's own table says that a row's name means its model.
fn valid_from(entry: &NamedModel, draft: &Draft) -> Option<Validity> {
    let provider = entry.provider?;
    let row = draft.own.validity.iter().find(|row| row.provider == provider.name() && row.name == *entry.name)?;
    Some(Validity { from: Some(Moment::parse(&row.from)?), until: None })
}

fn regions(draft: &mut Draft, zones: &Zones) -> Vec<(Box<str>, ZoneId)> {
    let mut regions = Vec::new();
    for (region, Located { origin, value }) in std::mem::take(&mut draft.regions) {
        match zones.find_or_country(&value) {
            Some(zone) => regions.push((region.into(), zone)),
            None => draft.error(&origin, "", zones.unknown(&value)),
        }
    }
    regions.sort_by(|(one, _): &(Box<str>, ZoneId), (other, _)| any_case::cmp(one, other));
    regions
}

fn hours(draft: &mut Draft, zones: &Zones) -> Hours {
    let mut hours = Vec::new();
    let mut unknown = BTreeSet::new();
    for Located { origin, value } in std::mem::take(&mut draft.hours) {
        match zones.find(&value.zone) {
            Some(zone) => hours.push((zone, value.hour, value.co2e)),
            None if unknown.insert(value.zone.clone()) => draft.error(&origin, "zone", zones.unknown(&value.zone)),
            None => {}
        }
    }
    Hours::new(hours)
}

/// Whether what entries call their source is one.
fn sources(draft: &mut Draft) {
    let grids = draft.grids.values().map(|grid| (grid.origin.clone(), grid.value.sources.clone()));
    let sites = draft.sites.values().map(|site| (site.origin.clone(), site.value.sources.clone()));
    let all: Vec<(Origin, Vec<String>)> = grids.chain(sites).collect();
    for (origin, sources) in all {
        for source in sources {
            check_source(&source, &origin, draft);
        }
    }
}

fn check_source(source: &str, origin: &Origin, draft: &mut Draft) {
    if draft.sources.contains_key(source) || source.starts_with("https://") || source.starts_with("http://") {
        return;
    }
    let known: Vec<&str> = draft.sources.keys().map(String::as_str).collect();
    let cure = nearest(source, &known).map_or_else(
        || "write it under `sources`, or its address".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    draft.error(origin, "sources", format!("there is no source `{}`; {cure}", shortened(source)));
}

/// Links must lead somewhere, and not back.
fn scenarios(draft: &mut Draft) {
    let mut dangling = Vec::new();
    for link in draft.scenario_origins.values().flatten() {
        if draft.scenarios.get(&link.value).is_none() {
            let known: Vec<&str> = draft.scenarios.ids().collect();
            let cure = nearest(&link.value, &known)
                .map_or_else(|| "load its file as well".to_owned(), |near| format!("did you mean `{near}`?"));
            dangling.push((link.origin.clone(), format!("there is no scenario `{}`; {cure}", shortened(&link.value))));
        }
    }
    for (id, links) in &draft.scenario_origins {
        if let Some(cycle) = cycle_from(id, draft)
            && let Some(link) = links.first()
        {
            dangling
                .push((link.origin.clone(), format!("leads back to itself: {}; remove one link", cycle.join(" -> "))));
        }
    }
    for (origin, message) in dangling {
        draft.error(&origin, "", message);
    }
}

/// A way along links from a scenario back to itself; told only at the first of its scenarios, by id.
fn cycle_from<'d>(start: &'d str, draft: &'d Draft) -> Option<Vec<&'d str>> {
    let mut path = vec![start];
    let mut open: Vec<Vec<&str>> = vec![draft.scenarios.get(start)?.links()];
    let mut seen = BTreeSet::new();
    while let Some(links) = open.last_mut() {
        match links.pop() {
            Some(next) if next == start => {
                path.push(start);
                let is_first = path.iter().all(|id| *id >= start);
                return is_first.then_some(path);
            }
            Some(next) if seen.insert(next) => {
                path.push(next);
                open.push(draft.scenarios.get(next).map(|scenario| scenario.links()).unwrap_or_default());
            }
            Some(_) => {}
            None => {
                open.pop();
                path.pop();
            }
        }
    }
    None
}
