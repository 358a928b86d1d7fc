//! Who may import whom: the layers of the crate as data. A change here is a change of the architecture,
//! to be weighed as one. A module may always use itself.

/// What one top-level module of `src/` may use.
pub(crate) struct Row {
    pub(crate) module: &'static str,
    pub(crate) imports: Allowed,
    /// Synchronous and deterministic: no runtime, no transport, no clock.
    pub(crate) pure: bool,
    /// The only crates outside `std` that it may use; `None` where it may use any.
    pub(crate) crates: Option<&'static [&'static str]>,
}

/// The modules of this crate that a module may import.
pub(crate) enum Allowed {
    Everything,
    Only(&'static [&'static str]),
}

/// The layers, from the ground up.
pub(crate) const ALLOWED: &[Row] = &[
    pure("units", &[]).on(&["thiserror"]),
    pure("semconv", &[]).on(&[]),
    pure("keyed", &[]).on(&[]),
    pure("hex", &[]).on(&[]),
    pure("document", &[]).on(&["saphyr_parser", "serde_json", "strsim", "thiserror"]),
    impure("wire", &[]),
    pure("otlp", &[]).on(&["base64", "bytes", "memchr", "serde_json", "smallvec", "thiserror"]),
    pure("factors", &["document", "hex", "units"]),
    pure("estimate", &["units", "factors"]),
    pure("genai", &["keyed", "otlp", "semconv", "units"]),
    pure("trace", &["hex", "keyed", "units", "semconv"]),
    pure("enrich", &["otlp", "genai", "factors", "estimate", "keyed", "trace", "semconv", "units"]),
    pure("config", &["document", "otlp", "semconv", "units"]),
    pure("budget", &["hex", "units"]).on(&["jiff", "serde", "sha2"]),
    impure("rejection", &["wire"]),
    impure("telemetry", &["budget", "hex", "keyed", "otlp", "units"]),
    impure("store", &["budget", "hex", "telemetry"]),
    impure("alerts", &["budget", "exporter", "hex", "telemetry", "units"]),
    impure("exporter", &["rejection", "wire", "otlp", "telemetry", "trace"]),
    impure(
        "pipeline",
        &["budget", "enrich", "exporter", "otlp", "rejection", "store", "telemetry", "trace", "units", "wire"],
    ),
    impure("receiver", &["pipeline", "rejection", "wire", "otlp", "telemetry"]),
    impure("admin", &["budget", "enrich", "hex", "telemetry", "trace", "units"]),
    top("app"),
    top("cli"),
    // `main` is a crate of its own: it names this library's modules as `gramtrace::..`.
    impure("main", &["app", "cli", "config"]),
    // `lib` declares the modules and has no code.
    impure("lib", &[]),
];

const fn pure(module: &'static str, imports: &'static [&'static str]) -> Row {
    Row { module, imports: Allowed::Only(imports), pure: true, crates: None }
}

const fn impure(module: &'static str, imports: &'static [&'static str]) -> Row {
    Row { module, imports: Allowed::Only(imports), pure: false, crates: None }
}

const fn top(module: &'static str) -> Row {
    Row { module, imports: Allowed::Everything, pure: false, crates: None }
}

impl Row {
    const fn on(mut self, crates: &'static [&'static str]) -> Self {
        self.crates = Some(crates);
        self
    }

    /// Whether the row lets its module import `module`.
    pub(crate) fn permits(&self, module: &str) -> bool {
        match self.imports {
            Allowed::Everything => true,
            Allowed::Only(modules) => modules.contains(&module),
        }
    }

    /// The row for a message.
    pub(crate) fn explain(&self) -> String {
        match self.imports {
            Allowed::Everything => "it may import everything".to_owned(),
            Allowed::Only([]) => "it may import no other module".to_owned(),
            Allowed::Only(modules) => format!("it may import {}", modules.join(", ")),
        }
    }
}
