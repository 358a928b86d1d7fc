"""Traces from the real SDK: an agent's, nested, in OpenTelemetry's and in OpenInference's dialect. Each is sent in several
requests, the root last, as an SDK does it. Knows dialects; nothing of who is behind the address."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4o-mini", "acme-internal-7")
# Input and output tokens of each call.
TOKENS = ((1200, 180), (5400, 900), (300, 40), (800, 60))


def gen_ai(model, tokens):
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.conversation.id": "neighbours",
        "gen_ai.usage.input_tokens": tokens[0],
        "gen_ai.usage.output_tokens": tokens[1],
    }


def detailed(model, tokens):
    """With parts of the tokens, under another name of the model."""
    return gen_ai(f"{model}-2024-07-18" if model == "gpt-4o-mini" else model, tokens) | {
        "gen_ai.usage.cache_read.input_tokens": tokens[0] // 2,
        "gen_ai.usage.reasoning.output_tokens": tokens[1] // 3,
    }


def openinference(model, tokens):
    return {
        "openinference.span.kind": "LLM",
        "llm.model_name": model,
        "llm.provider": "openai",
        "llm.token_count.prompt": tokens[0],
        "llm.token_count.completion": tokens[1],
        "llm.token_count.total": sum(tokens),
    }


def send(address, dialect, resource):
    """Sends one trace to `address` and gives its id in hex."""
    provider = TracerProvider(resource=Resource.create(resource))
    exporter = OTLPSpanExporter(endpoint=f"http://{address}/v1/traces")
    # One request a span: children come before their parents, the root last.
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("neighbours")
    kind = {"openinference.span.kind": "CHAIN"} if dialect is openinference else {}
    agent = {"openinference.span.kind": "AGENT"} if dialect is openinference else {"gen_ai.operation.name": "invoke_agent"}
    with tracer.start_as_current_span("POST /answer", attributes=kind, kind=trace.SpanKind.SERVER) as root:
        with tracer.start_as_current_span("agent", attributes=agent):
            for place, (model, tokens) in enumerate(zip(MODELS, TOKENS, strict=True)):
                with tracer.start_as_current_span(f"step {place + 1}", attributes=kind):
                    with tracer.start_as_current_span(f"chat {model}", attributes=dialect(model, tokens)):
                        pass
    provider.shutdown()
    return format(root.get_span_context().trace_id, "032x")
