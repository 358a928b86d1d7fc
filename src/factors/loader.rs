//! From data files to a registry: shapes become checked values, names become ids, and anything wrong is told with file
//! and entry. Runs once at start; the files are built in.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::units::{
    BillionParameters, GramsPerKwh, GramsSbEqPerKwh, LitresPerKwh, MegajoulesPerKwh, Pue, Quantity, QuantityError,
    Range,
};

use super::any_case;
use super::dates;
use super::index::{Match, NameIndex, NamedModel, Scope};
use super::model::{Architecture, ArchitectureKind, Deployment, Model, ModelId, ModelWarning, ParameterRange};
use super::place::Facility;
use super::providers::Provider;
use super::registry::{ECOLOGITS, Registry};
use super::tables::{
    AliasRow, ArchitectureRow, DeploymentRow, MixRow, MixesTable, ModelRow, ModelsTable, NumberOrRange, ProviderRow,
    ProvidersTable, RegionsTable, RegistryTable, ScopeRow,
};
use super::zone::{Zone, ZoneId, ZoneWarning};

/// Why no registry could be made of the files.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RegistryError {
    /// The file is no JSON, or not of its shape.
    #[error("{file}: {reason}")]
    Malformed {
        /// The file.
        file: &'static str,
        /// What is wrong, with line and column.
        reason: String,
    },
    /// An entry says something impossible.
    #[error("{file}: {entry}: {reason}")]
    Entry {
        /// The file.
        file: &'static str,
        /// The entry.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A built-in file.
struct DataFile {
    name: &'static str,
    text: &'static str,
}

const MODELS: DataFile =
    DataFile { name: "ecologits/models.json", text: include_str!("../../config/factors/ecologits/models.json") };
const MIXES: DataFile = DataFile {
    name: "ecologits/electricity_mixes.json",
    text: include_str!("../../config/factors/ecologits/electricity_mixes.json"),
};
const PROVIDERS: DataFile =
    DataFile { name: "ecologits/providers.json", text: include_str!("../../config/factors/ecologits/providers.json") };
const REGIONS: DataFile = DataFile { name: "regions.json", text: include_str!("../../config/factors/regions.json") };
const REGISTRY: DataFile = DataFile { name: "registry.json", text: include_str!("../../config/factors/registry.json") };

/// What has the world's average, by EcoLogits' name.
const WORLD: &str = "WOR";

pub(super) fn builtin() -> Result<Registry, RegistryError> {
    let own: RegistryTable = parse(&REGISTRY)?;
    let zones = zones(parse::<MixesTable>(&MIXES)?.electricity_mixes)?;
    let facilities = facilities(parse::<ProvidersTable>(&PROVIDERS)?.providers, &zones)?;
    let regions = regions(&parse(&REGIONS)?, &zones)?;
    let ModelsTable { aliases, models: rows } = parse(&MODELS)?;
    let models = rows.into_iter().map(|row| model(row, &own)).collect::<Result<Vec<_>, _>>()?;
    let names = NameIndex::new(names(&models, &aliases, &own)?);
    Ok(Registry {
        label: label(&own.version, &[MODELS, MIXES, PROVIDERS, REGIONS, REGISTRY]),
        models: models.into(),
        world: zone_id(&zones, WORLD).ok_or_else(|| entry(&MIXES, WORLD, "the world is missing"))?,
        zones: zones.into(),
        facilities: facilities.into(),
        names,
        regions: regions.into(),
    })
}

fn parse<T: DeserializeOwned>(file: &DataFile) -> Result<T, RegistryError> {
    serde_json::from_str(file.text)
        .map_err(|error| RegistryError::Malformed { file: file.name, reason: error.to_string() })
}

/// Names and lengths are hashed too, so that no two sets of files run together to the same bytes.
fn label(version: &str, files: &[DataFile]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(format!("{}\n{}\n", file.name, file.text.len()));
        hash.update(file.text);
    }
    let digest = hash.finalize();
    let head: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{version}+{head}")
}

fn entry(file: &DataFile, name: &str, reason: impl ToString) -> RegistryError {
    RegistryError::Entry { file: file.name, entry: name.to_owned(), reason: reason.to_string() }
}

fn zones(rows: Vec<MixRow>) -> Result<Vec<Zone>, RegistryError> {
    let mut zones = rows.into_iter().map(zone).collect::<Result<Vec<_>, _>>()?;
    zones.sort_by(|one, other| one.code.cmp(&other.code));
    if let Some(twice) = zones.windows(2).find(|pair| pair[0].code == pair[1].code) {
        return Err(entry(&MIXES, &twice[0].code, "the zone stands twice"));
    }
    Ok(zones)
}

