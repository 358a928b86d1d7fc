//! The cases that are measured: what is sent, how, and what is compared.

use std::path::{Path, PathBuf};

use gramtrace::wire::Encoding;

use crate::traffic::{GenAi, MIX, Order, Shape, Size};

/// What stands between sender and backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Passes requests on as streams of bytes.
    Opaque,
    /// Inflates and compresses messages as tonic does, and does nothing else.
    Recompressing,
    /// The real binary without a processor.
    Forwarding,
    /// The real binary at `headline`.
    Headline,
    /// The same without totals of traces.
    HeadlineAlone,
    /// The real binary at `standard`.
    Standard,
    /// A real Go Collector that passes traces on, with neither queue nor batches: direct, as the real binary is.
    Collector,
    /// The same with a transform processor that multiplies tokens into six attributes of each model call.
    CollectorTransforming,
    /// The same with a hundred budgets, and metrics by four attributes of about a thousand origins.
    Budgets,
    /// The same with so many more models in its registry.
    Models(u32),
}

impl Subject {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opaque => "opaque proxy",
            Self::Recompressing => "proxy with tonic's gzip",
            Self::Forwarding => "gramtrace, no processor",
            Self::Headline => "gramtrace, headline",
            Self::HeadlineAlone => "gramtrace, headline, no totals of traces",
            Self::Standard => "gramtrace, standard",
            Self::Collector => "Go Collector, forwarding",
            Self::CollectorTransforming => "Go Collector, transform",
            Self::Budgets => "gramtrace, standard, 100 budgets, 4 labels",
            Self::Models(10) => "gramtrace, standard, 10 more models",
            Self::Models(1000) => "gramtrace, standard, 1,000 more models",
            Self::Models(_) => "gramtrace, standard, 10,000 more models",
        }
    }
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: &'static str,
    pub shape: Shape,
    pub encoding: Encoding,
    pub is_http: bool,
    pub threads: u8,
    pub connections: usize,
    /// The largest HTTP/2 frame, in bytes, that is sent to what is measured, and that the backend takes.
    pub max_frame: u32,
    /// Where latency is measured, the rate that is kept; else as fast as it goes.
    pub spans_a_second: Option<u32>,
    /// How many times the usual number of spans a run has.
    pub runs_on: usize,
    /// What is compared; the ratios are to the first.
    pub subjects: &'static [Subject],
}

impl Case {
    /// By a part of its name, or by its whole name and a `$`.
    pub fn is_meant_by(&self, text: &str) -> bool {
        text.strip_suffix('$').map_or_else(|| self.name.contains(text), |whole| self.name == whole)
    }
}

const ALL: &[Subject] = &[Subject::Opaque, Subject::Forwarding, Subject::Headline, Subject::Standard];
const TWO: &[Subject] = &[Subject::Opaque, Subject::Standard];
const OFF_AND_ON: &[Subject] = &[Subject::Forwarding, Subject::HeadlineAlone, Subject::Headline];
const BUDGETS: &[Subject] = &[Subject::Standard, Subject::Budgets];
const MODELS: &[Subject] = &[Subject::Standard, Subject::Models(10), Subject::Models(1000), Subject::Models(10_000)];
const COMPRESSED: &[Subject] = &[Subject::Recompressing, Subject::Opaque, Subject::Standard];
const FORWARDING: &[Subject] = &[Subject::Collector, Subject::Forwarding];
const WRITING: &[Subject] = &[Subject::CollectorTransforming, Subject::Headline, Subject::Standard];

/// Of about a hundred requests one alone would be the slowest of a hundred.
const LATENCY_RUNS_ON: usize = 5;
/// What the receiver asks for.
pub const FRAME: u32 = 256 * 1024;
/// What HTTP/2 has where nobody asks for more, and what grpc-go sends in any case.
const SMALL_FRAME: u32 = 16 * 1024;

pub const USUAL: Case = Case {
    name: "gRPC, a fifth GenAI",
    shape: MIX,
    encoding: Encoding::Identity,
    is_http: false,
    threads: 1,
    connections: 4,
    max_frame: FRAME,
    spans_a_second: None,
    runs_on: 1,
    subjects: ALL,
};

