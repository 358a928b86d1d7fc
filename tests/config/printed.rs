//! What `print-config` writes loads again to the same.

use gramtrace::config::{Config, Secret};

use crate::good::{SET, good};
use crate::{files, load, variables};

/// Without what is no part of it: warnings speak of the file.
fn bare(mut config: Config) -> Config {
    config.warnings.clear();
    config
}

#[test]
fn every_good_file_is_printed_so_that_it_loads_to_the_same() {
    for path in files("tests/config/good", "yaml") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let config = bare(good(name));
        let printed = config.to_yaml().unwrap();
        let again = bare(load(&printed, &[]).unwrap_or_else(|errors| panic!("{name}:\n{errors}\n{printed}")));
        assert_eq!(again.to_yaml().unwrap(), printed, "{name}");
        if !printed.contains("REDACTED") {
            assert_eq!(again, config, "{name}");
        }
    }
}

#[test]
fn what_runs_without_a_file_is_printed_so_that_it_loads_to_the_same() {
    let config = Config::default_run(&variables(&[])).unwrap();
    assert_eq!(load(&config.to_yaml().unwrap(), &[]).unwrap(), config);
}

#[test]
fn secrets_are_left_out() {
    let printed = good("secrets").to_yaml().unwrap();
    for secret in ["t0k3n", "word", "NO", "0123"] {
        assert!(!printed.contains(secret), "{secret} in\n{printed}");
    }
    assert_eq!(printed.matches("[REDACTED]").count(), 4, "{printed}");
    assert_eq!(format!("{:?}", Secret::new("t0k3n".to_owned())), "[REDACTED]");
}

#[test]
fn defaults_are_filled_in() {
    let printed = good("forwarding-only").to_yaml().unwrap();
    for line in ["max_recv_msg_size_mib: 64", "compression: gzip", "timeout: 5s", "enabled: false", "port: 8888"] {
        assert!(printed.contains(line), "{line} in\n{printed}");
    }
}

#[test]
fn durations_are_printed_as_the_collector_writes_them() {
    let printed = |timeout: &str| {
        let text = format!(
            "receivers: {{otlp: {{protocols: {{grpc: }}}}}}
exporters: {{otlp_grpc: {{endpoint: 'a:1', timeout: {timeout}}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_grpc]}}}}}}"
        );
        let yaml = load(&text, SET).unwrap().to_yaml().unwrap();
        let exporters = yaml.split("exporters:").nth(1).unwrap();
        exporters.lines().find_map(|line| line.trim().strip_prefix("timeout: ")).unwrap().to_owned()
    };
    assert_eq!(printed("300ms"), "300ms");
    assert_eq!(printed("1.5h"), "1h30m");
    assert_eq!(printed("90s"), "1m30s");
    assert_eq!(printed("1h0m0.25s"), "1h250ms");
    assert_eq!(printed("1500µs"), "1ms500us");
}
