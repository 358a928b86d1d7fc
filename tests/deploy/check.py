"""What is in deploy/, held to the tools that know each format, and the image's contents run in an empty folder. Prints a
table and ends with 0 where every claim holds.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

sys.path.append(str(Path(__file__).parents[1] / "clients"))

import image  # noqa: E402
import kubernetes  # noqa: E402
from report import Report  # noqa: E402

DEPLOY = Path(__file__).parents[2] / "deploy"
TOOLS = Path(sys.executable).parent
# `systemd-analyze security` in tenths: 0 is closed, 100 open.
EXPOSURE = 11


def accepts(*command):
    """What breaks the claim that a tool ends with 0."""
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    return [] if done.returncode == 0 else [f"{done.stdout}{done.stderr}"]


def lint_claims(gramtrace):
    yield "hadolint has nothing to say on the Dockerfile", accepts(TOOLS / "hadolint", DEPLOY / "Dockerfile")
    compose = DEPLOY / "compose" / "compose.yaml"
    yield "compose.yaml fits the Compose schema", accepts(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", compose)
    mounts = [DEPLOY / "compose" / mount.split(":")[0] for mount in volumes(compose)]
    yield "what compose.yaml mounts is there", [path for path in mounts if not path.is_file()]
    yield "its gramtrace.yaml validates", accepts(gramtrace, "validate", "--config", DEPLOY / "compose" / "gramtrace.yaml")


def volumes(compose):
    services = yaml.safe_load(compose.read_text("utf-8"))["services"].values()
    return [mount for service in services for mount in service.get("volumes", [])]


def systemd_claims(gramtrace, folder):
    """The unit names a binary that is not installed here: a copy names the one that was built."""
    text = (DEPLOY / "systemd" / "gramtrace.service").read_text("utf-8")
    unit = folder / "gramtrace.service"
    unit.write_text(text.replace("/usr/local/bin/gramtrace", str(gramtrace)), "utf-8")
    yield "systemd-analyze verify", accepts("systemd-analyze", "verify", "--man=no", unit)
    security = ("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", unit)
    yield f"systemd-analyze security finds an exposure of {EXPOSURE / 10} at most", accepts(*security)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gramtrace", type=Path, required=True, help="the static binary")
    parser.add_argument("--collector", type=Path, help="a Collector for the configuration of one; without it, that is skipped")
    options = parser.parse_args()
    report = Report(("what is checked", 40))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        report.row(("Dockerfile, compose",), lint_claims(options.gramtrace))
        report.row(("the image's contents, run",), image.claims(options.gramtrace, folder / "image"))
        report.row(("systemd unit",), systemd_claims(options.gramtrace, folder))
        report.row(("Kubernetes manifests",), kubernetes.claims(DEPLOY / "kubernetes", options, folder))
    print(report.closing_line(0 if options.collector else 1))
    return 1 if report.failed else 0


sys.exit(main())
