//! What is wrong with requests of HTTP/1.1, their headers, compression and protobuf.

use gramtrace::wire::Encoding;

use super::{Case, Input, LIMIT, deflated, post};

const PROTOBUF: &str = "content-type: application/x-protobuf";
const JSON: &str = "content-type: application/json";
const HEAD: &str = "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";

pub(super) fn cases() -> Vec<Case> {
    [http_1(), headers(), compression(), bombs(), protobuf(), broken_off()].into_iter().flatten().collect()
}

fn bytes((kind, name): (&'static str, &'static str), status: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    Case { kind, name, status, input: Input::HttpBytes(bytes.into()) }
}

fn http_1() -> Vec<Case> {
    let sized = |name, status, rest: &str| bytes(("HTTP/1.1", name), status, format!("{HEAD}{rest}"));
    let case = |name, rest: &str| sized(name, "400", rest);
    vec![
        bytes(("HTTP/1.1", "no HTTP at all"), "400", &b"\x01\x02\x03\r\n\r\n"[..]),
        bytes(("HTTP/1.1", "a version that there is not"), "400", &b"POST /v1/traces HTTP/7.0\r\n\r\n"[..]),
        case("a length that is none", "content-length: many\r\n\r\n"),
        case("a negative length", "content-length: -1\r\n\r\n"),
        case("two lengths", "content-length: 1\r\ncontent-length: 2\r\n\r\n"),
        case("a length and chunks", "content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        case("a chunk that is none", "transfer-encoding: chunked\r\n\r\nzz\r\n"),
        case("a chunk of 2^64 bytes", "transfer-encoding: chunked\r\n\r\n10000000000000000\r\n"),
        case("chunks that are encoded unknown", "transfer-encoding: lzma\r\n\r\n"),
        case("a header without a colon", "nonsense\r\n\r\n"),
        case("a header with a zero in it", "x: a\0b\r\n\r\n"),
        // RFC 6585, section 5.
        sized("a header of a MiB", "431", &format!("x: {}\r\n\r\n", "x".repeat(1 << 20))),
        sized("a thousand headers", "431", &format!("{}\r\n", "x: y\r\n".repeat(1000))),
    ]
}

fn headers() -> Vec<Case> {
    let plain = |name, method: &str, path: &str| {
        bytes(("headers", name), "405", format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
    };
    let case = |name, status, path: &str, headers: &[&str]| post(("headers", name), status, path, headers, b"{}");
    vec![
        plain("GET", "GET", "/v1/traces"),
        plain("OPTIONS", "OPTIONS", "/v1/traces"),
        plain("a method of its own", "SPLICE", "/v1/traces"),
        case("a path that there is not", "404", "/v1/spans", &[JSON]),
        case("a path with an escaped line in it", "404", "/v1/%0d%0atraces", &[JSON]),
        case("a path of many bytes", "404", &format!("/{}", "a".repeat(4000)), &[JSON]),
        case("no content type", "415", "/v1/traces", &[]),
        case("a form's content type", "415", "/v1/traces", &["content-type: application/x-www-form-urlencoded"]),
        case("gRPC's content type", "415", "/v1/traces", &["content-type: application/grpc"]),
    ]
}

fn compression() -> Vec<Case> {
    let gzip = deflated(Encoding::Gzip, b"{}");
    let zstd = deflated(Encoding::Zstd, &b"grams per trace ".repeat(100));
    let case = |name, status, headers: &[&str], body: &[u8]| {
        post(("HTTP compression", name), status, "/v1/traces", headers, body)
    };
    vec![
        case("brotli", "415", &[JSON, "content-encoding: br"], b"{}"),
        case("two encodings", "415", &[JSON, "content-encoding: gzip, gzip"], b"{}"),
        case("an encoding of no text", "415", &[JSON, "content-encoding: gz\u{ef}p"], b"{}"),
        case("gzip that is none", "400", &[JSON, "content-encoding: gzip"], b"{}"),
        case("gzip that ends early", "400", &[PROTOBUF, "content-encoding: gzip"], &gzip[..gzip.len() - 4]),
        case("zstd that ends early", "400", &[PROTOBUF, "content-encoding: zstd"], &zstd[..zstd.len() - 3]),
        case(
            "zstd with a window of 16 MiB",
            "400",
            &[JSON, "content-encoding: zstd"],
            b"\x28\xb5\x2f\xfd\x00\x70\x01\x00\x00",
        ),
    ]
}

fn bombs() -> Vec<Case> {
    let head = format!("{HEAD}expect: 100-continue\r\n");
    let case = |name, headers: &[&str], body: &[u8]| post(("HTTP bomb", name), "413", "/v1/traces", headers, body);
    // Each `1,` becomes eight bytes of protobuf.
    let counts = "1,".repeat(LIMIT * 2 / 5);
    let blown = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{counts}1]}}]}}}}]}}]}}]}}"#
    );
    vec![
        bytes(("HTTP bomb", "a length of an EiB"), "413", format!("{head}content-length: 1152921504606846976\r\n\r\n")),
        case("a body over the limit", &[PROTOBUF], &vec![0; LIMIT + 1]),
        case("gzip of 64 MiB", &[JSON, "content-encoding: gzip"], &deflated(Encoding::Gzip, &vec![b' '; 64 << 20])),
        case("zstd of 64 MiB", &[PROTOBUF, "content-encoding: zstd"], &deflated(Encoding::Zstd, &vec![0; 64 << 20])),
        post(("HTTP bomb", "numbers that grow beyond the limit"), "413", "/v1/metrics", &[JSON], blown.as_bytes()),
    ]
}

fn protobuf() -> Vec<Case> {
    let case = |name, path: &str, body: &[u8]| post(("HTTP protobuf", name), "400", path, &[PROTOBUF], body);
    vec![
        case("no protobuf", "/v1/traces", b"\x07"),
        case("JSON as protobuf", "/v1/traces", b"{}"),
        case("metrics that are none", "/v1/metrics", b"\x0a\x05a"),
        case("logs that are none", "/v1/logs", b"\x0a\x05a"),
        case("a gRPC frame", "/v1/traces", b"\0\0\0\0\x03\x0a\x01a"),
    ]
}

fn broken_off() -> Vec<Case> {
    let all = |name, status, bytes: &str| Case {
        kind: "broken off",
        name,
        status,
        input: Input::HttpBytesAndEnd(bytes.into()),
    };
    // Nothing of it was taken, so it may be sent again.
    let case = |name, rest: &str| all(name, "503", &format!("{HEAD}{rest}"));
    vec![
        all("half a request line", "closed", "POST /v1/tra"),
        all("half the headers", "closed", HEAD),
        case("half a body", "content-length: 9\r\n\r\n{"),
        case("half a chunk", "transfer-encoding: chunked\r\n\r\n9\r\n{"),
        case("chunks without an end", "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"),
    ]
}
