"""How a run is told: a row for each thing that was tested, with how many claims held and each that did not.

Knows claims as sentences with what breaks them; nothing of what they are about.
"""


class Report:
    """Prints as it goes; `passed` and `failed` count claims."""

    def __init__(self, *columns):
        self.passed = self.failed = 0
        self._columns = columns
        self._line([name for name, _ in columns], "held", "failed")

    def row(self, names, results):
        """A row under `names`, one for each column; `results` are claims, each with a list of what breaks it."""
        results = list(results)
        broken = [(claim, problems) for claim, problems in results if problems]
        self._line(names, len(results) - len(broken), len(broken))
        for claim, problems in broken:
            print(f"  FAIL {claim}")
            for problem in problems:
                print("       " + str(problem).replace("\n", "\n       "))
        self.passed += len(results) - len(broken)
        self.failed += len(broken)

    def closing_line(self, skipped):
        return f"{self.passed} passed, {self.failed} failed" + (f", {skipped} skipped" if skipped else "")

    def _line(self, names, held, failed):
        cells = "".join(f"{name!s:{width}}" for name, (_, width) in zip(names, self._columns, strict=True))
        print(f"{cells}{held:>6}{failed:>8}", flush=True)
