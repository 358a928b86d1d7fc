//! Every attribute key that is read or written, and nothing else. Names that we write are a contract;
//! names that we read are lists in the order in which they are tried.

/// What we write, without the prefix (`gramtrace.` unless configured).
pub mod out {
    /// Use phase, location-based, grams of CO2e of this call (double).
    pub const CO2E_G: &str = "co2e_g";
    /// Low end of [`CO2E_G`].
    pub const CO2E_LOW_G: &str = "co2e_low_g";
    /// High end of [`CO2E_G`].
    pub const CO2E_HIGH_G: &str = "co2e_high_g";
    /// Energy of this call in Wh, PUE included (double).
    pub const ENERGY_WH: &str = "energy_wh";
    /// Low end of [`ENERGY_WH`].
    pub const ENERGY_LOW_WH: &str = "energy_low_wh";
    /// High end of [`ENERGY_WH`].
    pub const ENERGY_HIGH_WH: &str = "energy_high_wh";
    /// Embodied share, grams of CO2e (double); never inside [`CO2E_G`].
    pub const EMBODIED_CO2E_G: &str = "embodied_co2e_g";
    /// Low end of [`EMBODIED_CO2E_G`].
    pub const EMBODIED_CO2E_LOW_G: &str = "embodied_co2e_low_g";
    /// High end of [`EMBODIED_CO2E_G`].
    pub const EMBODIED_CO2E_HIGH_G: &str = "embodied_co2e_high_g";
    /// Water in millilitres (double).
    pub const WATER_ML: &str = "water_ml";
    /// What became of the span (string): see `crate::genai::Status`.
    pub const STATUS: &str = "status";
    /// Registry id of the model, `<maker>/<name>` (string).
    pub const MODEL: &str = "model";
    /// Quality of the factor, `A` to `E` (string).
    pub const TIER: &str = "tier";
    /// How the model's name matched (string).
    pub const MATCH: &str = "match";
    /// Id of the factor that was used (string).
    pub const FACTOR: &str = "factor";
    /// Id and version of the method (string).
    pub const METHOD: &str = "method";
    /// `<version>+<8 hex digits of its sha256>` of the registry (string).
    pub const REGISTRY: &str = "registry";
    /// Zone of the grid (string).
    pub const GRID_ZONE: &str = "grid.zone";
    /// Intensity of the grid in gCO2e/kWh (double).
    pub const GRID_G_PER_KWH: &str = "grid.g_per_kwh";
    /// How the zone was decided (string).
    pub const GRID_BASIS: &str = "grid.basis";
    /// Power usage effectiveness that was used (double).
    pub const PUE: &str = "pue";
    /// Input tokens, cached ones included (int).
    pub const TOKENS_INPUT: &str = "tokens.input";
    /// Output tokens, reasoning included (int).
    pub const TOKENS_OUTPUT: &str = "tokens.output";
    /// Input tokens read from a cache (int).
    pub const TOKENS_CACHE_READ: &str = "tokens.cache_read";
    /// Input tokens written to a cache (int).
    pub const TOKENS_CACHE_WRITE: &str = "tokens.cache_write";
    /// Output tokens spent on reasoning (int).
    pub const TOKENS_REASONING: &str = "tokens.reasoning";
    /// Size class of [`CO2E_G`] for backends that search by equality (string).
    pub const BAND: &str = "band";
    /// Where the factor comes from (string).
    pub const SOURCE: &str = "source";

    /// The headline CO2e again, for views that show `gen_ai.*` only.
    pub const ALIAS_CO2E_G: &str = "gen_ai.footprint.co2e_g";
    /// The headline energy again, for views that show `gen_ai.*` only.
    pub const ALIAS_ENERGY_WH: &str = "gen_ai.footprint.energy_wh";
}