fn zone(row: MixRow) -> Result<Zone, RegistryError> {
    let wrong = |error: QuantityError| entry(&MIXES, &row.name, error);
    Ok(Zone {
        co2e: GramsPerKwh::new(row.gwp * 1000.0).map_err(wrong)?,
        adpe: GramsSbEqPerKwh::new(row.adpe * 1000.0).map_err(wrong)?,
        primary_energy: MegajoulesPerKwh::new(row.pe).map_err(wrong)?,
        water: LitresPerKwh::new(row.wue).map_err(wrong)?,
        warnings: row
            .warnings
            .iter()
            .flatten()
            .map(|name| ZoneWarning::ALL.into_iter().find(|warning| warning.name() == name))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| entry(&MIXES, &row.name, "a warning is not known"))?
            .into(),
        code: row.name.into(),
    })
}

fn zone_id(zones: &[Zone], code: &str) -> Option<ZoneId> {
    let at = zones.binary_search_by(|zone| (*zone.code).cmp(code)).ok()?;
    u32::try_from(at).ok().map(ZoneId)
}

fn facilities(rows: Vec<ProviderRow>, zones: &[Zone]) -> Result<Vec<Facility>, RegistryError> {
    let facilities = rows.iter().map(|row| facility(row, zones)).collect::<Result<Vec<_>, _>>()?;
    for provider in Provider::ALL {
        if facilities.iter().filter(|facility| facility.provider == provider).count() != 1 {
            return Err(entry(&PROVIDERS, provider.name(), "the provider must stand exactly once"));
        }
    }
    Ok(facilities)
}

fn facility(row: &ProviderRow, zones: &[Zone]) -> Result<Facility, RegistryError> {
    let wrong = |error: QuantityError| entry(&PROVIDERS, &row.name, error);
    Ok(Facility {
        provider: Provider::from_name(&row.name)
            .ok_or_else(|| entry(&PROVIDERS, &row.name, "the provider is not known"))?,
        zone: zone_id(zones, &row.location)
            .ok_or_else(|| entry(&PROVIDERS, &row.name, "the location has no electricity mix"))?,
        pue: range(row.pue, Pue::new).map_err(wrong)?,
        wue: range(row.wue, LitresPerKwh::new).map_err(wrong)?,
    })
}

fn range<T: Quantity>(
    ends: NumberOrRange,
    new: impl Fn(f64) -> Result<T, QuantityError>,
) -> Result<Range<T>, QuantityError> {
    let (min, max) = ends.ends();
    Ok(Range::between(new(min)?, new(max)?))
}

fn regions(table: &RegionsTable, zones: &[Zone]) -> Result<Vec<(Box<str>, ZoneId)>, RegistryError> {
    let of_clouds = table.clouds.iter().flat_map(|cloud| &cloud.regions);
    let mut regions = of_clouds
        .chain(&table.areas.countries)
        .map(|(region, country)| {
            let zone = zone_id(zones, country)
                .ok_or_else(|| entry(&REGIONS, region, format_args!("no electricity mix for {country}")))?;
            Ok((region.as_str().into(), zone))
        })
        .collect::<Result<Vec<(Box<str>, ZoneId)>, RegistryError>>()?;
    regions.sort_by(|(one, _), (other, _)| any_case::cmp(one, other));
    if let Some(twice) = regions.windows(2).find(|pair| pair[0].0.eq_ignore_ascii_case(&pair[1].0)) {
        return Err(entry(&REGIONS, &twice[0].0, "the region stands twice"));
    }
    Ok(regions)
}

fn model(row: ModelRow, own: &RegistryTable) -> Result<Model, RegistryError> {
    let wrong = |reason: String| entry(&MODELS, &format!("{}/{}", row.provider, row.name), reason);
    let provider = Provider::from_name(&row.provider).ok_or_else(|| wrong("the provider is not known".to_owned()))?;
    let sources: Box<[Box<str>]> = row.sources.iter().flatten().map(|source| source.as_str().into()).collect();
    if sources.is_empty() {
        return Err(wrong("no source, no factor".to_owned()));
    }
    Ok(Model {
        id: registry_id(provider, &row.name, own).ok_or_else(|| wrong("its maker is not known".to_owned()))?.into(),
        factor_id: format!("{ECOLOGITS}:{}/{}", row.provider, row.name).into(),
        provider,
        architecture: architecture(&row.architecture).map_err(wrong)?,
        deployment: deployment(row.deployment.as_ref()).map_err(wrong)?,
        warnings: row
            .warnings
            .iter()
            .flatten()
            .map(|name| ModelWarning::ALL.into_iter().find(|warning| warning.name() == name))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| wrong("a warning is not known".to_owned()))?
            .into(),
        sources,
        name: row.name.into(),
    })
}

