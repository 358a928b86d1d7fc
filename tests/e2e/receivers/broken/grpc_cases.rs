//! What is wrong with frames, compression, headers and protobuf, over gRPC; and with HTTP/2 itself.

use bytes::Bytes;
use gramtrace::wire::Encoding;

use super::{Case, Input, LIMIT, TRACES, call, deflated, framed};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

pub(super) fn cases() -> Vec<Case> {
    [frames(), compression(), bombs(), headers(), protobuf(), http_2()].into_iter().flatten().collect()
}

fn frames() -> Vec<Case> {
    let with = |name, status, body: &'static [u8]| call(("gRPC frame", name), status, "identity", body);
    let frame = |name, body| with(name, "InvalidArgument", body);
    vec![
        frame("no frame at all", b""),
        frame("half a prefix", b"\0\0\0"),
        frame("half a message", b"\0\0\0\0\x09abc"),
        frame("two messages", b"\0\0\0\0\0\0\0\0\0\0"),
        frame("a byte behind the message", b"\0\0\0\0\0a"),
        frame("a flag of 7", b"\x07\0\0\0\0"),
        frame("a flag of 255", b"\xff\0\0\0\x01a"),
        // https://github.com/grpc/grpc/blob/master/doc/compression.md: "MUST fail with INTERNAL status".
        with("a compressed flag without an encoding", "Internal", b"\x01\0\0\0\x01a"),
    ]
}

fn compression() -> Vec<Case> {
    let grams = b"grams per trace ".repeat(100);
    let (gzip, zstd) = (deflated(Encoding::Gzip, &grams), deflated(Encoding::Zstd, &grams));
    let mut bad_checksum = gzip.to_vec();
    let at = bad_checksum.len() - 8;
    bad_checksum[at] ^= 1;
    let with =
        |name, status, encoding, message: &[u8]| call(("compression", name), status, encoding, framed(true, message));
    let case = |name, encoding, message: &[u8]| with(name, "InvalidArgument", encoding, message);
    let twice = deflated(Encoding::Gzip, &gzip);
    vec![
        case("gzip that is none", "gzip", b"no gzip"),
        case("gzip that ends early", "gzip", &gzip[..gzip.len() - 9]),
        case("gzip with a wrong checksum", "gzip", &bad_checksum),
        case("gzip with bytes behind it", "gzip", &[&gzip, &b"more"[..]].concat()),
        case("the header of gzip alone", "gzip", &gzip[..10]),
        case("gzip in gzip", "gzip", &twice),
        case("zstd that is none", "zstd", b"no zstd"),
        case("zstd that ends early", "zstd", &zstd[..zstd.len() - 3]),
        case("gzip as zstd", "zstd", &gzip),
        case("zstd as gzip", "gzip", &zstd),
        case("zstd with bytes behind it", "zstd", &[&zstd, &b"more"[..]].concat()),
        // RFC 8878, 3.1.1.1.3: a frame that needs dictionary 7.
        case("zstd with a dictionary", "zstd", b"\x28\xb5\x2f\xfd\x21\x07\x00\x01\x00\x00"),
        case("zstd with a window of 16 MiB", "zstd", b"\x28\xb5\x2f\xfd\x00\x70\x01\x00\x00"),
        case("zstd with a window of 2 TiB", "zstd", b"\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00"),
        // The same page: UNIMPLEMENTED.
        with("snappy", "Unimplemented", "snappy", b"a"),
        with("a name of many bytes", "Unimplemented", NAME_OF_MANY_BYTES, b"a"),
    ]
}

const NAME_OF_MANY_BYTES: &str =
    "snappysnappysnappysnappysnappysnappysnappysnappysnappysnappysnappysnappysnappysnappysnappy";

fn bombs() -> Vec<Case> {
    let case = |name, encoding, body| call(("bomb", name), "ResourceExhausted", encoding, body);
    vec![
        case("a length of 4 GiB", "identity", Bytes::from_static(b"\0\xff\xff\xff\xffabc")),
        case("a length of one byte over the limit", "identity", Bytes::from_static(b"\0\x00\x40\x00\x01abc")),
        case("a compressed length of 4 GiB", "gzip", Bytes::from_static(b"\x01\xff\xff\xff\xffabc")),
        case("a message over the limit", "identity", framed(false, &vec![0; LIMIT + 1])),
        case("gzip of 64 MiB", "gzip", framed(true, &deflated(Encoding::Gzip, &vec![0; 64 << 20]))),
        case("zstd of 64 MiB", "zstd", framed(true, &deflated(Encoding::Zstd, &vec![0; 64 << 20]))),
        case("gzip of one byte over the limit", "gzip", framed(true, &deflated(Encoding::Gzip, &vec![0; LIMIT + 1]))),
        case(
            "many members of gzip",
            "gzip",
            framed(true, &deflated(Encoding::Gzip, &vec![0; 1 << 20]).repeat(LIMIT / (1 << 20) + 1)),
        ),
    ]
}

