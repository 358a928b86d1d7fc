//! What a process says at its start of what it has kept, and of what it has not.

use std::path::Path;

use crate::process::Service;
use crate::sink::Sink;

/// Starts a process, gives the line of its log that has `marker`, and ends it.
async fn said(file: &Path, marker: &'static str) -> String {
    let file = file.to_owned();
    let start = move || {
        let service = Service::start(&file);
        (service.line(marker), service.line("budgets are watched"), service)
    };
    let (line, watched, service) = tokio::task::spawn_blocking(start).await.unwrap();
    assert!(watched.contains("budgets=1 alertmanagers=1 webhooks=0"), "{watched}");
    assert_eq!(service.terminate().await.0, Some(0));
    line
}

#[tokio::test]
async fn a_start_says_what_budgets_go_on_with_and_what_they_lack() {
    let (folder, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let (file, state) = (folder.path().join("gramtrace.yaml"), folder.path().join("state"));
    let config = format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}
processors: {{gramtrace: {{budgets: [{{name: all, limit: 1t}}]}}}}
exporters: {{otlp_grpc: {{endpoint: '{}', tls: {{insecure: true}}}}}}
extensions: {{gramtrace_budgets: {{directory: '{}', alertmanagers: [{{endpoint: 'http://127.0.0.1:1'}}]}}}}
service:
  extensions: [gramtrace_budgets]
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [otlp_grpc]}}}}
  telemetry: {{metrics: {{level: none}}}}
",
        sink.address,
        state.display()
    );
    std::fs::write(&file, config).unwrap();
    let log = state.join("budgets.log");
    said(&file, "nothing was kept before").await;
    let goes_on = said(&file, "budgets go on with what was kept").await;
    assert!(goes_on.contains(&format!("store={}", state.display())) && goes_on.contains("latest=20"), "{goes_on}");
    std::fs::write(&log, "").unwrap();
    said(&file, "is empty, as if somebody had emptied it: budgets begin at nothing").await;
    std::fs::remove_file(&log).unwrap();
    said(&file, "is gone from a folder that was used for one: budgets begin at nothing").await;
    let mut text = std::fs::read_to_string(&log).unwrap();
    text.push_str("damage\n");
    text.push_str(&text.clone());
    std::fs::write(&log, text).unwrap();
    let damaged = said(&file, "is damaged and set aside").await;
    assert!(damaged.contains("everything that was booked after 20") && damaged.contains("is missing"), "{damaged}");
    std::fs::write(&log, "no store\n").unwrap();
    let lost = said(&file, "is damaged and set aside").await;
    assert!(lost.contains("all that was ever booked is missing: they begin at nothing"), "{lost}");
}
