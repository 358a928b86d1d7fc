//! The tables of EcoLogits, and what gramtrace adds to them: makers, registry ids, names that do not mean their model
//! everywhere. From the shapes of the files to checked values.

use std::collections::BTreeSet;

use crate::factors::dates;
use crate::factors::factor::Factor;
use crate::factors::index::{Match, Scope, is_of_a_hub};
use crate::factors::model::{
    Architecture, ArchitectureKind, Model, ModelKind, ModelWarning, ParameterRange, Precision, Speed, Tier,
};
use crate::factors::providers::Provider;
use crate::factors::registry::ECOLOGITS;
use crate::factors::zone::{Mix, ZoneWarning};
use crate::units::{
    BillionParameters, GramsPerKwh, GramsSbEqPerKwh, LitresPerKwh, MegajoulesPerKwh, Quantity, QuantityError, Range,
};

use super::draft::{Draft, Origin};
use super::tables::{
    ArchitectureRow, MixRow, MixesTable, ModelRow, ModelsTable, NumberOrRange, ProvidersTable, RegistryTable, ScopeRow,
    SpeedRow,
};

/// Takes over the table of models; they are checked when all files are read.
pub(super) fn models(name: &str, table: ModelsTable, draft: &mut Draft) {
    draft.ecologits = table;
    draft.ecologits_file = name.to_owned();
}

/// Takes over what gramtrace adds.
pub(super) fn own(_: &str, table: RegistryTable, draft: &mut Draft) {
    draft.version = Some(table.version.clone());
    draft.own = table;
}

/// Takes over the data centres of providers.
pub(super) fn providers(name: &str, table: ProvidersTable, draft: &mut Draft) {
    draft.providers = table.providers;
    draft.providers_file = name.to_owned();
}

/// Reads the electricity of countries.
pub(super) fn mixes(name: &str, table: MixesTable, draft: &mut Draft) {
    let mut seen = BTreeSet::new();
    for row in table.electricity_mixes {
        let origin = Origin::at(name, &row.name);
        match mix(&row) {
            Ok(_) if !seen.insert(row.name.clone()) => {
                draft.error(&origin, "", "the zone stands twice; write it once");
            }
            Ok(mix) => {
                draft.mixes.insert(row.name, mix);
            }
            Err(reason) => draft.error(&origin, "", reason),
        }
    }
}

fn mix(row: &MixRow) -> Result<Mix, String> {
    let wrong = |error: QuantityError| format!("{error}; write the figure that EcoLogits has");
    let known = |name: &String| ZoneWarning::ALL.into_iter().find(|warning| warning.name() == name);
    Ok(Mix {
        co2e: GramsPerKwh::new(row.gwp * 1000.0).map_err(wrong)?,
        adpe: GramsSbEqPerKwh::new(row.adpe * 1000.0).map_err(wrong)?,
        primary_energy: MegajoulesPerKwh::new(row.pe).map_err(wrong)?,
        water: LitresPerKwh::new(row.wue).map_err(wrong)?,
        warnings: row
            .warnings
            .iter()
            .flatten()
            .map(known)
            .collect::<Option<Box<[_]>>>()
            .ok_or("a warning is not known; remove it")?,
    })
}

/// A number or both its ends.
pub(super) fn range<T: Quantity>(ends: NumberOrRange) -> Result<Range<T>, QuantityError> {
    let (min, max) = ends.ends();
    Ok(Range::between(T::checked(min)?, T::checked(max)?))
}

