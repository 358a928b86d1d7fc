"""A slow oracle for counting: it sees a whole trace at once, as protobuf messages, and shares no code with gramtrace.

Given the spans of one trace with their scopes, it says which spans count, as README.md's rules have it, and what the
calls of a model with EcoLogits' published row took. Written from the rules, not from the program.
"""

import json
import math
from itertools import combinations

AGGREGATES = {
    "invoke_agent", "invoke_workflow", "create_agent", "plan", "execute_tool", "retrieval", "agent_step",
    "execute_event_loop_cycle", "execute_task", "chain", "framework",
}  # fmt: skip


def value(any_value):
    kind = any_value.WhichOneof("value")
    return getattr(any_value, kind) if kind else None


def attributes(span):
    """The first of equal keys counts."""
    found = {}
    for pair in span.attributes:
        found.setdefault(pair.key, value(pair.value))
    return found


class Call:
    """A report of a call, by span id."""

    def __init__(self, scope, span):
        self.scope, self.span, self.keys = scope, span, attributes(span)
        self.input = self.keys.get("gen_ai.usage.input_tokens")
        self.output = self.keys.get("gen_ai.usage.output_tokens")
        self.response = self.keys.get("gen_ai.response.id")
        self.totals = (self.input or 0, self.output or 0)

    @property
    def is_report(self):
        return self.keys.get("gen_ai.operation.name") not in AGGREGATES and (self.input or self.output)

    def is_same_call(self, other):
        if self.response and other.response:
            return self.response == other.response
        mine, theirs = self.span, other.span
        overlap = (
            mine.start_time_unix_nano <= theirs.end_time_unix_nano
            and theirs.start_time_unix_nano <= mine.end_time_unix_nano
        )
        return self.scope != other.scope and overlap and self.totals == other.totals


def calls(spans):
    """The calls of a trace, each as the set of the span ids of its reports. Calls whose reports are the same in pairs
    are one; where equal calls run at once that would join too much, so the oracle refuses to judge them."""
    reports = [report for report in (Call(scope, span) for scope, span in spans) if report.is_report]
    groups = {report.span.span_id: {report.span.span_id} for report in reports}
    for one, other in combinations(reports, 2):
        if one.is_same_call(other):
            joined = groups[one.span.span_id] | groups[other.span.span_id]
            for span_id in joined:
                groups[span_id] = joined
    by_id = {report.span.span_id: report for report in reports}
    distinct = {frozenset(group) for group in groups.values()}
    for group in distinct:
        scopes = [by_id[span_id].scope for span_id in group]
        assert len(scopes) == len(set(scopes)), "equal calls at once: the oracle does not judge them"
    return [[by_id[span_id] for span_id in group] for group in distinct]


class EcoLogits:
    """The method `ecologits/0.11.3`, from the package's own tables."""

    PUE = {"openai": (1.20, 1.20), "anthropic": (1.09, 1.14), "google_genai": (1.09, 1.09)}

    def __init__(self, folder):
        models = json.loads((folder / "models.json").read_text("utf-8"))
        self.rows = {(row["provider"], row["name"]): row for row in models["models"]}
        for other in models["aliases"]:
            self.rows.setdefault((other["provider"], other["name"]), self.rows.get((other["provider"], other["alias"])))
        mixes = json.loads((folder / "electricity_mixes.json").read_text("utf-8"))["electricity_mixes"]
        self.kg_per_kwh = {mix["name"]: mix["gwp"] for mix in mixes}

    def knows(self, provider, model):
        return self.rows.get((provider, model)) is not None

    def co2e_g(self, provider, model, zone, output, seconds):
        """Low, value and high of the use phase."""
        row = self.rows[provider, model]
        parameters = row["architecture"]["parameters"]
        if row["architecture"]["type"] == "moe":
            active, total = parameters["active"], parameters["total"]
        else:
            active = total = parameters
        ends = [
            self._kwh(end(active, which), end(total, which), row["deployment"], output, seconds)
            * pue * self.kg_per_kwh[zone] * 1000
            for which, pue in zip(("min", "max"), self.PUE[provider], strict=True)
        ]  # fmt: skip
        return ends[0], sum(ends) / 2, ends[1]

    @staticmethod
    def _kwh(active, total, deployment, output, seconds):
        batch, bits = 64, 16
        gpus = 2 ** math.ceil(math.log2(math.ceil(1.2 * total * bits / 8 / 80)))
        per_token = 1.1665273170451914e-06 * math.exp(-0.011205921025579175 * batch) * active + 4.052928146734005e-05
        first = deployment["ttft"] or 0
        if deployment["tps"]:
            takes = output / deployment["tps"] + first
        else:
            takes = output * (0.0006785088094353663 * active + 0.0003119310311688259 * batch + 0.019473717579473387) + first
        takes = min(takes, seconds)
        return takes / 3600 * 1.2 * gpus / 8 / batch + gpus * output * per_token / 1000


def end(parameters, which):
    return parameters[which] if isinstance(parameters, dict) else parameters
