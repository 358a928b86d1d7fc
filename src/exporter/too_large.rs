//! How backends say that a message is larger than they take: each implementation of gRPC has words of its own for it,
//! under a code that means other things too. Knows words; decides what they mean for no request.

use http::StatusCode;
use tonic::Code;

/// In lower case, as they stand in the sources of:
const WORDS: [&str; 6] = [
    // grpc-go and those who copy it ("received message larger than max (5 vs. 4)", "message after decompression larger
    // than max", "trying to send message larger than max" from a hop behind the backend), gRPC core (C++, Python,
    // Ruby, PHP), grpc-js.
    "larger than max",
    // grpc-java: "gRPC message exceeds maximum size 4: 5", "Decompressed gRPC message exceeds maximum size 4".
    "message exceeds maximum size",
    // grpc-dotnet.
    "exceeds the maximum configured message size",
    // tonic: "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes".
    "message length too large",
    // tonic, for a compressed message.
    "exceeded while decompressing message",
    // gramtrace itself.
    "the request is larger than",
];

/// Whether a gRPC status says that the message is too large. tonic says OUT_OF_RANGE, the others RESOURCE_EXHAUSTED.
pub(super) fn grpc(code: Code, message: &str) -> bool {
    matches!(code, Code::ResourceExhausted | Code::OutOfRange) && says(message, &WORDS)
}

/// Whether an HTTP answer says that the body is too large: 413, or the 400 that a Go server makes of its body reader's
/// error.
pub(super) fn http(status: StatusCode, message: &str) -> bool {
    let from_go = status == StatusCode::BAD_REQUEST && says(message, &["request body too large"]);
    from_go || status == StatusCode::PAYLOAD_TOO_LARGE
}

fn says(message: &str, words: &[&str]) -> bool {
    let message = message.to_lowercase();
    words.iter().any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o_52_the_words_of_each_grpc_are_known() {
        for (code, message) in [
            (Code::ResourceExhausted, "grpc: received message larger than max (5268750 vs. 4194304)"),
            (Code::ResourceExhausted, "grpc: received message after decompression larger than max (5 vs. 4)"),
            (Code::ResourceExhausted, "grpc: message after decompression larger than max 4194304"),
            (Code::ResourceExhausted, "trying to send message larger than max (5268750 vs. 4194304)"),
            (Code::ResourceExhausted, "SERVER: Received message larger than max (5268750 vs. 4194304)"),
            (Code::ResourceExhausted, "Received message larger than max (5268750 vs 4194304)"),
            (Code::ResourceExhausted, "gRPC message exceeds maximum size 4194304: 5268750"),
            (Code::ResourceExhausted, "Decompressed gRPC message exceeds maximum size 4194304"),
            (Code::ResourceExhausted, "Received message exceeds the maximum configured message size."),
            (
                Code::OutOfRange,
                "Error, decoded message length too large: found 5268750 bytes, the limit is: 4194304 bytes",
            ),
            (
                Code::ResourceExhausted,
                "Error decompressing: size limit, of 4194304 bytes, exceeded while decompressing message",
            ),
            (
                Code::ResourceExhausted,
                "the request is larger than 65536 bytes: send smaller batches or raise the receiver's limit",
            ),
        ] {
            assert!(grpc(code, message), "{code:?} {message}");
        }
    }

    #[test]
    fn o_52_exhaustion_of_other_kinds_and_other_codes_are_not_about_size() {
        for (code, message) in [
            (Code::ResourceExhausted, ""),
            (Code::ResourceExhausted, "memory limit exceeded"),
            (Code::ResourceExhausted, "quota of 4194304 spans per minute exceeded"),
            (Code::OutOfRange, "start time is before the retention period"),
            (Code::InvalidArgument, "attribute value larger than max"),
            (Code::Internal, "grpc: received message larger than max (5 vs. 4)"),
        ] {
            assert!(!grpc(code, message), "{code:?} {message}");
        }
    }

    #[test]
    fn o_52_an_http_body_is_too_large_by_413_or_by_the_words_of_go() {
        assert!(http(StatusCode::PAYLOAD_TOO_LARGE, ""));
        assert!(http(StatusCode::BAD_REQUEST, "HTTP 400: http: request body too large"));
        assert!(!http(StatusCode::BAD_REQUEST, "trace id is too large"));
        assert!(!http(StatusCode::SERVICE_UNAVAILABLE, "request body too large"));
    }
}