pub fn all(is_quick: bool) -> Vec<Case> {
    let shape = |shape: Shape, name| Case { name, shape, subjects: TWO, ..USUAL };
    let long = Shape { spans: 64, gen_ai: GenAi::All, size: Size::Long, ..MIX };
    let quick = [
        USUAL,
        shape(Shape { gen_ai: GenAi::None, ..MIX }, "gRPC, none GenAI"),
        Case { name: "gRPC, a fifth GenAI, gzip", encoding: Encoding::Gzip, subjects: COMPRESSED, ..USUAL },
    ];
    if is_quick {
        return quick.into();
    }
    let rest = [
        shape(Shape { gen_ai: GenAi::All, ..MIX }, "gRPC, all GenAI"),
        shape(long, "gRPC, all GenAI, 4 to 32 KiB a span"),
        shape(Shape { order: Order::Descending, ..MIX }, "gRPC, a fifth GenAI, fields descending"),
        shape(Shape { spans: 1, ..MIX }, "gRPC, 1 span a request"),
        shape(Shape { spans: 10, ..MIX }, "gRPC, 10 spans a request"),
        shape(Shape { spans: 100, ..MIX }, "gRPC, 100 spans a request"),
        shape(Shape { spans: 1000, ..MIX }, "gRPC, 1,000 spans a request"),
        shape(Shape { spans: 10_000, ..MIX }, "gRPC, 10,000 spans a request"),
        Case { name: "gRPC, 2 threads", threads: 2, subjects: TWO, ..USUAL },
        Case { name: "gRPC, zstd", encoding: Encoding::Zstd, subjects: TWO, ..USUAL },
        Case {
            name: "gRPC, none GenAI, gzip",
            shape: Shape { gen_ai: GenAi::None, ..MIX },
            encoding: Encoding::Gzip,
            subjects: COMPRESSED,
            ..USUAL
        },
        Case { name: "HTTP, a fifth GenAI", is_http: true, subjects: TWO, ..USUAL },
        Case { name: "HTTP, gzip", is_http: true, encoding: Encoding::Gzip, subjects: TWO, ..USUAL },
        Case { name: "gRPC, 1 connection", connections: 1, subjects: TWO, ..USUAL },
        Case { name: "gRPC, 100 connections", connections: 100, subjects: TWO, ..USUAL },
        Case { name: "gRPC, 1,000 connections", connections: 1000, subjects: TWO, ..USUAL },
        Case { name: "gRPC, frames of 16 KiB", max_frame: SMALL_FRAME, subjects: TWO, ..USUAL },
        Case { name: "gRPC, headline against off", subjects: OFF_AND_ON, ..USUAL },
        Case { name: "gRPC, budgets and labels", shape: Shape { origins: 1000, ..MIX }, subjects: BUDGETS, ..USUAL },
        Case { name: "gRPC, models in the registry", subjects: MODELS, ..USUAL },
        Case {
            name: "gRPC, 50,000 spans a second",
            spans_a_second: Some(50_000),
            runs_on: LATENCY_RUNS_ON,
            subjects: TWO,
            ..USUAL
        },
    ];
    let mut cases: Vec<Case> = quick.into_iter().chain(rest).collect();
    if collector().is_some() {
        cases.extend(beside_the_collector());
    }
    cases
}

/// Where the Go Collector is: `GRAMTRACE_BENCH_COLLECTOR`, or what tests/neighbours/run has built; none where neither is.
pub fn collector() -> Option<PathBuf> {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/neighbours/otelcol/otelcol");
    let path = std::env::var_os("GRAMTRACE_BENCH_COLLECTOR").map_or_else(built, PathBuf::from);
    path.is_file().then_some(path)
}

fn beside_the_collector() -> [Case; 4] {
    let gzip = Encoding::Gzip;
    [
        Case { name: "beside a Go Collector that forwards", subjects: FORWARDING, ..USUAL },
        Case { name: "beside a Go Collector that writes attributes", subjects: WRITING, ..USUAL },
        Case { name: "beside a Go Collector that forwards, gzip", subjects: FORWARDING, encoding: gzip, ..USUAL },
        Case { name: "beside a Go Collector that writes attributes, gzip", subjects: WRITING, encoding: gzip, ..USUAL },
    ]
}
