"""What the last stage of the Dockerfile holds, put into an empty folder and run in it by the image's user. What is doubtful
about a static binary is tried: names by the hosts file and by DNS, and the authorities for TLS.

Knows the Dockerfile's instructions COPY, USER, CMD, ENTRYPOINT and HEALTHCHECK; needs root.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
# An address of this machine that no other resolver listens on.
NAME_SERVER = "127.0.0.111"
START_SECONDS = 20


class Image:
    """The last stage as files in `folder`, and how it is started."""

    def __init__(self, gramtrace, folder):
        self.folder = folder
        stage = (ROOT / "deploy" / "Dockerfile").read_text("utf-8").rsplit("\nFROM ", 1)[1]
        built = {"/out/gramtrace": gramtrace, str(AUTHORITIES): AUTHORITIES}
        for line in re.findall(r"^COPY (.+)$", stage, re.M):
            *sources, goal = [word for word in line.split() if not word.startswith("--")]
            if owner := re.search(r"--chown=(\d+):(\d+) ", line):
                # An empty folder of the image's user.
                (folder / goal.lstrip("/")).mkdir(parents=True)
                os.chown(folder / goal.lstrip("/"), *map(int, owner.groups()))
                continue
            for source in sources:
                path = folder / goal.lstrip("/") / (Path(source).name if goal.endswith("/") else "")
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(built[source] if "--from=" in line else ROOT / source, path)
        (self.user, self.group), (entry,), (command,), (check,) = (
            [int(part) for part in re.search(r"^USER (\d+):(\d+)$", stage, re.M).groups()],
            *(re.findall(rf"^{word}.*?(\[.*\])$", stage, re.M) for word in ("ENTRYPOINT", "CMD", "HEALTHCHECK")),
        )
        self.command = json.loads(entry) + json.loads(command)
        self.check = json.loads(check)

    def start(self, command, environment, **options):
        def enter():
            os.chroot(self.folder)
            os.chdir("/")
            os.setgroups([])
            os.setgid(self.group)
            os.setuid(self.user)

        # The program is looked up within the new root.
        return subprocess.Popen(command, env=environment, preexec_fn=enter, stdin=subprocess.DEVNULL, **options)

    def healthy(self, environment):
        return self.start(self.check, environment, stderr=subprocess.DEVNULL).wait(30) == 0


class NameServer:
    """Answers every question for an IPv4 address with `address`, and notes the names."""

    def __init__(self, address):
        self.asked = set()
        self._address = socket.inet_aton(address)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((NAME_SERVER, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._socket.close()

    def _serve(self):
        while True:
            try:
                question, sender = self._socket.recvfrom(512)
            except OSError:
                return
            end = question.index(0, 12) + 5
            labels, at = [], 12
            while question[at]:
                labels.append(question[at + 1 : at + 1 + question[at]].decode())
                at += 1 + question[at]
            self.asked.add(".".join(labels))
            is_a = question[end - 4 : end - 2] == b"\x00\x01"
            header = question[:2] + b"\x81\x80\x00\x01" + (b"\x00\x01" if is_a else b"\x00\x00") + b"\x00\x00\x00\x00"
            record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + self._address if is_a else b""
            self._socket.sendto(header + question[12:end] + record, sender)


class Backend:
    """Counts the connections that are made to it; answers none."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.first = None
        self._arrived = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return
        with connection:
            self.first = connection.recv(64)
            self._arrived.set()

    def wait(self):
        return self._arrived.wait(START_SECONDS)

    def close(self):
        self._socket.close()


def claims(gramtrace, folder):
    dynamic = subprocess.run(["ldd", gramtrace], capture_output=True, text=True)
    yield "the binary is static", [] if "statically linked" in dynamic.stdout + dynamic.stderr else [dynamic.stdout]
    image = Image(gramtrace, folder)
    (folder / "etc" / "hosts").write_text("127.0.0.1 localhost by-hosts\n", "utf-8")
    (folder / "etc" / "resolv.conf").write_text(f"nameserver {NAME_SERVER}\n", "utf-8")
    server = NameServer("127.0.0.1")
    yield from reached(image, "by-hosts", b"PRI * HTTP/2.0")
    yield from reached(image, "by-dns.test", b"PRI * HTTP/2.0")
    yield "DNS was asked for the one and not for the other", [] if server.asked == {"by-dns.test"} else [server.asked]
    # A TLS handshake begins with 22, 3: the authorities were read, or there would be none.
    config = folder / "etc" / "gramtrace" / "gramtrace.yaml"
    text = config.read_text("utf-8").replace("tls: {insecure: true}", "tls: {insecure: false}")
    # And budgets are kept in the folder that is there for them.
    assert "extensions: [health_check]" in text, text
    text = text.replace("extensions: [health_check]", "extensions: [health_check, gramtrace_budgets]")
    text = text.replace("\nextensions:\n", "\nextensions:\n  gramtrace_budgets: {directory: /var/lib/gramtrace}\n")
    config.write_text(text, "utf-8")
    yield from reached(image, "by-dns.test", b"\x16\x03", scheme="https://")
    kept = [path.name for path in sorted((folder / "var/lib/gramtrace").iterdir())]
    yield "budgets are kept in /var/lib/gramtrace", [] if kept == ["budgets.lock", "budgets.log"] else [kept]
    server.close()


def reached(image, host, greeting, scheme=""):
    """Runs the image until its backend under the name `host` has been greeted."""
    backend = Backend()
    ports = [free_port() for _ in range(4)]
    names = ("GRAMTRACE_GRPC_LISTEN", "GRAMTRACE_HTTP_LISTEN", "GRAMTRACE_HEALTH_LISTEN")
    environment = {name: f"127.0.0.1:{port}" for name, port in zip(names, ports)}
    environment |= {"GRAMTRACE_METRICS_HOST": "127.0.0.1", "GRAMTRACE_METRICS_PORT": str(ports[3])}
    what = f"{scheme}{host}"
    environment |= {"NEXT_GRPC": f"{what}:{backend.port}"}
    yield f"{what}: it is not healthy before it runs", ["healthy"] if image.healthy(environment) else []
    running = image.start(image.command, environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + START_SECONDS
    healthy = False
    while not healthy and running.poll() is None and time.monotonic() < deadline:
        healthy = image.healthy(environment)
    yield f"{what}: its health check says so once it runs", [] if healthy else ["never healthy"]
    if healthy:
        post(ports[1])
    came = healthy and backend.wait()
    yield f"{what}: the backend is found and greeted", [] if came and backend.first.startswith(greeting) else [backend.first]
    running.send_signal(signal.SIGTERM)
    _, log = running.communicate(timeout=60)
    yield f"{what}: SIGTERM ends it with 0", [] if running.returncode == 0 else [f"{running.returncode}\n{log}"]
    backend.close()


def post(port):
    """Sends a request with a span that nobody knows, and does not wait for what becomes of it."""
    # resource_spans > scope_spans > spans > name "a"
    body = b"\x0a\x07\x12\x05\x12\x03\x2a\x01a"
    head = f"POST /v1/traces HTTP/1.1\r\nHost: here\r\nContent-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS) as stream:
        stream.sendall(head.encode() + body)
        stream.settimeout(START_SECONDS)
        stream.recv(64)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
