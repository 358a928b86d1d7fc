"""An application that goes on making model calls until it is told to stop: traces of three spans through the Python
SDK's batch processor and gRPC exporter. Keeps what its exporter was given, by span id.

Knows the SDK; nothing of where it sends to.
"""

import threading

from ledger import CHAT, items
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

# Between two traces: some hundred spans a second, so that there is always something under way.
PAUSE_SECONDS = 0.01
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.usage.input_tokens": 1017,
    "gen_ai.usage.output_tokens": 213,
}


class Traffic:
    """Flows from its construction to `stop`."""

    def __init__(self, grpc_port):
        self.sent = {}
        self.failures = []
        self._ending = threading.Event()
        exporter = self._recorded(OTLPSpanExporter(endpoint=f"http://127.0.0.1:{grpc_port}", insecure=True))
        self._provider = TracerProvider(resource=Resource.create({"service.name": "traffic"}), shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=1 << 20, max_export_batch_size=60, schedule_delay_millis=50)
        )
        self._thread = threading.Thread(target=self._flow, daemon=True)
        self._thread.start()

    def stop(self):
        """No more spans; those that were made are sent."""
        self._ending.set()
        self._thread.join()
        self._provider.shutdown()

    def _flow(self):
        tracer = self._provider.get_tracer("traffic", "1.0.0")
        number = 0
        while not self._ending.wait(PAUSE_SECONDS):
            number += 1
            with tracer.start_as_current_span("POST /answers", attributes={"http.route": "/answers"}):
                with tracer.start_as_current_span("lookup", attributes={"db.response.returned_rows": number}):
                    pass
                with tracer.start_as_current_span(CHAT, attributes=CALL | {"gen_ai.response.id": f"chatcmpl-{number}"}):
                    pass

    def _recorded(self, exporter):
        send = exporter.export

        def export(batch, *args, **kwargs):
            for place, span in items("traces", encode_spans(batch)):
                self.sent[span.span_id] = (place, span)
            result = send(batch, *args, **kwargs)
            if result.name != "SUCCESS":
                self.failures.append(result.name)
            return result

        exporter.export = export
        return exporter
