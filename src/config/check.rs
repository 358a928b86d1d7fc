//! What no component can say alone: whether what is named exists, is used once, and does not feed itself.
//! Knows whole configurations; each block has read and checked itself before.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use super::address::{Endpoint, ListenAddress, Scheme, ServerAddress};
use super::api::ApiConfig;
use super::auth::AuthConfig;
use super::component::{ComponentId, PipelineId};
use super::document::{Node, Value};
use super::exporter::ExporterConfig;
use super::problems::Problems;
use super::section::{choice, nearest};
use super::service::{ExtensionConfig, PipelineConfig};
use super::{Config, advice, environment};
use crate::otlp::Signal;

/// Reports what does not fit together in `config`, which has been read from `root`, if from any document.
pub(super) fn check(config: &Config, root: Option<&Node>, problems: &Problems<'_>) {
    let check = Check::of(config, root, problems);
    let service = root.and_then(|root| root.get("service"));
    if config.service.pipelines.is_empty() && !service.is_some_and(|service| is_written(&service.value)) {
        problems.error(
            "service",
            "no pipelines; write `pipelines: {traces: {receivers: [..], processors: [..], exporters: [..]}}`",
        );
    }
    for (id, pipeline) in config.service.pipelines.iter().take_while(|_| !problems.is_full()) {
        check.pipeline(id, pipeline);
    }
    check.references_to_extensions();
    check.authenticators();
    check.receivers_feed_one_pipeline();
    check.one_memory_limiter();
    check.exporters_have_endpoints();
    check.listeners();
    check.unused();
}

/// Whether `pipelines` has something in it, be it wrong.
fn is_written(service: &Node) -> bool {
    service.get("pipelines").is_some_and(|pipelines| match &pipelines.value.value {
        Value::Mapping(entries) => !entries.is_empty(),
        Value::Scalar { .. } | Value::Sequence(_) => !pipelines.value.is_null(),
    })
}

/// A kind of component, and where its ids are defined.
struct Block<'a> {
    key: &'static str,
    noun: &'static str,
    advice: fn(&str) -> String,
    known: &'static [&'static str],
    defined: BTreeSet<&'a ComponentId>,
}

struct Check<'a> {
    config: &'a Config,
    root: Option<&'a Node>,
    problems: &'a Problems<'a>,
    receivers: Block<'a>,
    processors: Block<'a>,
    exporters: Block<'a>,
    extensions: Block<'a>,
}

impl<'a> Check<'a> {
    fn of(config: &'a Config, root: Option<&'a Node>, problems: &'a Problems<'a>) -> Self {
        let receivers = Block {
            key: "receivers",
            noun: "receiver",
            advice: advice::receiver,
            known: &["otlp"],
            defined: config.receivers.keys().collect(),
        };
        let processors = Block {
            key: "processors",
            noun: "processor",
            advice: advice::processor,
            known: &["gramtrace", "memory_limiter"],
            defined: config.processors.keys().chain(config.memory_limiters.keys()).collect(),
        };
        let exporters = Block {
            key: "exporters",
            noun: "exporter",
            advice: advice::exporter,
            known: &["otlp_grpc", "otlp", "otlp_http", "otlphttp", "debug"],
            defined: config.exporters.keys().collect(),
        };
        let extensions = Block {
            key: "extensions",
            noun: "extension",
            advice: advice::extension,
            known: &["gramtrace_api", "health_check", "bearertokenauth", "basicauth"],
            defined: config.extensions.keys().collect(),
        };
        Self { config, root, problems, receivers, processors, exporters, extensions }
    }

