"""The processes of one recipe: sinks, gramtrace, a Collector, haproxy, each on ports that are free, with the files of
deploy/collector as they are. What differs from there is the environment: addresses.

Knows how each is started, when it is up, and how it ends; nothing of what goes through.
"""

import itertools
import os
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

from sink import Sink

RECIPES = Path(__file__).parents[2] / "deploy" / "collector"
START_SECONDS = 30
STOP_SECONDS = 30
# Two processes on one machine cannot both have port 8888, and nothing here looks at the Collector's.
NO_METRICS = "yaml:service::telemetry::metrics::level: none"


# Below what systems give to outgoing connections: those of the processes here would take a port between its choice and
# its use. Each is given once in a run.
_candidates = itertools.count(random.randrange(15_000, 25_000))


def local(port):
    return f"127.0.0.1:{port}"


class Process:
    """A program that can be started again after it has ended; up once `is_up` says so."""

    def __init__(self, name, command, environment, log, is_up):
        self.name = name
        self._command = [str(part) for part in command]
        kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME")}
        self._environment = kept | environment
        self._log = log
        self._is_up = is_up
        self._running = None

    def start(self):
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_up():
            if self._ends_within(0.02) or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not come up:\n{self.log()}")
        return self

    def _ends_within(self, seconds):
        try:
            self._running.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def kill(self):
        self._running.kill()
        self._running.wait()

    def stop(self):
        """Asks it to stop as a service manager does, and gives its exit status."""
        if self._running.poll() is None:
            self._running.send_signal(signal.SIGTERM)
        try:
            return self._running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._running.kill()
            return f"still running {STOP_SECONDS} s after SIGTERM"

    def signal(self, number):
        self._running.send_signal(number)

    def log(self):
        return self._log.read_text("utf-8", "replace")[-4000:]


class Stage:
    """Everything that was started on it ends with it."""

    def __init__(self, options, folder):
        self.options = options
        self._folder = folder
        self._processes = []
        self._sinks = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self._processes):
            process.stop()
        for sink in self._sinks:
            sink.close()

    def sink(self):
        self._sinks.append(Sink())
        return self._sinks[-1]

    def gramtrace(self, ports, next_grpc):
        """gramtrace as in every recipe, on `ports`, sending to `next_grpc`."""
        environment = {
            "GRAMTRACE_GRPC_LISTEN": local(ports["grpc"]),
            "GRAMTRACE_HTTP_LISTEN": local(ports["http"]),
            "GRAMTRACE_HEALTH_LISTEN": local(ports["health"]),
            # What the clients' scenario expects was computed with it.
            "GRAMTRACE_METHOD": "ecologits/0.11.3",
            "GRAMTRACE_METRICS_HOST": "127.0.0.1",
            "GRAMTRACE_METRICS_PORT": str(ports["metrics"]),
            "NEXT_GRPC": local(next_grpc),
        }
        command = [self.options.gramtrace, "run", "--config", RECIPES / "gramtrace.yaml"]
        return self._start(f"gramtrace-{ports['grpc']}", command, environment, health(ports["health"]))

    def gramtrace_with(self, config, health_port):
        """gramtrace with a configuration of its own."""
        command = [self.options.gramtrace, "run", "--config", config]
        return self._start(f"gramtrace-{health_port}", command, {}, health(health_port))

    def program(self, name, command, is_up):
        """A program of somebody else's."""
        return self._start(name, command, {}, is_up)

    def collector(self, recipe, ports, **addresses):
        """The Collector of a recipe, on `ports`, with the addresses of its neighbours by the recipe's names."""
        environment = {
            "COLLECTOR_GRPC_LISTEN": local(ports["grpc"]),
            "COLLECTOR_HTTP_LISTEN": local(ports["http"]),
            "COLLECTOR_HEALTH_LISTEN": local(ports["health"]),
        }
        environment |= {name: local(port) for name, port in addresses.items()}
        command = [self.options.collector, "--config", RECIPES / f"{recipe}.yaml", "--config", NO_METRICS]
        return self._start(f"collector-{recipe}", command, environment, health(ports["health"]))

    def haproxy(self, port, gramtrace, backend_http):
        environment = {
            "HAPROXY_HTTP_LISTEN": local(port),
            "GRAMTRACE_HTTP": local(gramtrace["http"]),
            "GRAMTRACE_HEALTH_PORT": str(gramtrace["health"]),
            "BACKEND_HTTP": local(backend_http),
        }
        return self._start("haproxy", ["haproxy", "-db", "-f", RECIPES / "haproxy.cfg"], environment, listening(port))

    def _start(self, name, command, environment, is_up):
        process = Process(name, command, environment, self._folder / f"{name}.log", is_up)
        self._processes.append(process.start())
        return process


def ports():
    """Free ports for the listeners of gramtrace or a Collector."""
    return {name: free_port() for name in ("grpc", "http", "health", "metrics")}


def free_port():
    """A port that nobody listens on, never the same twice."""
    for port in _candidates:
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def health(port):
    def is_up():
        try:
            with closing(urllib.request.urlopen(f"http://{local(port)}/", timeout=1)) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    return is_up


def listening(port):
    def is_up():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            return False

    return is_up


def says_nothing(command):
    """What breaks the claim that `command` accepts a file in silence."""
    command = [str(part) for part in command]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_SECONDS)
    said = done.stdout + done.stderr
    return [f"{' '.join(command)} ended with {done.returncode}:\n{said}"] if done.returncode or said else []


