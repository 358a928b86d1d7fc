"""A backend of our own: OTLP over gRPC and over HTTP on ports that it picks, keeping every request as it came.

Knows OTLP through the generated messages of opentelemetry-proto; nothing of gramtrace.
"""

import base64
import gzip
import json
import sys
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

REQUESTS = {
    "traces": traces.ExportTraceServiceRequest,
    "metrics": metrics.ExportMetricsServiceRequest,
    "logs": logs.ExportLogsServiceRequest,
}
SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metrics",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
}
ID_KEYS = {"traceId", "spanId", "parentSpanId"}


def parse_json(signal, text):
    """An OTLP/JSON body as a message. Protobuf's own JSON has base64 where OTLP has hex ids."""

    def ids(value):
        if isinstance(value, list):
            return [ids(item) for item in value]
        if isinstance(value, dict):
            pairs = value.items()
            return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ID_KEYS else ids(v) for k, v in pairs}
        return value

    return json_format.ParseDict(ids(json.loads(text)), REQUESTS[signal]())


class HttpServer(ThreadingHTTPServer):
    """One that is not worried by a client that hangs up between two requests, as proxies do."""

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Sink:
    """Listens from its construction to `close`."""

    def __init__(self):
        self._arrival = threading.Condition()
        self._received = []
        self._grpc = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        for service, signal in SERVICES.items():
            export = grpc.unary_unary_rpc_method_handler(self._grpc_export(signal))
            self._grpc.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"Export": export})])
        self.grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        self._http = HttpServer(("127.0.0.1", 0), self._http_handler())
        self.http_port = self._http.server_port
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def take(self, seconds=0):
        """What arrived since the last call, in order: (signal, message) pairs. Waits `seconds` at most for the first."""
        with self._arrival:
            self._arrival.wait_for(lambda: self._received, seconds)
            taken, self._received = self._received, []
        return taken

    def close(self):
        self._grpc.stop(None).wait()
        self._http.shutdown()
        self._http.server_close()

    def _keep(self, signal, message):
        with self._arrival:
            self._received.append((signal, message))
            self._arrival.notify_all()

    def _grpc_export(self, signal):
        # Bytes in, bytes out: an empty answer is full success.
        def export(body, _context):
            self._keep(signal, REQUESTS[signal].FromString(body))
            return b""

        return export

    def _http_handler(self):
        keep = self._keep

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                signal = self.path.removeprefix("/v1/")
                body = self._body()
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                in_json = self.headers["Content-Type"].startswith("application/json")
                keep(signal, parse_json(signal, body) if in_json else REQUESTS[signal].FromString(body))
                answer = b"{}" if in_json else b""
                self.send_response(200)
                self.send_header("Content-Type", self.headers["Content-Type"])
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def _body(self):
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", "0")))
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, *_):
                pass

        return Handler
