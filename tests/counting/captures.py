"""The captured exports through the real gramtrace: a plain sum of CO2e over the spans of a set is the sum over its calls,
each computed once from tests/corpus/expected_spans.csv and the package's tables. Knows nothing of gramtrace's code.
"""

import csv
from collections import defaultdict

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

import oracle

SECOND = 1_000_000_000
MAKERS = {"gpt-": "openai", "o4-": "openai", "text-embedding-": "openai", "claude-": "anthropic", "gemini-": "google_genai"}
# In the order in which they are tried.
MODELS = (
    "gen_ai.response.model", "gen_ai.request.model", "llm.response.model_name", "llm.model_name", "llm.request.model_name",
    "embedding.model_name", "llm.response.model", "llm.request.model", "ai.response.model", "ai.model.id",
    "litellm.provider.model", "langfuse.observation.model.name", "mlflow.llm.model", "model_name", "model",
)  # fmt: skip
# Where a region on the span says something else than the providers' own place.
ZONES = {None: "USA", "eu-west-3": "FRA"}
KEYS = ("gramtrace.co2e_low_g", "gramtrace.co2e_g", "gramtrace.co2e_high_g")


def sets(corpus):
    """The folders of the corpus, each with its trace requests: path, content type, body, in the order of capture."""
    for folder in sorted(path for path in corpus.iterdir() if path.is_dir()):
        requests = []
        for file in sorted(folder.glob("*-traces-*.pb")):
            as_json = file.with_name(file.name.replace(".pb", ".otlp-http.json"))
            kind = "application/json" if as_json.exists() else "application/x-protobuf"
            requests.append((file, kind, (as_json if as_json.exists() else file).read_bytes()))
        if requests:
            yield folder.name, requests


def named(model):
    """Provider and name that a model's name on a span tells; None for names of nobody that EcoLogits has."""
    model = model.removeprefix("eu.anthropic.").removesuffix("-v1:0")
    provider = next((maker for start, maker in MAKERS.items() if model.startswith(start)), None)
    return provider and (provider, model)


def spans_of(requests):
    """The captured spans by trace id and span id."""
    found = {}
    for file, _, _ in requests:
        request = traces.ExportTraceServiceRequest.FromString(file.read_bytes())
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                found.update({(span.trace_id.hex(), span.span_id.hex()): span for span in scope.spans})
    return found


def value_of(row, span, method):
    """Low, value and high of the call that a span reports; None where it names no model that is known."""
    held = oracle.attributes(span)
    models = [named(str(held[key]).strip('"')) for key in MODELS if key in held]
    model = next((model for model in models if model and method.knows(*model)), None)
    if model is None:
        return None
    output, reasoning = int(row["span_output"] or 0), int(row["span_reasoning"] or 0)
    output += reasoning if reasoning > output else 0
    zone = ZONES[held.get("cloud.region")]
    return method.co2e_g(*model, zone, output, (span.end_time_unix_nano - span.start_time_unix_nano) / SECOND)


def truth(corpus, name, requests, method):
    """Low, value and high of the calls of a set, each once."""
    calls = defaultdict(list)
    with (corpus / "expected_spans.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["file"].startswith(name + "/") and row["call"]:
                calls[row["call"]].append(row)
    spans, ends = spans_of(requests), [0.0, 0.0, 0.0]
    for reports in calls.values():
        counting = [row for row in reports if row["counts"] == "yes"]
        assert len(counting) <= 1, f"{name}: two reports of one call count"
        if not counting:
            continue
        # Where the one that counts names nobody that is known, a later report brings the value.
        candidates = counting + [row for row in reports if row["file"] > counting[0]["file"] and row["span_output"]]
        values = (value_of(row, spans[row["trace_id"], row["span_id"]], method) for row in candidates)
        if value := next((value for value in values if value), None):
            ends = [one + more for one, more in zip(ends, value, strict=True)]
    return ends


def problems(corpus, name, requests, arrived, method):
    sums = [sum(oracle.attributes(span).get(key, 0.0) for span in arrived) for key in KEYS]
    for key, found, expected in zip(KEYS, sums, truth(corpus, name, requests, method), strict=True):
        if abs(found - expected) > 1e-12 * expected:
            yield f"{key}: {found!r} instead of {expected!r}"

