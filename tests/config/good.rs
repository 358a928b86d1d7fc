//! A file a situation, and what it amounts to.

use std::time::Duration;

use gramtrace::config::{
    BandConfig, ClientKeepaliveConfig, ComponentId, Compression, Config, CorsConfig, CountConfig, Detail,
    EnforcementPolicyConfig, ExporterConfig, ExtensionConfig, GramtraceConfig, HttpTimeoutsConfig,
    KeepaliveParametersConfig, LabelConfig, LabelsConfig, LogEncoding, LogLevel, MemoryLimiterConfig,
    OtlpGrpcExporterConfig, OtlpHttpExporterConfig, PeriodConfig, PeriodicConfig, PipelineId, RetryConfig, Secret,
    ServerAddress, SyncConfig, TlsVersion, Transport,
};
use gramtrace::otlp::Signal;

use crate::{files, variables};

/// What the files refer to.
pub(crate) const SET: &[(&str, &str)] = &[
    ("POD_IP", "10.1.2.3"),
    ("TOKEN", "t0k3n"),
    ("PASSWORD", "s3cr3t"),
    ("KEY_FILE", "/etc/gramtrace/key.pem"),
    ("SIZE", "16"),
    ("ALIAS", "false"),
    ("BAND", "{very_low: 0.5, low: 0.6}"),
    ("JSON", "{\"a\": 1}"),
    ("DOLLAR", "$$ ${env:TOKEN}"),
    ("EXPORTERS", "[debug, otlp_http]"),
];

pub(crate) fn good(name: &str) -> Config {
    let path = files("tests/config/good", "yaml").into_iter().find(|path| path.file_stem().unwrap() == name).unwrap();
    Config::load(&path, &variables(SET)).unwrap_or_else(|errors| panic!("{name}:\n{errors}"))
}

