"""Every recipe of deploy/collector with a real Collector and a real gramtrace, and deploy/prometheus with a real Prometheus: validates the files, sends the scenario of
the client tests and traffic that goes on while processes die, compares, prints a table, and ends with 0 where every
claim holds.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "clients"))

from recipes import RECIPES  # noqa: E402
from report import Report  # noqa: E402
from stage import RECIPES as FOLDER  # noqa: E402
from stage import Stage, says_nothing  # noqa: E402

FAILOVER = "fail-open-connector"


def file_claims(options):
    """Each file is accepted by the program that it is for. Yields nothing for one that this Collector lacks parts for."""
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.stem == "gramtrace":
            command = [options.gramtrace, "validate", "--config", path]
        elif not options.collector or path.stem == FAILOVER and not has_failover(options.collector):
            continue
        else:
            command = [options.collector, "validate", "--config", path]
        yield f"{path.name} validates", says_nothing(command)


def played(part, options, folder):
    with Stage(options, folder) as stage:
        try:
            return part(stage, folder)
        except RuntimeError as error:
            return part.__name__, [("everything comes up", [error])]


def has_failover(collector):
    if not collector:
        return False
    manifest = collector.parents[1] / "manifest.yaml"
    return "failoverconnector" in manifest.read_text("utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gramtrace", type=Path, required=True, help="the binary")
    parser.add_argument("--collector", type=Path, help="the binary that `run` has built; not for prometheus alone")
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"of {', '.join(RECIPES)}; all without one")
    options = parser.parse_args()
    if unknown := set(options.recipes) - RECIPES.keys():
        parser.error(f"no recipe {', '.join(sorted(unknown))}; there are {', '.join(RECIPES)}")

    report = Report(("recipe", 12), ("what is tested", 58))
    report.row(("", "the files, by the programs that they are for"), file_claims(options))
    for name in options.recipes or RECIPES:
        with tempfile.TemporaryDirectory() as scratch:
            for part in RECIPES[name]:
                folder = Path(scratch) / part.__name__
                folder.mkdir()
                what, results = played(part, options, folder)
                report.row((name, what), results)
    print(report.closing_line(0 if has_failover(options.collector) else 1))
    return 1 if report.failed else 0


sys.exit(main())
