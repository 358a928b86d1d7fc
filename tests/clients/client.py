"""One client as a process: how it sends, its run to its end, and the requests that its exporters made.

Knows how send.py and send.mjs are started and what they leave behind; nothing of where they send to.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sink import REQUESTS, parse_json

HERE = Path(__file__).parent
CLIENT_SECONDS = 60


@dataclass(frozen=True)
class Client:
    """A client and the way it sends."""

    language: str
    protocol: str
    compression: str

    def __str__(self):
        return f"{self.language} {self.protocol} {self.compression}"


def run_client(client, ports, folder, js_folder):
    """Runs a client to its end; gives what its exporters reported and the requests that they made, by signal."""
    endpoint = f"http://127.0.0.1:{ports['grpc' if client.protocol == 'grpc' else 'http']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": client.protocol,
    }
    if client.compression != "none":  # Python's gRPC exporter takes no `none`
        environment["OTEL_EXPORTER_OTLP_COMPRESSION"] = client.compression
    if client.language == "python":
        command = [sys.executable, str(HERE / "send.py"), str(folder)]
    else:
        command = ["node", str(js_folder / "send.mjs"), str(folder), str(HERE / "spans.json")]
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=CLIENT_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"{client} ended with {done.returncode}:\n{done.stderr}")
    reports = json.loads(done.stdout.splitlines()[-1])
    return reports, {signal: read_sent(folder, signal) for signal in reports}


def read_sent(folder, signal):
    """The requests of one signal that a client wrote to `folder`, in order."""

    def read(path):
        if path.suffix == ".json":
            return parse_json(signal, path.read_text("utf-8"))
        return REQUESTS[signal].FromString(path.read_bytes())

    files = folder.glob(f"{signal}-*")
    return [read(path) for path in sorted(files, key=lambda path: int(path.stem.rpartition("-")[2]))]