    fn pipeline(&self, id: &PipelineId, pipeline: &PipelineConfig) {
        let path = format!("service::pipelines::{id}");
        self.references(&format!("{path}::receivers"), &pipeline.receivers, &self.receivers);
        self.references(&format!("{path}::processors"), &pipeline.processors, &self.processors);
        self.references(&format!("{path}::exporters"), &pipeline.exporters, &self.exporters);
        if pipeline.receivers.is_empty() && !self.has_items(&path, "receivers") {
            self.problems.error(&path, "no receivers; write `receivers: [otlp]`");
        }
        if pipeline.exporters.is_empty() && !self.has_items(&path, "exporters") {
            let message = "no exporters; write `exporters: [..]`, or set OTEL_EXPORTER_OTLP_ENDPOINT and leave out \
                           the `exporters` block";
            self.problems.error(&path, message);
        }
        let enriching: Vec<usize> = (0..pipeline.processors.len())
            .filter(|at| pipeline.processors.get(*at).is_some_and(|id| id.kind() == "gramtrace"))
            .collect();
        match enriching.as_slice() {
            [first, ..] if id.signal != Signal::Traces => self.problems.error(
                &format!("{path}::processors::{first}"),
                format!(
                    "gramtrace enriches traces only; remove it here: {} are forwarded as they come",
                    id.signal.name()
                ),
            ),
            [_, second, ..] => self.problems.error(
                &format!("{path}::processors::{second}"),
                "a second gramtrace processor in one pipeline; write one: a span is enriched once",
            ),
            _ => {}
        }
    }