fn grpc(config: &Config, id: &ComponentId) -> OtlpGrpcExporterConfig {
    match config.exporters.get(id) {
        Some(ExporterConfig::OtlpGrpc(exporter)) => *exporter.clone(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn http(config: &Config, id: &ComponentId) -> OtlpHttpExporterConfig {
    match config.exporters.get(id) {
        Some(ExporterConfig::OtlpHttp(exporter)) => *exporter.clone(),
        other => panic!("{other:?}"),
    }
}

/// The values of the headers, by name.
fn headers(exporter: &OtlpHttpExporterConfig) -> Vec<(&str, &str)> {
    exporter.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect()
}

#[test]
fn every_good_file_loads() {
    for path in files("tests/config/good", "yaml") {
        good(path.file_stem().unwrap().to_str().unwrap());
    }
}

#[test]
fn variables_stand_inside_addresses_and_what_is_written_off_is_taken() {
    let config = good("agent-on-kubernetes");
    let listeners: Vec<String> = config.listeners().iter().map(|(_, address)| address.to_string()).collect();
    assert_eq!(listeners, ["10.1.2.3:4317", "10.1.2.3:4318", "0.0.0.0:13133", "localhost:8888"]);
    let backend = grpc(&config, &ComponentId::of("otlp"));
    assert_eq!(backend.url(), "http://collector.observability.svc:4317");
    assert_eq!(backend.timeout, Duration::from_secs(5));
    assert_eq!(backend.compression, Compression::Gzip);
}

#[test]
fn without_a_processor_requests_are_forwarded_and_without_a_scheme_tls_is_spoken() {
    let config = good("forwarding-only");
    assert!(config.service.pipelines.values().all(|pipeline| pipeline.processors.is_empty()));
    assert!(!config.service.pipelines.contains_key(&PipelineId::of(Signal::Logs)));
    assert_eq!(grpc(&config, &ComponentId::of("otlp_grpc")).url(), "https://backend:4317");
}

#[test]
fn components_of_one_kind_differ_by_their_names() {
    let config = good("several-of-a-kind");
    let long = &config.processors[&ComponentId::named("gramtrace", "long")];
    let expected = GramtraceConfig {
        detail: Detail::Full,
        significant_digits: 17,
        gen_ai_alias: false,
        band: BandConfig { very_low_g: 0.001, high_g: 100.0, ..BandConfig::default() },
        ..GramtraceConfig::default()
    };
    assert_eq!(*long, expected);
    assert_eq!(config.processors[&ComponentId::named("gramtrace", "short")].prefix, "llm.footprint.");

    let one = http(&config, &ComponentId::named("otlp_http", "one"));
    assert_eq!(one.url(Signal::Traces).as_deref(), Some("https://one.example:443/otlp/v1/traces"));
    assert_eq!(one.url(Signal::Logs), None);
    assert_eq!((one.compression, one.compression_params.level), (Compression::Zstd, 22));
    assert_eq!(one.timeout, Duration::from_secs(5400));
    let two = http(&config, &ComponentId::named("otlphttp", "two"));
    assert_eq!(two.url(Signal::Logs).as_deref(), Some("http://two.example:8080/otlp/v1/logs"));
    assert_eq!(two.timeout, Duration::from_secs(30));

    let blue = config.receivers[&ComponentId::named("otlp", "blue")].protocols.http.clone().unwrap();
    assert_eq!(blue.url_path(Signal::Traces), "/in/traces");
    assert_eq!(blue.url_path(Signal::Logs), "/v1/logs");
    assert!(config.receivers[&ComponentId::named("otlp", "blue")].protocols.grpc.is_none());
}

#[test]
fn header_values_stay_the_text_that_they_are_and_are_never_shown() {
    let config = good("secrets");
    let exporter = http(&config, &ComponentId::of("otlp_http"));
    let expected =
        [("authorization", "Bearer t0k3n"), ("x-dollar", "pa$$word $1"), ("x-number", "0123"), ("x-scope-orgid", "NO")];
    assert_eq!(headers(&exporter), expected);
    let shown = format!("{config:?}");
    assert!(shown.contains("\"authorization\": [REDACTED]"), "{shown}");
    assert!(!shown.contains("t0k3n"), "{shown}");
}

#[test]
fn paths_and_names_of_tls_are_read_and_an_unset_variable_is_none_and_a_warning() {
    let config = good("mutual-tls");
    let tls = grpc(&config, &ComponentId::of("otlp_grpc")).tls;
    assert_eq!(tls.cert_file.unwrap().to_str(), Some("/etc/gramtrace/$HOME.pem"));
    assert_eq!(tls.key_file.unwrap().to_str(), Some("/etc/gramtrace/key.pem"));
    assert_eq!(tls.server_name_override, None);
    assert_eq!(tls.reload_interval, Some(Duration::from_secs(3600)));
    let warnings: Vec<_> = config.warnings.iter().map(|it| (it.line, it.path.as_str(), it.message.as_str())).collect();
    let path = "exporters::otlp_grpc::tls::server_name_override";
    assert_eq!(warnings, [(Some(10), path, "the environment variable `NOTHING` is not set; it counts as empty")]);
}

#[test]
fn o_29_o_52_what_is_sent_again_and_in_parts_is_read_and_the_rest_is_the_collectors() {
    let config = good("retry");
    let backend = grpc(&config, &ComponentId::of("otlp_grpc"));
    let retry = RetryConfig {
        enabled: true,
        initial_interval: Duration::from_millis(200),
        randomization_factor: 0.0,
        multiplier: 1.5,
        max_interval: Duration::from_secs(30),
        max_elapsed_time: Duration::ZERO,
    };
    assert_eq!(backend.retry_on_failure, retry);
    assert_eq!(backend.max_request_body_size, 4 * 1024 * 1024);
    let (time, timeout) = (Duration::ZERO, Duration::from_secs(10));
    assert_eq!(backend.keepalive, ClientKeepaliveConfig { time, timeout, permit_without_stream: true });
    assert_eq!(grpc(&config, &ComponentId::named("otlp_grpc", "socket")).url(), "unix:///run/otlp.sock");
    let backend = http(&config, &ComponentId::of("otlp_http"));
    assert_eq!(backend.max_request_body_size, 1_000_000);
    let retry = RetryConfig {
        enabled: false,
        initial_interval: Duration::from_secs(5),
        randomization_factor: 0.5,
        multiplier: 1.5,
        max_interval: Duration::from_secs(30),
        max_elapsed_time: Duration::from_secs(300),
    };
    assert_eq!(backend.retry_on_failure, retry);
}

#[test]
fn receivers_have_certificates_and_authorities_of_senders() {
    let config = good("receiver-tls");
    let protocols = &config.receivers[&ComponentId::of("otlp")].protocols;
    let grpc = protocols.grpc.as_ref().unwrap().tls.as_ref().unwrap();
    assert_eq!(grpc.cert_file.to_str(), Some("/etc/gramtrace/cert.pem"));
    assert_eq!(grpc.key_file.to_str(), Some("/etc/gramtrace/key.pem"));
    assert_eq!((&grpc.client_ca_file, grpc.min_version, grpc.reload_interval), (&None, TlsVersion::V1_2, None));
    let http = protocols.http.as_ref().unwrap().tls.as_ref().unwrap();
    assert_eq!(http.client_ca_file.as_ref().unwrap().to_str(), Some("senders.pem"));
    assert_eq!((http.min_version, http.reload_interval), (TlsVersion::V1_3, Some(Duration::from_secs(5400))));
}

#[test]
fn senders_are_known_by_tokens_and_by_names_which_are_never_shown() {
    let config = good("auth");
    let ExtensionConfig::BearerTokenAuth(bearer) = &config.extensions[&ComponentId::of("bearertokenauth")] else {
        panic!("{config:?}")
    };
    let tokens: Vec<&str> = bearer.tokens.iter().map(Secret::expose).collect();
    assert_eq!((&*bearer.header, &*bearer.scheme, tokens), ("x-api-key", "", vec!["t0k3n", "0123", "next"]));
    let ExtensionConfig::BasicAuth(basic) = &config.extensions[&ComponentId::named("basicauth", "people")] else {
        panic!("{config:?}")
    };
    let lines: Vec<_> = basic.htpasswd.inline.iter().map(|(name, hash)| (name.as_str(), hash.expose())).collect();
    assert_eq!(lines, [("app", "t0k3n")]);
    for shown in [format!("{config:?}"), config.to_yaml().unwrap()] {
        assert!(!shown.contains("t0k3n") && !shown.contains("0123") && shown.contains("[REDACTED]"), "{shown}");
    }
}

#[test]
fn budgets_are_kept_and_told_and_neither_secrets_nor_paths_of_webhooks_are_shown() {
    let config = good("keeping");
    let keeping = config.keeping().unwrap();
    assert_eq!(
        (keeping.directory.as_ref().unwrap().to_str(), keeping.sync),
        (Some("/var/lib/gramtrace"), SyncConfig::EachRequest)
    );
    assert_eq!(keeping.link.as_deref(), Some("https://gramtrace.example.com"));
    let [one, two] = &keeping.alertmanagers[..] else { panic!("{keeping:?}") };
    assert_eq!((one.labels["cluster"].as_str(), one.timeout), ("eu", Duration::from_secs(10)));
    assert_eq!((two.headers["authorization"].expose(), two.timeout), ("Bearer t0k3n", Duration::from_secs(3)));
    let hook = &keeping.webhooks[0];
    assert_eq!(hook.endpoint.expose(), "https://hooks.example.com/services/T0/B0/XXXX");
    assert_eq!((hook.secret.as_ref().unwrap().expose(), hook.max_queue_size), ("s3cr3t", 50));
    for shown in [format!("{config:?}"), config.to_yaml().unwrap()] {
        assert!(!["s3cr3t", "t0k3n", "T0/B0"].iter().any(|secret| shown.contains(secret)), "{shown}");
    }
    assert_eq!(good("budgets").keeping(), None);
}

#[test]
fn aliases_repeat_and_merge_keys_fill_in() {
    let config = good("anchors");
    let two = grpc(&config, &ComponentId::named("otlp_grpc", "two"));
    assert_eq!(two.endpoint.to_string(), "two.example:4317");
    assert_eq!((two.timeout, two.compression), (Duration::from_secs(7), Compression::Zstd));
    let logs = &config.service.pipelines[&PipelineId::of(Signal::Logs)];
    assert_eq!(logs.receivers, [ComponentId::of("otlp")]);
    assert_eq!(logs.exporters, [ComponentId::named("otlp_grpc", "two")]);
}

#[test]
fn what_is_off_does_not_listen() {
    let config = good("quiet");
    let listeners: Vec<String> = config.listeners().iter().map(|(_, address)| address.to_string()).collect();
    assert_eq!(listeners, ["localhost:0", "[::1]:0"]);
    let protocols = &config.receivers[&ComponentId::of("otlp")].protocols;
    assert_eq!(protocols.grpc.as_ref().unwrap().max_request_bytes(), 4 * 1024 * 1024);
    assert_eq!(protocols.http.as_ref().unwrap().max_request_body_size, 100_000);
    let logs = &config.service.telemetry.logs;
    assert_eq!((logs.level, logs.encoding), (LogLevel::Warn, LogEncoding::Json));
}

#[test]
fn a_whole_value_out_of_a_variable_has_the_type_that_its_text_has() {
    let config = good("from-variables");
    let grpc = config.receivers[&ComponentId::of("otlp")].protocols.grpc.clone().unwrap();
    assert_eq!(grpc.max_recv_msg_size_mib, 16);
    let gramtrace = &config.processors[&ComponentId::of("gramtrace")];
    assert!(!gramtrace.gen_ai_alias);
    assert_eq!((gramtrace.band.very_low_g, gramtrace.band.low_g, gramtrace.band.medium_g), (0.5, 0.6, 1.0));
    assert_eq!(gramtrace.significant_digits, 6);
    let traces = &config.service.pipelines[&PipelineId::of(Signal::Traces)];
    assert_eq!(traces.exporters, [ComponentId::of("debug"), ComponentId::of("otlp_http")]);
    let exporter = http(&config, &ComponentId::of("otlp_http"));
    // What a variable holds is not looked into for references.
    let expected = [("x-default", "a:-b"), ("x-dollar", "$$ ${env:TOKEN}"), ("x-empty", ""), ("x-json", "{\"a\": 1}")];
    assert_eq!(headers(&exporter), expected);
    assert_eq!(config.service.telemetry.metrics.listener(), None);
}

#[test]
fn what_nothing_uses_is_a_warning_and_does_not_listen() {
    let config = good("unused");
    let warnings: Vec<_> = config.warnings.iter().map(|warning| (warning.line, warning.path.as_str())).collect();
    let expected = [
        (Some(3), "receivers::otlp/idle"),
        (Some(5), "processors::gramtrace"),
        (Some(8), "exporters::otlp_grpc"),
        (Some(10), "extensions::health_check"),
    ];
    assert_eq!(warnings, expected);
    assert_eq!(config.listeners().len(), 2, "gRPC and own metrics");
}

#[test]
fn own_telemetry_goes_where_it_is_told_to_at_the_usual_paths() {
    let telemetry = good("own-telemetry").service.telemetry;
    let readers: Vec<_> = telemetry.metrics.periodic().collect();
    let read = |(index, periodic): &(usize, &PeriodicConfig)| {
        (*index, periodic.interval.as_millis(), periodic.exporter.otlp.url(Signal::Metrics))
    };
    let expected = [
        (0, 10_000, "https://collector:4317".to_owned()),
        (2, 60_000, "http://collector:4318/otel/metrics".to_owned()),
    ];
    assert_eq!(readers.iter().map(read).collect::<Vec<_>>(), expected);
    let headers = &readers[0].1.exporter.otlp.headers;
    assert_eq!(headers["authorization"].expose(), "Bearer t0k3n");
    assert_eq!(telemetry.metrics.listener().unwrap().to_string(), "localhost:0");

    let batch = &telemetry.traces.processors[0].batch;
    assert_eq!(batch.exporter.otlp.url(Signal::Traces), "http://collector:4318/v1/traces");
    assert_eq!((batch.exporter.otlp.timeout.as_secs(), batch.schedule_delay.as_secs()), (2, 5));
    assert_eq!(telemetry.traces.sampler.trace_id_ratio_based.ratio, 0.25);
    let resource: Vec<_> = telemetry.resource.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
    let expected = [("deployment.environment", Some("test")), ("service.version", None), ("team", Some("search"))];
    assert_eq!(resource, expected);
    assert!(!telemetry.logs.sampling.enabled);
}

#[test]
fn labels_are_said_at_length_or_in_one_line() {
    let config = good("labels");
    let label = |key: &str, label: &str, max_values| LabelConfig { key: key.into(), label: label.into(), max_values };
    let attributes = vec![label("team.name", "team", 50), label("feature", "feature", 100)];
    let long = LabelsConfig { attributes, max_services: 30, max_series: 500 };
    assert_eq!(config.processors[&ComponentId::of("gramtrace")].labels, long);
    let short = LabelsConfig { attributes: vec![label("user.id", "user_id", 100)], ..LabelsConfig::default() };
    assert_eq!(config.processors[&ComponentId::named("gramtrace", "short")].labels, short);
}

#[test]
fn servers_are_told_as_the_collectors_are() {
    let config = good("servers");
    let protocols = &config.receivers[&ComponentId::of("otlp")].protocols;
    let grpc = protocols.grpc.clone().unwrap();
    assert_eq!(grpc.endpoint, ServerAddress::Unix("/run/gramtrace/otlp.sock".into()));
    assert_eq!((grpc.transport, grpc.max_concurrent_streams, grpc.read_buffer_size), (Transport::Unix, 16, 524_288));
    let parameters = KeepaliveParametersConfig {
        max_connection_idle: Duration::from_secs(90),
        max_connection_age: Duration::from_secs(1800),
        max_connection_age_grace: Duration::from_secs(300),
        time: Duration::from_secs(30),
        timeout: Duration::from_secs(5),
    };
    let policy = EnforcementPolicyConfig { min_time: Duration::from_secs(10), permit_without_stream: true };
    assert_eq!((grpc.keepalive.server_parameters, grpc.keepalive.enforcement_policy), (parameters, policy));

    let http = protocols.http.clone().unwrap();
    let timeouts = HttpTimeoutsConfig {
        read_timeout: Duration::from_secs(11),
        read_header_timeout: Duration::from_secs(12),
        write_timeout: Duration::from_secs(13),
        idle_timeout: Duration::from_secs(14),
    };
    assert_eq!(http.timeouts, timeouts);
    let cors = CorsConfig {
        allowed_origins: vec!["https://app.example.com".to_owned(), "https://*.example.org".to_owned()],
        allowed_headers: vec!["x-tenant".to_owned()],
        exposed_headers: vec!["retry-after".to_owned()],
        max_age: 7200,
    };
    assert_eq!(http.cors, Some(cors));
    let addresses: Vec<String> = config.listeners().iter().map(|(_, address)| address.to_string()).collect();
    assert_eq!(addresses, ["localhost:4318", "localhost:8888"], "the socket has no port");
    let printed = config.to_yaml().unwrap();
    assert_eq!(Config::parse("printed", printed.as_bytes(), &variables(&[])).unwrap(), config);
}

#[test]
fn one_memory_limiter_is_for_the_whole_process() {
    let config = good("servers");
    let limiter = config.memory_limiter();
    assert_eq!((limiter.limit_mib, limiter.spike_limit_mib), (400, 100));
    assert_eq!(limiter.check_interval, Duration::from_secs(1));
    assert_eq!(good("forwarding-only").memory_limiter(), MemoryLimiterConfig::default());
}

#[test]
fn budgets_are_of_grams_or_energy_up_to_now_or_by_the_calendar() {
    let config = good("budgets");
    let [everything, search, batch] = &config.processors[&ComponentId::of("gramtrace")].budgets[..] else {
        panic!("{config:?}")
    };
    assert_eq!((everything.limit, everything.period), ("1500kg".parse().unwrap(), PeriodConfig::LastThirtyDays));
    assert_eq!((everything.time_zone.as_deref(), &everything.thresholds[..]), (None, &[50.0, 75.0, 90.0, 100.0][..]));
    let matches: Vec<_> = search.matches.iter().map(|(key, pattern)| (key.as_str(), pattern.as_str())).collect();
    assert_eq!(matches, [("service.name", "shop-*"), ("team.name", "search")]);
    assert_eq!((search.period, search.time_zone.as_deref()), (PeriodConfig::Month, Some("Europe/Berlin")));
    assert_eq!(
        (search.burn_rates, search.count, &search.thresholds[..]),
        (false, CountConfig::High, &[80.0, 100.5][..])
    );
    assert_eq!((batch.limit, batch.time_zone.as_deref()), ("2000Wh".parse().unwrap(), Some("UTC")));
    let printed = config.to_yaml().unwrap();
    assert_eq!(crate::load(&printed, &[]).unwrap().processors, config.processors, "{printed}");
}