/// `<maker>/<name>`: what the registry's own table says, else the row's name, lower case and without its date.
fn registry_id(provider: Provider, name: &str, own: &RegistryTable) -> Option<String> {
    let identities = own.identities.iter().filter(|identities| identities.provider == provider.name());
    if let Some(id) = identities.into_iter().find_map(|identities| identities.names.get(name)) {
        return Some(id.clone());
    }
    let (maker, name) = if provider == Provider::HuggingFace {
        let (organisation, name) = name.split_once('/')?;
        (own.makers.organisations.get(organisation).map_or(organisation, String::as_str), name)
    } else {
        let maker = own.makers.providers.get(provider.name())?;
        (maker.as_str(), dates::without_date(name).unwrap_or(name))
    };
    Some(format!("{maker}/{name}").to_ascii_lowercase())
}

fn architecture(row: &ArchitectureRow) -> Result<Architecture, String> {
    Ok(match row {
        ArchitectureRow::Dense(parameters) => {
            let all = parameter_range(*parameters)?;
            Architecture { kind: ArchitectureKind::Dense, active: all, total: all }
        }
        ArchitectureRow::Moe { total, active } => Architecture {
            kind: ArchitectureKind::MixtureOfExperts,
            active: parameter_range(*active)?,
            total: parameter_range(*total)?,
        },
    })
}

fn parameter_range(ends: NumberOrRange) -> Result<ParameterRange, String> {
    // A thousand times the largest model there is: more is a slip of units, and would not be computed in sensible time.
    const MOST_BILLIONS: f64 = 1e7;
    let (min, max) = ends.ends();
    if !(min > 0.0 && min <= max && max <= MOST_BILLIONS) {
        return Err(format!("{min} to {max} billion parameters is no size of a model"));
    }
    let count = |number| BillionParameters::new(number).map_err(|error| error.to_string());
    Ok(ParameterRange { min: count(min)?, max: count(max)? })
}

fn deployment(row: Option<&DeploymentRow>) -> Result<Deployment, String> {
    let Some(row) = row else { return Ok(Deployment::default()) };
    match (row.tps, row.ttft) {
        (Some(tps), _) if !(tps.is_finite() && tps > 0.0) => Err(format!("{tps} tokens a second is no speed")),
        (_, Some(ttft)) if !(ttft.is_finite() && ttft >= 0.0) => Err(format!("{ttft} s to the first token is no time")),
        (tokens_per_s, first_token_s) => Ok(Deployment { tokens_per_s, first_token_s }),
    }
}

/// Every name of every model. A provider may have a name once only.
fn names(models: &[Model], aliases: &[AliasRow], own: &RegistryTable) -> Result<Vec<NamedModel>, RegistryError> {
    let mut by_row = BTreeMap::new();
    for (id, model) in (0..).map(ModelId).zip(models) {
        if by_row.insert((model.provider, model.name.to_string()), (id, model)).is_some() {
            return Err(entry(&MODELS, &model.factor_id, "the model stands twice"));
        }
    }
    let mut names: Vec<_> = by_row.values().map(|(id, model)| named(&model.name, *id, model, own)).collect();
    for alias in aliases {
        let found = Provider::from_name(&alias.provider)
            .and_then(|provider| by_row.get(&(provider, alias.alias.clone())))
            .ok_or_else(|| entry(&MODELS, &alias.name, "an alias of no model"))?;
        if by_row.contains_key(&(found.1.provider, alias.name.clone())) {
            return Err(entry(&MODELS, &alias.name, "an alias that is a model's own name"));
        }
        names.push(named(&alias.name, found.0, found.1, own));
    }
    Ok(names)
}

