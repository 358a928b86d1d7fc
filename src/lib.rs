//! gramtrace (grams per trace): OTLP in, OTLP out, with the energy and the CO2e of every GenAI model call on its span,
//! as a range with its provenance. A library with a thin binary; no code in this file.
//!
//! # The life of one request
//! [`receiver`] takes a gRPC message or an HTTP body, under a cap, and inflates it ([`wire`]); JSON becomes protobuf
//! ([`otlp::json`]). [`pipeline`] has [`enrich`] plan (walk the bytes with [`otlp`], read model calls with [`genai`], find
//! factor and place in [`factors`], estimate with [`estimate`]), settle which reports count, and splice receipts into
//! the bytes. An [`exporter`] sends them, and the backend's answer is the sender's, or a [`rejection`] says why not. What
//! was acknowledged is booked: in the counters of [`telemetry`], in each [`budget`] that it fits, and in the ledger of
//! [`trace`], by which the totals of roots and the answers of the lookup API are made.
//! # The modules
//! [`units`], [`semconv`] and [`hex`] are the words that all of them use: quantities, attribute keys, ids; [`keyed`] hashes
//! ids. [`trace`] holds what is known of traces: the ledger of a running service, and receipts read back for people.
//! [`document`] reads files that users write, with their lines; [`config`] is the configuration; [`app`] builds a service
//! from it; [`cli`] holds the commands. [`budget`] holds limits against what was booked, [`store`] keeps that on disk, and
//! [`alerts`] tells of it; [`telemetry`] counts and logs, [`admin`] serves health, metrics, and the lookup API with its
//! page. Who may import whom is a table that a test holds the tree to.

pub mod admin;
pub mod alerts;
pub mod app;
pub mod budget;
pub mod cli;
pub mod config;
pub mod document;
pub mod enrich;
pub mod estimate;
pub mod exporter;
pub mod factors;
pub mod genai;
pub mod hex;
pub mod keyed;
pub mod otlp;
pub mod pipeline;
pub mod receiver;
pub mod rejection;
pub mod semconv;
pub mod store;
pub mod telemetry;
pub mod trace;
pub mod units;
pub mod wire;
