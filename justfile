# The steps of .ci/run by name: what passes here passes there. Needs nothing but `just`; without it, call .ci/run itself.

# Every step, in the order of .ci/run
ci:
    .ci/run

# Formatting, without changing anything
fmt:
    .ci/run fmt

# Lints of the library, the binary and the tests
clippy:
    .ci/run clippy

# The documentation builds without warnings
doc:
    .ci/run doc

# Licences, sources and duplicates of dependencies
deny:
    .ci/run deny

# Unit, integration and documentation tests
test:
    .ci/run test

# Real clients through the real binary
clients:
    .ci/run clients

# Random traces through the real binary, against a slow oracle of counting
counting:
    .ci/run counting

# The arithmetic of the energy measurement; to measure, tests/measure/run
measure:
    .ci/run measure

# A real Collector before, after and around the real binary
neighbours:
    .ci/run neighbours

# The image's contents, the systemd unit, the manifests
deploy:
    .ci/run deploy

# A hundred kill -9, after each of which budgets are compared with what was acknowledged
kill:
    tests/budgets/run

# Ten minutes under faults, through the real binary
fault:
    tests/fault/run

# The main job with nothing else installed
demo:
    cargo run --release -- demo