fn named(name: &str, id: ModelId, model: &Model, own: &RegistryTable) -> NamedModel {
    let own_name = model.id.split_once('/').map_or("", |(_, own_name)| own_name);
    let matched = if model.provider == Provider::HuggingFace {
        Match::PlatformId
    } else if own_name.eq_ignore_ascii_case(name) {
        Match::Exact
    } else if dates::is_dated(name) {
        Match::DatedSnapshot
    } else {
        Match::Alias
    };
    let scope = own
        .scopes
        .iter()
        .filter(|scopes| scopes.provider == model.provider.name())
        .find(|scopes| scopes.names.iter().any(|listed| listed == name))
        .map_or(Scope::Anywhere, |scopes| match scopes.only {
            ScopeRow::Provider => Scope::Provider,
            ScopeRow::Unstated => Scope::ProviderOrUnstated,
        });
    NamedModel { name: name.into(), provider: model.provider, model: id, maker: model.maker().into(), matched, scope }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixes(json: &str) -> Result<Vec<Zone>, RegistryError> {
        zones(serde_json::from_str::<MixesTable>(json).unwrap().electricity_mixes)
    }

    fn model_with(architecture: &str, sources: &str, tps: &str) -> Result<Model, RegistryError> {
        let row = format!(
            r#"{{"provider": "openai", "name": "gpt-x", "architecture": {architecture}, "warnings": null,
                "sources": {sources}, "deployment": {{"tps": {tps}, "ttft": null}}}}"#
        );
        model(serde_json::from_str(&row).unwrap(), &parse(&REGISTRY).unwrap())
    }

    fn reason<T: std::fmt::Debug>(result: Result<T, RegistryError>) -> String {
        result.unwrap_err().to_string()
    }

    const ZONE: &str = r#"{"name": "AAA", "adpe": 1e-8, "pe": 2, "gwp": 0.5, "wue": 3, "warnings": null}"#;

    #[test]
    fn a_zone_twice_is_refused() {
        let twice = format!(r#"{{"electricity_mixes": [{ZONE}, {ZONE}]}}"#);
        assert_eq!(reason(mixes(&twice)), "ecologits/electricity_mixes.json: AAA: the zone stands twice");
    }

    #[test]
    fn a_negative_intensity_is_refused() {
        let negative = format!(r#"{{"electricity_mixes": [{}]}}"#, ZONE.replace("0.5", "-0.5"));
        assert_eq!(reason(mixes(&negative)), "ecologits/electricity_mixes.json: AAA: -500 is less than 0");
    }

    #[test]
    fn a_factor_without_a_source_is_refused() {
        let dense = r#"{"type": "dense", "parameters": 7}"#;
        assert!(model_with(dense, r#"["https://example.com"]"#, "50").is_ok());
        for none in ["null", "[]"] {
            let refused = reason(model_with(dense, none, "50"));
            assert_eq!(refused, "ecologits/models.json: openai/gpt-x: no source, no factor");
        }
    }

    #[test]
    fn an_impossible_size_or_speed_is_refused() {
        let sources = r#"["https://example.com"]"#;
        let dense = r#"{"type": "dense", "parameters": 7}"#;
        let moe = r#"{"type": "moe", "parameters": {"total": 9, "active": {"min": 3, "max": 2}}}"#;
        let size = reason(model_with(moe, sources, "50"));
        assert_eq!(size, "ecologits/models.json: openai/gpt-x: 3 to 2 billion parameters is no size of a model");
        let speed = reason(model_with(dense, sources, "0"));
        assert_eq!(speed, "ecologits/models.json: openai/gpt-x: 0 tokens a second is no speed");
    }

    #[test]
    fn an_alias_of_no_model_is_refused() {
        let alias = AliasRow { provider: "openai".into(), name: "gpt-y".into(), alias: "gpt-x".into() };
        let refused = reason(names(&[], &[alias], &parse(&REGISTRY).unwrap()));
        assert_eq!(refused, "ecologits/models.json: gpt-y: an alias of no model");
    }

    #[test]
    fn every_identity_and_scope_is_of_a_row_that_exists() {
        let own: RegistryTable = parse(&REGISTRY).unwrap();
        let rows: ModelsTable = parse(&MODELS).unwrap();
        let exists = |provider: &str, name: &str| {
            assert!(rows.models.iter().any(|row| row.provider == provider && row.name == name), "{provider}/{name}");
        };
        for identities in &own.identities {
            identities.names.keys().for_each(|name| exists(&identities.provider, name));
        }
        for scopes in &own.scopes {
            scopes.names.iter().for_each(|name| exists(&scopes.provider, name));
        }
    }

    #[test]
    fn the_label_changes_with_every_byte() {
        let of = |text| label("1", &[DataFile { name: "a", text }]);
        assert_ne!(of("x"), of("y"));
        // The first four bytes of the sha256 of "a\n1\nx".
        assert_eq!(of("x"), "1+73f557b1");
    }
}
