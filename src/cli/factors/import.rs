//! `gramtrace factors import`: the files of others as a registry file: factors of api_emissions_tracker, and scenarios of
//! the carbon footprint modeling tool. What is written loads again, and is never the default for a model that is known.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

use crate::cli::console::{CommandError, Console};
use crate::cli::{ImportArgs, loaded};
use crate::estimate::scenario::totals;
use crate::factors::{Registry, RegistryFile};

/// The gas whose sum is a footprint.
const CO2E: &str = "co2e";

/// A factor in the tracker's file.
#[derive(Debug, Deserialize)]
struct TrackerFactor {
    per_prompt_token: f64,
    per_completion_token: f64,
    reference_url: String,
}

/// Writes a file as YAML.
///
/// # Errors
/// [`CommandError::Usage`] for a file of another kind, or with everything that is wrong with it.
pub(super) fn import(args: &ImportArgs, console: &mut Console<'_>) -> Result<(), CommandError> {
    let file = loaded::read(&args.file)?;
    let mut files = RegistryFile::builtin();
    for path in &args.linked {
        files.push(loaded::read(path)?);
    }
    files.push(file.clone());
    // Everything that is wrong is told with its line, as where the file is loaded.
    let registry = Registry::load(&files).map_err(|errors| CommandError::Usage(errors.to_string()))?;
    let yaml = if let Ok(factors) = serde_json::from_slice::<BTreeMap<String, TrackerFactor>>(file.bytes()) {
        tracker(&factors)
    } else {
        scenario(&registry, &id_of(&file), args)?
    };
    // What is written must load: a fault here is ours, and nothing is written then.
    let mut check = RegistryFile::builtin();
    check.push(RegistryFile::new("imported.yaml", yaml.clone().into_bytes()));
    Registry::load(&check)?;
    console.output.write_all(yaml.as_bytes())?;
    Ok(console.output.flush()?)
}

/// The scenario's id: its file's name.
fn id_of(file: &RegistryFile) -> String {
    let name = file.name().rsplit(['/', '\\']).next().unwrap_or_default();
    name.trim_end_matches(".json").to_owned()
}

fn tracker(factors: &BTreeMap<String, TrackerFactor>) -> String {
    let mut yaml = "# Factors of api_emissions_tracker, in grams of CO2e with a grid baked in. Each is found under `tracker/<name>`: a\n\
                    # model that is known keeps its own entry.\nmodels:\n"
        .to_owned();
    for (name, factor) in factors {
        let id = format!("tracker/{}", identifier(name));
        let entry = Entry { id, input: factor.per_prompt_token, output: factor.per_completion_token };
        let grid = "whatever its source took; the tracker's own factors took Western USA 2021, 322.167 g/kWh";
        entry.write(
            &mut yaml,
            grid,
            &factor.reference_url,
            "legacy grade: measured one request at a time, without PUE",
        );
    }
    yaml
}

fn scenario(registry: &Registry, id: &str, args: &ImportArgs) -> Result<String, CommandError> {
    let Some(scenario) = registry.scenarios().get(id) else {
        return Err(CommandError::Usage(format!(
            "{}: neither factors of api_emissions_tracker nor a scenario; write a file with `scopes`, or with \
             `per_prompt_token` and `per_completion_token` for each model",
            args.file.display()
        )));
    };
    let total = totals(registry.scenarios(), id, 1.0, None).map_err(|error| CommandError::Failed(error.to_string()))?;
    let Some(kilograms) = total.get(CO2E) else {
        return Err(CommandError::Usage(format!(
            "{}: not every part of it says what it emits in co2e",
            args.file.display()
        )));
    };
    let is_token = format!("{id} {}", scenario.title).to_ascii_lowercase().contains("token");
    let tokens = match args.tokens {
        Some(0) => return Err(CommandError::Usage("0 tokens are no unit; write how many one unit is".to_owned())),
        Some(tokens) => tokens,
        None if is_token => 1,
        None => {
            return Err(CommandError::Usage(format!(
                "one unit of `{}` is no token; write how many tokens one is, as in `--tokens 1319`",
                scenario.title
            )));
        }
    };
    #[allow(clippy::cast_precision_loss, reason = "counts of tokens are far below 2^53")]
    let grams = kilograms * 1000.0 / tokens as f64;
    let mut yaml =
        format!("# {}, from the carbon footprint modeling tool: the sum of its parts.\n", one_line(&scenario.title));
    yaml.push_str("models:\n");
    let entry = Entry { id: format!("scenario/{}", identifier(id)), input: grams, output: grams };
    let source = format!("https://borisruf.github.io/carbon-footprint-modeling-tool/index.html?id={}", identifier(id));
    let note = format!("{}: {kilograms} kg CO2e a unit of {tokens} tokens, input as output", one_line(&scenario.title));
    entry.write(&mut yaml, "that of the scenario's sources", &source, &note);
    Ok(yaml)
}

/// An entry in grams.
struct Entry {
    id: String,
    input: f64,
    output: f64,
}

impl Entry {
    fn write(&self, yaml: &mut String, grid: &str, source: &str, note: &str) {
        let Self { id, input, output } = self;
        // Into a string nothing fails.
        let _ = write!(
            yaml,
            "  - id: {id}\n    match: [{id}]\n    factor:\n      co2e_g_per_input_token: {input}\n      \
             co2e_g_per_output_token: {output}\n      grid: {}\n    tier: E\n    sources: [{}]\n    note: {}\n",
            quoted(grid),
            quoted(source),
            quoted(note)
        );
    }
}

/// What may stand in an id: lower case, without spaces.
fn identifier(text: &str) -> String {
    text.to_ascii_lowercase()
        .chars()
        .map(|one| if one.is_ascii_alphanumeric() || "-._".contains(one) { one } else { '-' })
        .collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// JSON's way of quoting is one of YAML's.
fn quoted(text: &str) -> String {
    serde_json::to_string(&one_line(text)).unwrap_or_default()
}