fn headers() -> Vec<Case> {
    let case = |(name, status), method, path, headers: &[(&'static str, &[u8])]| {
        let headers = headers.iter().map(|(name, value)| (*name, value.to_vec())).collect();
        let body = Bytes::from_static(b"\0\0\0\0\0");
        Case { kind: "gRPC headers", name, status, input: Input::Call { method, path, headers, body } }
    };
    let grpc: (&'static str, &[u8]) = ("content-type", b"application/grpc");
    let timeout = |name, value| case((name, "InvalidArgument"), "POST", TRACES, &[grpc, ("grpc-timeout", value)]);
    vec![
        case(("no content type", "InvalidArgument 415"), "POST", TRACES, &[]),
        case(("a page's content type", "InvalidArgument 415"), "POST", TRACES, &[("content-type", b"text/html")]),
        case(("gRPC with JSON", "InvalidArgument 415"), "POST", TRACES, &[("content-type", b"application/grpc+json")]),
        case(
            ("a content type of no text", "InvalidArgument 415"),
            "POST",
            TRACES,
            &[("content-type", b"application/\xff\xfe")],
        ),
        case(("GET", "Unimplemented 405"), "GET", TRACES, &[grpc]),
        case(("DELETE", "Unimplemented 405"), "DELETE", TRACES, &[grpc]),
        case(
            ("a method that there is not", "Unimplemented"),
            "POST",
            "/opentelemetry.proto.collector.trace.v1.TraceService/Drop",
            &[grpc],
        ),
        case(("a service that there is not", "Unimplemented"), "POST", "/../../etc/passwd", &[grpc]),
        case(("an encoding of no text", "Unimplemented"), "POST", TRACES, &[grpc, ("grpc-encoding", b"gz\xefp")]),
        timeout("a timeout without a unit", b"10"),
        timeout("a negative timeout", b"-1S"),
        timeout("a timeout of nine digits", b"123456789S"),
    ]
}

fn protobuf() -> Vec<Case> {
    let with = |name, status, message: &[u8]| call(("protobuf", name), status, "identity", framed(false, message));
    let case = |name, message: &[u8]| with(name, "InvalidArgument", message);
    let within = |bytes: &[u8]| {
        // resource_spans { scope_spans { spans { .. } } }
        [0x0a, 0x12, 0x12]
            .iter()
            .fold(bytes.to_vec(), |inner, tag| [&[*tag, u8::try_from(inner.len()).unwrap()], &inner[..]].concat())
    };
    vec![
        case("no protobuf", b"\xff"),
        case("a tag of more than ten bytes", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        case("field 0", b"\x02\x00"),
        case("wire type 6", b"\x0e"),
        case("wire type 7", b"\x0f"),
        case("a group that does not end", b"\x0b"),
        case("the end of no group", b"\x0c"),
        case("a length beyond the end", b"\x0a\x05a"),
        case("a length of 2^63", b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
        case("a number where resources are", b"\x08\x01"),
        case("a span that is longer than its scope", b"\x0a\x04\x12\x02\x12\x09"),
        with("attributes cut off in a span: for the backend to say", "Ok", &within(b"\x4a\x7f\x0a")),
        with("a name of no UTF-8: for the backend to say", "Ok", &within(b"\x2a\x02\xff\xfe")),
        case("groups in groups", &b"\x0b".repeat(100_000)),
    ]
}

fn http_2() -> Vec<Case> {
    let bytes =
        |name, status, bytes: &[&[u8]]| Case { kind: "HTTP/2", name, status, input: Input::GrpcBytes(bytes.concat()) };
    let case = |name, status, frame: &[u8]| bytes(name, status, &[PREFACE, SETTINGS, frame]);
    // The errors are those of RFC 9113 at the sections that are named.
    vec![
        bytes("HTTP/1.1 to the gRPC port", "415", &[b"POST / HTTP/1.1\r\nhost: localhost\r\n\r\n"]),
        bytes(
            "OTLP over HTTP to the gRPC port",
            "415",
            &[b"POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"],
        ),
        bytes(
            "gRPC over HTTP/1.1",
            "505",
            &[b"POST ", TRACES.as_bytes(), b" HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\n\r\n"],
        ),
        bytes(
            "no HTTP at all",
            "400",
            &[b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client's hello of TLS, to plain text"],
        ),
        // 4.2
        case("a frame that is too long", "FRAME_SIZE_ERROR", b"\xff\xff\xff\x00\0\0\0\0\x01"),
        // 6.2
        case("headers on stream 0", "PROTOCOL_ERROR", b"\0\0\x01\x01\x04\0\0\0\0\x82"),
        // 4.3 would have COMPRESSION_ERROR; h2 names the error that stands for all.
        case("headers that cannot be unpacked", "PROTOCOL_ERROR", b"\0\0\x02\x01\x04\0\0\0\x01\xff\xff"),
        // 5.1, idle
        case("data on a stream that is not open", "PROTOCOL_ERROR", b"\0\0\x01\x00\0\0\0\0\x05a"),
        // 6.7 would have FRAME_SIZE_ERROR; likewise.
        case("a ping of the wrong length", "PROTOCOL_ERROR", b"\0\0\x07\x06\0\0\0\0\0abcdefg"),
        // 6.9.1
        case("a window beyond its bounds", "FLOW_CONTROL_ERROR", b"\0\0\x04\x08\0\0\0\0\0\x7f\xff\xff\xff"),
    ]
}
