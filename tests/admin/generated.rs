//! What is checked in as generated is what `proto/gramtrace/v1/traces.proto` gives, with a compiler that needs no other
//! program. `GRAMTRACE_GENERATE=1 cargo test --test admin generated` writes it anew.

use std::fs;
use std::path::Path;

use prost::Message;

#[test]
fn generated_code_is_that_of_the_source() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let made = tempfile::tempdir().unwrap();
    let files = protox::compile(["gramtrace/v1/traces.proto"], [&source]).unwrap();
    fs::write(made.path().join("descriptor.bin"), files.encode_to_vec()).unwrap();
    tonic_prost_build::configure().out_dir(made.path()).compile_fds(files).unwrap();
    for name in ["descriptor.bin", "gramtrace.v1.rs"] {
        let (made, kept) = (made.path().join(name), source.join("gramtrace/v1").join(name));
        if std::env::var_os("GRAMTRACE_GENERATE").is_some() {
            fs::copy(&made, &kept).unwrap();
        }
        assert!(fs::read(made).unwrap() == fs::read(kept).unwrap(), "{name}: run this with GRAMTRACE_GENERATE=1");
    }
}
