"""The gramtrace binary between clients and a sink: its configuration, its start, its end.

Knows the configuration keys and that each listener logs its `endpoint`; nothing of what goes through.
"""

import os
import re
import signal
import socket
import subprocess
import threading
import urllib.request
from contextlib import closing

START_SECONDS = 20
STOP_SECONDS = 20

CONFIG = """\
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      http: {{endpoint: "127.0.0.1:{http}"}}
processors:
  gramtrace: {processor}
exporters:
  {exporter}: {{endpoint: "http://127.0.0.1:{sink}"}}
extensions:
  health_check: {{endpoint: "127.0.0.1:{health}"}}
service:
  extensions: [health_check]
  telemetry:
    metrics:
      readers: [{{pull: {{exporter: {{prometheus: {{host: "127.0.0.1", port: {metrics}}}}}}}}}]
  pipelines:
    traces: {{receivers: [otlp], processors: [gramtrace], exporters: [{exporter}]}}
    metrics: {{receivers: [otlp], exporters: [{exporter}]}}
    logs: {{receivers: [otlp], exporters: [{exporter}]}}
"""


class Gateway:
    """A running `gramtrace run --config`, from construction to `stop`."""

    def __init__(self, binary, folder, sink, exporter, processor="{}"):
        self.ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
        self._log_path = folder / f"gramtrace-{exporter}.log"
        config = folder / f"{exporter}.yaml"
        port = sink.grpc_port if exporter == "otlp_grpc" else sink.http_port
        text = CONFIG.format(**self.ports, sink=port, exporter=exporter, processor=processor)
        config.write_text(text, "utf-8")
        self._listening = threading.Event()
        self._process = subprocess.Popen(
            [binary, "run", "--config", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        if not self._listening.wait(START_SECONDS) or self._process.poll() is not None:
            self._process.kill()
            raise RuntimeError(f"gramtrace did not come up in {START_SECONDS} s:\n{self.log()}")

    def log(self):
        return self._log_path.read_text("utf-8")

    def metrics(self):
        return samples(self.ports["metrics"])

    def healthy(self):
        return bool(fetch(self.ports["health"], "/"))

    def stop(self):
        """Asks it to stop as a service manager does, and gives its exit status. Once stopped, it stays so."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return f"still running {STOP_SECONDS} s after SIGTERM"
        finally:
            self._reader.join()

    def _read_log(self):
        waiting = set(self.ports.values())
        with self._log_path.open("w", encoding="utf-8") as log:
            for line in self._process.stderr:
                log.write(line)
                log.flush()
                waiting = {port for port in waiting if not re.search(rf"endpoint=\S*:{port}\b", line)}
                if not waiting:
                    self._listening.set()
        self._listening.set()


def free_ports(count):
    """Ports that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def samples(port):
    """The samples of `/metrics`, summed over their labels."""
    sums = {}
    for line in fetch(port, "/metrics").splitlines():
        if line and not line.startswith("#"):
            name, value = re.match(r"([A-Za-z_:][\w:]*)(?:\{.*\})? ([^ ]+)", line).groups()
            sums[name] = sums.get(name, 0.0) + float(value)
    return sums


def fetch(port, path):
    with closing(urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10)) as answer:
        return answer.read().decode()