    /// A block as it stands in the document, where there is one.
    fn written(&self, block: &str) -> Option<&'a Node> {
        self.root?.get(block).map(|entry| &entry.value)
    }

    /// Whether a list of a pipeline has something in it, be it wrong and reported.
    fn has_items(&self, path: &str, key: &str) -> bool {
        let service = self.written("service");
        let pipelines = service.and_then(|service| service.get("pipelines"));
        let name = path.strip_prefix("service::pipelines::").unwrap_or(path);
        let list = pipelines.and_then(|pipelines| pipelines.value.get(name)).and_then(|it| it.value.get(key));
        list.is_some_and(|list| match &list.value.value {
            Value::Sequence(items) => !items.is_empty(),
            Value::Scalar { .. } | Value::Mapping(_) => !list.value.is_null(),
        })
    }

    fn references(&self, path: &str, ids: &[ComponentId], block: &Block<'_>) {
        for (index, id) in ids.iter().enumerate().take_while(|_| !self.problems.is_full()) {
            self.reference(&format!("{path}::{index}"), id, block);
        }
    }

    /// Reports an id that is not defined. One that is written but could not be read has been reported.
    fn reference(&self, path: &str, id: &ComponentId, block: &Block<'_>) {
        let name = id.to_string();
        let is_written = self.written(block.key).is_some_and(|block| block.get(&name).is_some());
        if block.defined.contains(id) || is_written {
            return;
        }
        let defined: Vec<String> = block.defined.iter().map(ToString::to_string).collect();
        let defined: Vec<&str> = defined.iter().map(String::as_str).collect();
        let message = match nearest(&name, &defined) {
            _ if !block.known.contains(&id.kind()) => (block.advice)(id.kind()),
            Some(near) => format!("the {} `{id}` is not defined; did you mean `{near}`?", block.noun),
            None if defined.is_empty() => {
                format!("the {} `{id}` is not defined; write it below `{}`", block.noun, block.key)
            }
            None => format!(
                "the {} `{id}` is not defined; write it below `{}`, or use {}",
                block.noun,
                block.key,
                choice(&defined)
            ),
        };
        self.problems.error(path, message);
    }

    fn references_to_extensions(&self) {
        self.references("service::extensions", &self.config.service.extensions, &self.extensions);
        let singular = [
            ("health_check", "health check"),
            ("gramtrace_api", "lookup API"),
            ("gramtrace_budgets", "place for budgets"),
        ];
        for (kind, noun) in singular {
            let listed = self.config.service.extensions.iter().enumerate();
            if let Some((second, _)) = listed.filter(|(_, id)| id.kind() == kind).nth(1) {
                self.problems.error(
                    &format!("service::extensions::{second}"),
                    format!("a second {noun}; write one: it answers for the whole process"),
                );
            }
        }
    }

    /// What `auth` names must be an extension that tells senders apart, and be on.
    fn authenticators(&self) {
        for (id, receiver) in &self.config.receivers {
            let protocols = &receiver.protocols;
            let named = [
                ("grpc", protocols.grpc.as_ref().and_then(|grpc| grpc.auth.as_ref())),
                ("http", protocols.http.as_ref().and_then(|http| http.auth.as_ref())),
            ];
            for (protocol, auth) in named.into_iter().filter_map(|(protocol, auth)| Some((protocol, auth?))) {
                self.authenticator(&format!("receivers::{id}::protocols::{protocol}"), auth);
            }
        }
        for (id, extension) in &self.config.extensions {
            if let ExtensionConfig::Api(ApiConfig { auth: Some(auth), .. }) = extension {
                self.authenticator(&format!("extensions::{id}"), auth);
            }
        }
    }

    fn authenticator(&self, of: &str, AuthConfig { authenticator }: &AuthConfig) {
        let path = format!("{of}::auth::authenticator");
        if !matches!(authenticator.kind(), "bearertokenauth" | "basicauth") {
            let message = format!("`{authenticator}` tells no senders apart; write `bearertokenauth` or `basicauth`");
            self.problems.error(&path, message);
        } else if !self.extensions.defined.contains(authenticator) {
            self.reference(&path, authenticator, &self.extensions);
        } else if !self.config.service.extensions.contains(authenticator) {
            let message = format!("`{authenticator}` is not on; list it in `service::extensions`");
            self.problems.error(&path, message);
        }
    }

    fn receivers_feed_one_pipeline(&self) {
        let mut fed: BTreeMap<(Signal, &ComponentId), &PipelineId> = BTreeMap::new();
        for (id, pipeline) in &self.config.service.pipelines {
            for (index, receiver) in pipeline.receivers.iter().enumerate() {
                let Some(first) = fed.insert((id.signal, receiver), id) else { continue };
                self.problems.error(
                    &format!("service::pipelines::{id}::receivers::{index}"),
                    format!(
                        "`{receiver}` feeds the pipeline `{first}` too; list the exporters of both in one pipeline, \
                         or write a second receiver"
                    ),
                );
            }
        }
    }

    /// Memory is that of the whole process: pipelines may name the same limiter, or none.
    fn one_memory_limiter(&self) {
        let mut named: Option<&ComponentId> = None;
        for (id, pipeline) in &self.config.service.pipelines {
            for (index, processor) in pipeline.processors.iter().enumerate() {
                if processor.kind() != "memory_limiter" {
                    continue;
                }
                match named {
                    Some(first) if first != processor => self.problems.error(
                        &format!("service::pipelines::{id}::processors::{index}"),
                        format!("a second memory limiter; write `{first}`: it is for the whole process"),
                    ),
                    _ => named = Some(processor),
                }
            }
        }
    }

    /// An `otlp_http` exporter with endpoints for other signals only cannot serve this one.
    fn exporters_have_endpoints(&self) {
        for (id, pipeline) in &self.config.service.pipelines {
            for (index, exporter) in pipeline.exporters.iter().enumerate() {
                if let Some(ExporterConfig::OtlpHttp(http)) = self.config.exporters.get(exporter)
                    && http.endpoint(id.signal).is_none()
                {
                    let signal = id.signal.name();
                    self.problems.error(
                        &format!("service::pipelines::{id}::exporters::{index}"),
                        format!(
                            "`{exporter}` has no endpoint for {signal}; write `endpoint` or `{signal}_endpoint` in it"
                        ),
                    );
                }
            }
        }
    }

    /// Reports addresses that two listeners want, and exporters that would send to a listener of this process.
    fn listeners(&self) {
        let mut occupied = Occupied::default();
        // Where an address is wrong, the default stands in for it, and collides with nothing.
        for (path, address) in self.config.listeners().into_iter().filter(|(path, _)| !self.problems.has(path)) {
            if let Some(other) = occupied.collides(&address) {
                self.problems.error(&path, format!("`{address}` is taken by {other}; write another port"));
            }
            occupied.add(path, &address);
        }
        self.telemetry_to_itself(&occupied);
        let sockets = self.sockets();
        let used: BTreeSet<&ComponentId> =
            self.config.service.pipelines.values().flat_map(|pipeline| &pipeline.exporters).collect();
        for (id, exporter) in self.config.exporters.iter().filter(|(id, _)| used.contains(id)) {
            for (key, target) in targets(exporter) {
                if let Some(listener) = occupied.reached_by(&target) {
                    self.sends_to_itself(id, key, &target.to_string(), listener);
                }
            }
            if let ExporterConfig::OtlpGrpc(grpc) = exporter
                && grpc.endpoint.scheme == Some(Scheme::Unix)
                && let Some(listener) = sockets.get(Path::new(&grpc.endpoint.path))
            {
                self.sends_to_itself(id, "endpoint", &grpc.endpoint.path, listener);
            }
        }
    }

    /// The sockets of this machine that receivers listen on, each with the path of its address; reports those that two
    /// want.
    fn sockets(&self) -> BTreeMap<&'a Path, String> {
        let mut sockets = BTreeMap::new();
        for (id, receiver) in &self.config.receivers {
            for (protocol, endpoint) in receiver.protocols.endpoints() {
                let ServerAddress::Unix(socket) = endpoint else { continue };
                let path = format!("receivers::{id}::protocols::{protocol}::endpoint");
                match sockets.get(socket.as_path()) {
                    Some(other) => {
                        let message = format!("`{}` is taken by {other}; write another path", socket.display());
                        self.problems.error(&path, message);
                    }
                    None => drop(sockets.insert(socket.as_path(), path)),
                }
            }
        }
        sockets
    }

    /// Reports own telemetry that would come back as requests, for ever. Those who get it have their places in the file
    /// only where each of them could be read.
    fn telemetry_to_itself(&self, occupied: &Occupied) {
        if !self.problems.is_empty() {
            return;
        }
        let telemetry = &self.config.service.telemetry;
        let readers = telemetry.metrics.periodic().map(|(index, periodic)| {
            (format!("metrics::readers::{index}::periodic"), &periodic.exporter.otlp.endpoint)
        });
        let processors = telemetry.traces.processors.iter().enumerate().map(|(index, processor)| {
            (format!("traces::processors::{index}::batch"), &processor.batch.exporter.otlp.endpoint)
        });
        for (path, endpoint) in readers.chain(processors) {
            let target = ListenAddress { host: endpoint.host.clone(), port: endpoint.port };
            if let Some(listener) = occupied.reached_by(&target) {
                let message = format!(
                    "`{target}` is this process's own {listener}: what it says of itself must not come back to it; write \
                     the address of a backend"
                );
                self.problems.error(&format!("service::telemetry::{path}::exporter::otlp::endpoint"), message);
            }
        }
    }

    fn sends_to_itself(&self, id: &ComponentId, key: &str, target: &str, listener: &str) {
        let message = format!(
            "`{target}` is this process's own {listener}, so that requests would go in circles; write the backend's \
             address"
        );
        if self.written("exporters").is_some_and(|block| block.get(&id.to_string()).is_some()) {
            self.problems.error(&format!("exporters::{id}::{key}"), message);
        } else {
            self.problems.variable(&environment::endpoint_variable(id, key), message);
        }
    }

    /// As the Collector does, what nobody uses is no error.
    fn unused(&self) {
        let pipelines = || self.config.service.pipelines.values();
        let receivers: BTreeSet<_> = pipelines().flat_map(|pipeline| &pipeline.receivers).collect();
        let processors: BTreeSet<_> = pipelines().flat_map(|pipeline| &pipeline.processors).collect();
        let exporters: BTreeSet<_> = pipelines().flat_map(|pipeline| &pipeline.exporters).collect();
        let extensions: BTreeSet<_> = self.config.service.extensions.iter().collect();
        let unused = |defined: &mut dyn Iterator<Item = &ComponentId>, used: &BTreeSet<&ComponentId>, block: &str| {
            for id in defined.filter(|id| !used.contains(*id)) {
                self.problems.warning(&format!("{block}::{id}"), "is not used; list it below `service`, or remove it");
            }
        };
        unused(&mut self.config.receivers.keys(), &receivers, "receivers");
        let defined = self.config.processors.keys().chain(self.config.memory_limiters.keys());
        unused(&mut { defined }, &processors, "processors");
        unused(&mut self.config.exporters.keys(), &exporters, "exporters");
        unused(&mut self.config.extensions.keys(), &extensions, "extensions");
    }
}

