//! Hostile and broken input to the real binary. What status each must have stands with it, from the specifications; the
//! message and what it is counted as stand in `expected.txt`. After each the same process answers a good request. And what
//! bombs cost in resident memory.

mod bombs;
mod grpc_cases;
mod http_cases;
mod json_cases;
#[path = "../../../service/process.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with tests that need more of it")]
mod process;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use bytes::Bytes;
use gramtrace::wire::{Encoding, frame};
use target::Target;

/// The limit on a body of the binary in these tests.
const LIMIT: usize = 4 << 20;

/// One input.
struct Case {
    /// What is wrong with it, in one word or two.
    kind: &'static str,
    /// What it is.
    name: &'static str,
    /// What must be answered: a code of gRPC, with the HTTP status where that is not 200; an HTTP status; or the error of
    /// HTTP/2 that ends the connection. Malformed data is `InvalidArgument` and 400, too much of it `ResourceExhausted`
    /// and 413, what is not spoken `Unimplemented` and 415: <https://opentelemetry.io/docs/specs/otlp/#failures>,
    /// <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>, RFC 9110, section 15.5.
    status: &'static str,
    input: Input,
}

enum Input {
    /// A call over gRPC.
    Call { method: &'static str, path: &'static str, headers: Vec<(&'static str, Vec<u8>)>, body: Bytes },
    /// Bytes on a connection to the gRPC port.
    GrpcBytes(Vec<u8>),
    /// Bytes on a connection to the HTTP port.
    HttpBytes(Vec<u8>),
    /// The same, after which the sender closes its side.
    HttpBytesAndEnd(Vec<u8>),
}

/// What an input was answered: status, message, and what it was counted as.
struct Answered {
    status: String,
    message: String,
    counted: String,
}

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

fn call(
    (kind, name): (&'static str, &'static str),
    status: &'static str,
    encoding: &'static str,
    body: impl Into<Bytes>,
) -> Case {
    let headers = vec![("content-type", b"application/grpc".to_vec()), ("grpc-encoding", encoding.as_bytes().to_vec())];
    Case { kind, name, status, input: Input::Call { method: "POST", path: TRACES, headers, body: body.into() } }
}

/// A message in a frame.
fn framed(compressed: bool, message: &[u8]) -> Bytes {
    [&frame::prefix(compressed, message.len()).unwrap()[..], message].concat().into()
}

fn deflated(encoding: Encoding, body: &[u8]) -> Bytes {
    encoding.deflate(&Bytes::copy_from_slice(body), 1).unwrap()
}

/// A POST over HTTP/1.1, with these header lines.
fn post(
    (kind, name): (&'static str, &'static str),
    status: &'static str,
    path: &str,
    headers: &[&str],
    body: &[u8],
) -> Case {
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
    headers.iter().for_each(|header| write!(head, "{header}\r\n").unwrap());
    Case { kind, name, status, input: Input::HttpBytes([head.as_bytes(), b"\r\n", body].concat()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o_11_o_21_o_22_each_broken_input_has_its_answer_and_the_next_request_is_served() {
    let cases: Vec<Case> =
        [grpc_cases::cases(), http_cases::cases(), json_cases::cases()].into_iter().flatten().collect();
    let kinds: BTreeMap<&str, usize> = cases.iter().fold(BTreeMap::new(), |mut kinds, case| {
        *kinds.entry(case.kind).or_default() += 1;
        kinds
    });
    assert!(cases.len() >= 60 && kinds.len() >= 10, "{} of {kinds:?}", cases.len());
    let names: BTreeSet<_> = cases.iter().map(|case| (case.kind, case.name)).collect();
    assert_eq!(names.len(), cases.len(), "each has a name of its own");

    let target = Target::start(&format!("max_recv_msg_size_mib: {}", LIMIT >> 20), &format!("{LIMIT}"), "256").await;
    let mut told = String::new();
    for Case { kind, name, status: must, input } in cases {
        let Answered { status, message, counted } = target.answer_to(input).await;
        assert_eq!(status, must, "{kind}: {name}: {message}");
        writeln!(told, "{kind}: {name}\n    {status} | {counted} | {message}").unwrap();
        target.serves_good_requests(&format!("{kind}: {name}")).await;
    }
    let expected = include_str!("expected.txt");
    for (is, should) in told.split_inclusive('\n').zip(expected.split_inclusive('\n')) {
        assert_eq!(is, should, "all of it:\n{told}");
    }
    assert_eq!(told, expected);
}