/// A row's entry, but for its host.
pub(super) fn model(row: &ModelRow, own: &RegistryTable) -> Result<Model, String> {
    let provider =
        Provider::from_name(&row.provider).ok_or("the provider is not known; write one that EcoLogits has")?;
    let sources: Box<[Box<str>]> = row.sources.iter().flatten().map(|source| source.as_str().into()).collect();
    if sources.is_empty() {
        return Err("no source, no factor; write `sources`".to_owned());
    }
    let known = |name: &String| ModelWarning::ALL.into_iter().find(|warning| warning.name() == name);
    let warnings: Box<[ModelWarning]> =
        row.warnings.iter().flatten().map(known).collect::<Option<_>>().ok_or("a warning is not known; remove it")?;
    let is_released = !warnings.contains(&ModelWarning::ArchitectureNotReleased);
    let is_reduced = own.reduced_precision.contains(&row.name);
    let id = registry_id(provider, &row.name, own).ok_or("its maker is not known; write it under `makers`")?;
    Ok(Model {
        id: id.into(),
        name: row.name.as_str().into(),
        kind: ModelKind::Generative,
        provider: Some(provider),
        host: None,
        architecture: Some(architecture(&row.architecture)?),
        precision: if is_reduced { Precision::Reduced } else { Precision::Full },
        speed: speed(row.deployment.as_ref())?,
        factor: Some(Factor::Architecture),
        tier: Tier::of_architecture(is_released),
        warnings,
        sources,
        note: Box::default(),
        row: Some(format!("{ECOLOGITS}:{}/{}", row.provider, row.name).into()),
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
            let all = parameters_between(*parameters)?;
            Architecture { kind: ArchitectureKind::Dense, active: all, total: all }
        }
        ArchitectureRow::Moe { total, active } => Architecture {
            kind: ArchitectureKind::MixtureOfExperts,
            active: parameters_between(*active)?,
            total: parameters_between(*total)?,
        },
    })
}

fn parameters_between(ends: NumberOrRange) -> Result<ParameterRange, String> {
    let (min, max) = ends.ends();
    parameter_range(min, max)
}

/// Bounds of a count of parameters in billions.
pub(super) fn parameter_range(min: f64, max: f64) -> Result<ParameterRange, String> {
    // A thousand times the largest model there is: more is a slip of units, and would not be computed in sensible time.
    const MOST_BILLIONS: f64 = 1e7;
    if !(min > 0.0 && min <= max && max <= MOST_BILLIONS) {
        return Err(format!("{min} to {max} billion parameters is no size of a model; write billions"));
    }
    let count = |number| BillionParameters::new(number).map_err(|error| error.to_string());
    Ok(ParameterRange { min: count(min)?, max: count(max)? })
}

fn speed(row: Option<&SpeedRow>) -> Result<Speed, String> {
    let Some(row) = row else { return Ok(Speed::default()) };
    match (row.tps, row.ttft) {
        (Some(tps), _) if !(tps.is_finite() && tps > 0.0) => {
            Err(format!("{tps} tokens a second is no speed; write a number above 0"))
        }
        (_, Some(ttft)) if !(ttft.is_finite() && ttft >= 0.0) => {
            Err(format!("{ttft} s to the first token is no time; write a number of at least 0"))
        }
        (tokens_per_s, first_token_s) => Ok(Speed { tokens_per_s, first_token_s }),
    }
}

/// How a name of a model stands to the id: the kind of the match that it makes.
pub(super) fn matched_by(name: &str, id: &str) -> Match {
    let own_name = id.split_once('/').map_or(id, |(_, own_name)| own_name);
    let is_dotted = name.split_once('.').is_some_and(|(maker, _)| maker.bytes().all(|byte| byte.is_ascii_alphabetic()));
    if is_of_a_hub(name) || is_dotted || name.contains([':', '@']) {
        Match::PlatformId
    } else if own_name.eq_ignore_ascii_case(name) {
        Match::Exact
    } else if dates::is_dated(name) {
        Match::DatedSnapshot
    } else {
        Match::Alias
    }
}

/// Where a row's name means its model.
pub(super) fn scope_of(name: &str, provider: Provider, own: &RegistryTable) -> Scope {
    own.scopes
        .iter()
        .filter(|scopes| scopes.provider == provider.name())
        .find(|scopes| scopes.names.iter().any(|listed| listed == name))
        .map_or(Scope::Anywhere, |scopes| match scopes.only {
            ScopeRow::Provider => Scope::Provider,
            ScopeRow::Unstated => Scope::ProviderOrUnstated,
        })
}
