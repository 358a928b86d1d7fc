//! The points of the protocol that this hop answers for, by number: each has a test whose name begins with it, such as
//! `o_13_o_14_a_body_at_the_limit_is_taken`. The points are those of the OTLP specification 1.11, of its exporters, and of
//! the Collector's behaviour that users rely on.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// Every point, and what it asks for.
const POINTS: &[(u8, &str)] = &[
    (1, "gRPC on 4317 and HTTP on 4318, on localhost"),
    (2, "the Export methods of the three signals"),
    (3, "POST to the paths of the signals, which are configurable"),
    (4, "protobuf and JSON on one port; the answer in the request's type"),
    (5, "HTTP/1.1 and HTTP/2"),
    (6, "405 for what is no POST, 415 for another content type"),
    (7, "404 for an unknown path"),
    (10, "uncompressed, gzip and zstd"),
    (11, "an unknown encoding is 415 and UNIMPLEMENTED; a corrupt body 400 and INVALID_ARGUMENT"),
    (13, "a limit before inflating: RESOURCE_EXHAUSTED without RetryInfo, 413"),
    (14, "the same limit after inflating"),
    (15, "an answer of at most 4 MiB"),
    (16, "no request over 64 MiB is sent; an answer over 4 MiB is not retried"),
    (17, "success is a message without partial_success, 200"),
    (18, "an empty request is a success"),
    (19, "a backend's partial success is handed back and counted"),
    (20, "a partial success is not sent again"),
    (21, "what cannot be decoded is INVALID_ARGUMENT, 400"),
    (22, "every refusal over HTTP is a google.rpc.Status in the request's type"),
    (23, "overload is UNAVAILABLE with RetryInfo, 503 with Retry-After"),
    (24, "RESOURCE_EXHAUSTED for a passing condition only with RetryInfo"),
    (25, "the codes that are retried"),
    (26, "the statuses that are retried"),
    (27, "Retry-After in seconds and as a date"),
    (28, "RetryInfo"),
    (29, "back-off with jitter"),
    (30, "a User-Agent with name and version"),
    (31, "ids in JSON are hex in any case"),
    (32, "enums in JSON are integers"),
    (33, "names in JSON are lowerCamelCase alone"),
    (34, "unknown fields in JSON are ignored"),
    (35, "64-bit integers in JSON are strings or numbers"),
    (36, "NaN, Infinity, base64, null and {} in JSON"),
    (37, "the protocol's own examples"),
    (38, "metrics and logs go through untouched"),
    (39, "everything that the protocol knows of a span survives"),
    (41, "unknown fields survive"),
    (42, "envelopes are never reordered, merged or created"),
    (43, "spans with invalid ids pass and are never remembered"),
    (44, "an enriched span is not enriched or counted again"),
    (45, "requests run at the same time, with a limit"),
    (46, "keepalive and connection age"),
    (48, "each exporter's outcome is its own"),
    (49, "no CORS unless origins are named"),
    (50, "an end that finishes what is under way"),
    (51, "the health service of gRPC"),
    (52, "a request that outgrows the backend's limit is not lost"),
    (53, "an exporter to a listener of this process is refused"),
];

/// The tests of each point, in the files below `folders`.
fn tests(folders: &[&str]) -> BTreeMap<u8, BTreeSet<String>> {
    let mut tests: BTreeMap<u8, BTreeSet<String>> = BTreeMap::new();
    for file in folders.iter().flat_map(|folder| Source::all_under(folder, &["rs"])) {
        for name in test_names(&file.text) {
            for point in points(name) {
                tests.entry(point).or_default().insert(name.to_owned());
            }
        }
    }
    tests
}

/// The functions of a file that are run as tests: those with the attribute right above them.
fn test_names(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("fn ").filter_map(|(at, _)| {
        let attributes = text[..at].rsplit("\n\n").next()?.rsplit("}\n").next()?;
        let is_test = attributes.lines().any(|line| {
            let line = line.trim();
            line == "#[test]" || line.starts_with("#[tokio::test")
        });
        is_test.then(|| text[at + 3..].split('(').next()).flatten()
    })
}

#[test]
fn what_only_has_the_name_of_a_test_is_none() {
    let text = "#[test]\nfn o_01_one() {}\n\nfn o_02_two() {}\n\n#[tokio::test(start_paused = true)]\nasync fn o_03_three() {}\n\
                fn o_04_four() {}\n";
    assert_eq!(test_names(text).collect::<Vec<_>>(), ["o_01_one", "o_03_three"]);
}

/// The points that a test's name begins with.
fn points(mut name: &str) -> Vec<u8> {
    let mut points = Vec::new();
    while let Some((number, rest)) = name.strip_prefix("o_").and_then(|rest| rest.split_once('_')) {
        let Ok(number) = number.parse() else { break };
        points.push(number);
        name = rest;
    }
    points
}

#[test]
fn a_name_begins_with_its_points() {
    assert_eq!(points("o_13_o_14_a_body"), [13, 14]);
    assert_eq!(points("o_05_http_2"), [5]);
    assert_eq!(points("only_one_o_13"), [0_u8; 0]);
}

#[test]
fn every_point_of_the_protocol_has_a_test_that_names_it() {
    let tests = tests(&["src", "tests"]);
    let missing: Vec<_> = POINTS.iter().filter(|(number, _)| !tests.contains_key(number)).collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
    let known: BTreeSet<u8> = POINTS.iter().map(|(number, _)| *number).collect();
    let unknown: Vec<_> = tests.iter().filter(|(number, _)| !known.contains(number)).collect();
    assert!(unknown.is_empty(), "no such point: {unknown:?}");
}