impl Config {
    /// Everything that listens on the network, each with the path of its address, in the order in which they are opened.
    #[must_use]
    pub fn listeners(&self) -> Vec<(String, ListenAddress)> {
        let used: BTreeSet<_> = self.service.pipelines.values().flat_map(|pipeline| &pipeline.receivers).collect();
        let mut listeners = Vec::new();
        for (id, receiver) in self.receivers.iter().filter(|(id, _)| used.contains(id)) {
            for (protocol, endpoint) in receiver.protocols.endpoints() {
                if let ServerAddress::Tcp(address) = endpoint {
                    listeners.push((format!("receivers::{id}::protocols::{protocol}::endpoint"), address.clone()));
                }
            }
        }
        for id in &self.service.extensions {
            if let Some(endpoint) = self.extensions.get(id).and_then(ExtensionConfig::endpoint) {
                listeners.push((format!("extensions::{id}::endpoint"), endpoint.clone()));
            }
        }
        if let Some(address) = self.service.telemetry.metrics.listener() {
            listeners.push(("service::telemetry::metrics::readers".to_owned(), address));
        }
        listeners
    }
}

/// Where an exporter sends, by key.
fn targets(exporter: &ExporterConfig) -> Vec<(&'static str, ListenAddress)> {
    let endpoints: Vec<(&'static str, Option<&Endpoint>)> = match exporter {
        ExporterConfig::Debug(_) => Vec::new(),
        ExporterConfig::OtlpGrpc(grpc) => vec![("endpoint", Some(&grpc.endpoint))],
        ExporterConfig::OtlpHttp(http) => vec![
            ("endpoint", http.endpoint.as_ref()),
            ("traces_endpoint", http.traces_endpoint.as_ref()),
            ("metrics_endpoint", http.metrics_endpoint.as_ref()),
            ("logs_endpoint", http.logs_endpoint.as_ref()),
        ],
    };
    let address = |endpoint: &Endpoint| ListenAddress { host: endpoint.host.clone(), port: endpoint.port };
    let on_the_network = |endpoint: &&Endpoint| endpoint.scheme != Some(Scheme::Unix);
    let addressed = endpoints.into_iter().filter_map(|(key, endpoint)| Some((key, endpoint.filter(on_the_network)?)));
    addressed.map(|(key, endpoint)| (key, address(endpoint))).collect()
}

