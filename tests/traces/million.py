"""Resident memory with a million open traces: the real binary, fed through its receiver, a model call a trace. Prints what
it takes on the way, and ends with 0 where it stays below 512 MiB and every trace is still known.

    python3 tests/traces/million.py target/release/gramtrace [TRACES]
"""

import http.client
import json
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MAX_MIB = 512
BATCH = 2000
EPOCH_NS = 1_790_000_000_000_000_000
CONFIG = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{otlp}"}}}}}}}}
processors: {{gramtrace: {{}}}}
exporters: {{debug: {{verbosity: basic}}}}
extensions: {{gramtrace_api: {{endpoint: "127.0.0.1:{api}"}}}}
service:
  extensions: [gramtrace_api]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [debug]}}}}
"""
CALL = (
    ("gen_ai.operation.name", "chat"),
    ("gen_ai.provider.name", "openai"),
    ("gen_ai.request.model", "gpt-4o-mini"),
    ("gen_ai.usage.input_tokens", 1000),
    ("gen_ai.usage.output_tokens", 100),
)


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, content):
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def attribute(key, value):
    any_value = field(1, value.encode()) if isinstance(value, str) else b"\x18" + varint(value)
    return field(1, key.encode()) + field(2, any_value)


RESOURCE = field(1, field(1, attribute("service.name", "shop")))
ATTRIBUTES = b"".join(field(9, attribute(key, value)) for key, value in CALL)


def trace_id(number):
    return struct.pack(">QQ", number * 0x9E37_79B9_7F4A_7C15 & (1 << 64) - 1, number)


def span(number):
    start = EPOCH_NS + number * 1000
    ids = field(1, trace_id(number)) + field(2, struct.pack(">Q", number)) + field(4, b"\x07" * 8)
    times = bytes([7 << 3 | 1]) + struct.pack("<Q", start) + bytes([8 << 3 | 1]) + struct.pack("<Q", start + 900)
    return field(2, ids + field(5, b"chat gpt-4o-mini") + times + ATTRIBUTES)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answers(port):
    """A connection to a port, once somebody listens there."""
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.connect()
            return connection
        except OSError:
            if time.monotonic() > deadline:
                raise


def resident_mib(process):
    lines = Path(f"/proc/{process.pid}/status").read_text("utf-8").splitlines()
    kib = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return {name: int(number) // 1024 for name, number in kib.items()}


def get(connection, path):
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, json.load(answer)


def main():
    binary, traces = sys.argv[1], int((sys.argv[2:] or ["1000000"])[0])
    ports = {"otlp": free_port(), "api": free_port()}
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "gramtrace.yaml"
        config.write_text(CONFIG.format(**ports), "utf-8")
        process = subprocess.Popen([binary, "run", "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            otlp, began = answers(ports["otlp"]), time.monotonic()
            for first in range(1, traces + 1, BATCH):
                body = field(1, RESOURCE + field(2, b"".join(span(number) for number in range(first, first + BATCH))))
                otlp.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
                answer = otlp.getresponse()
                answer.read()
                assert answer.status == 200, answer.status
                sent = first + BATCH - 1
                if sent % (traces // 10) < BATCH:
                    print(f"{sent} traces in {time.monotonic() - began:.0f} s: {resident_mib(process)} MiB", flush=True)
            asked = [get(answers(ports["api"]), f"/api/v1/traces/{trace_id(number).hex()}") for number in (1, traces)]
            known = all(status == 200 and trace["totals"]["calls"] == 1 for status, trace in asked)
            peak = resident_mib(process)["VmHWM"]
            print(f"the first and the last are known: {known}; at most {peak} MiB, of {MAX_MIB}")
            return 0 if known and peak < MAX_MIB else 1
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