/// A host, as far as it can be told without asking anybody.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Every address of this machine.
    Everywhere,
    /// This machine alone. `localhost` is any of its addresses, hence they count as one.
    Loopback,
    /// A name or an address.
    Other(String),
}

impl Place {
    fn of(host: &str) -> Self {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(address) if address.is_unspecified() => Self::Everywhere,
            Ok(address) if address.is_loopback() => Self::Loopback,
            Ok(address) => Self::Other(address.to_string()),
            Err(_) if host == "localhost" || host.ends_with(".localhost") => Self::Loopback,
            Err(_) => Self::Other(host),
        }
    }
}

/// The ports that are listened on, where, and by what path of the configuration. Port 0 is nobody's.
#[derive(Debug, Default)]
struct Occupied {
    ports: BTreeMap<u16, BTreeMap<Place, String>>,
}

impl Occupied {
    fn add(&mut self, path: String, address: &ListenAddress) {
        if address.port != 0 {
            self.ports.entry(address.port).or_default().entry(Place::of(&address.host)).or_insert(path);
        }
    }

    /// Who listens where `address` would.
    fn collides(&self, address: &ListenAddress) -> Option<&str> {
        let places = self.ports.get(&address.port)?;
        let taken = match Place::of(&address.host) {
            Place::Everywhere => places.values().next(),
            place => places.get(&place).or_else(|| places.get(&Place::Everywhere)),
        };
        taken.map(String::as_str)
    }

    /// Who hears what is sent to `target`.
    fn reached_by(&self, target: &ListenAddress) -> Option<&str> {
        let places = self.ports.get(&target.port)?;
        let heard = match Place::of(&target.host) {
            // Sent to no address in particular, it goes to this machine.
            Place::Everywhere | Place::Loopback => {
                places.get(&Place::Loopback).or_else(|| places.get(&Place::Everywhere))
            }
            place @ Place::Other(_) => places.get(&place),
        };
        heard.map(String::as_str)
    }
}
