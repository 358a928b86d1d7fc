"""What must be true of the requests that arrived, given those that a client sent. Each claim is a sentence and a list
of what breaks it; an empty list is a pass. Knows the names that are contract; starts nothing.
"""

import math

PREFIX = "gramtrace."
ALIASES = {"gen_ai.footprint.co2e_g": "co2e_g", "gen_ai.footprint.energy_wh": "energy_wh"}
# Tokens and values stand only on spans that may be summed.
SUMMABLE = ("tokens.input", "tokens.output", "co2e_g", "energy_wh", "embodied_co2e_g")
# Values on spans have six significant digits.
RELATIVE_ERROR = 1e-5


def attribute(value):
    """An AnyValue as a Python value of the same type."""
    return getattr(value, value.WhichOneof("value"))


def spans_of(requests):
    for request in requests:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans


def added_to(span):
    """What stands on a span under our names: a dictionary without the prefix, and the aliases."""
    pairs = [(one.key, attribute(one.value)) for one in span.attributes]
    ours = {key.removeprefix(PREFIX): value for key, value in pairs if key.startswith(PREFIX)}
    return ours, {ALIASES[key]: value for key, value in pairs if key in ALIASES}


def bare(request):
    """A trace request without what was added behind the attributes that came."""
    copy = type(request)()
    copy.CopyFrom(request)
    for span in spans_of([copy]):
        while span.attributes and (span.attributes[-1].key.startswith(PREFIX) or span.attributes[-1].key in ALIASES):
            del span.attributes[-1]
    return copy


def same_requests(sent, arrived, strip):
    """Every request arrived once, in order, and but for what `strip` takes off it is what was sent."""
    problems = [] if len(sent) == len(arrived) else [f"{len(sent)} requests sent, {len(arrived)} arrived"]
    for index, (one, other) in enumerate(zip(sent, arrived)):
        if strip(other) != one:
            problems.append(f"request {index} changed:\n--- sent\n{one}\n--- arrived\n{other}")
    return problems


def span_claims(scenario, arrived):
    """Each span of the scenario by name, and what is wrong with what stands on it."""
    by_name = {}
    for span in spans_of(arrived):
        by_name.setdefault(span.name, []).append(span)
    for spec in scenario["spans"]:
        spans = by_name.pop(spec["name"], [])
        if len(spans) == 1:
            yield spec["name"], problems_on(spans[0], spec["expect"])
        else:
            yield spec["name"], [f"arrived {len(spans)} times"]
    if by_name:
        yield "no other span", sorted(by_name)


def problems_on(span, expect):
    ours, aliases = added_to(span)
    if not expect:
        return [f"carries {ours | aliases}"] if ours or aliases else []
    problems = [f"{key} is {ours.get(key)!r}, not {value!r}" for key, value in expect.items() if not equal(ours.get(key), value)]
    problems += [f"{key} = {ours[key]!r} on a span that has none" for key in SUMMABLE if key in ours and not allowed(key, ours, expect)]
    problems += [f"{key} stands twice" for key, times in counts(span).items() if times > 1]
    # What is expected of a root alone says nothing of a call; whatever else is expected has a status.
    is_root_alone = all(key.startswith("trace.") for key in expect)
    if not is_root_alone and expect["status"] == "ok":
        problems += range_problems(ours) + alias_problems(span, ours, aliases)
    elif aliases:
        problems.append(f"aliases without a value: {aliases}")
    return problems


def allowed(key, ours, expect):
    """Whether a summable `key` may stand on a span where the scenario does not name it."""
    if key in expect:
        return True
    # An embedding has no output: absent and 0 both say so.
    return key == "tokens.output" and "tokens.input" in expect and ours[key] == 0


def equal(found, expected):
    if isinstance(expected, float):
        return isinstance(found, float) and math.isclose(found, expected, rel_tol=RELATIVE_ERROR)
    return type(found) is type(expected) and found == expected


def range_problems(ours):
    problems = []
    for name, unit in (("co2e", "g"), ("energy", "wh")):
        low, value, high = (ours.get(f"{name}{part}_{unit}") for part in ("_low", "", "_high"))
        if None in (low, value, high) or not 0 < low <= value <= high:
            problems.append(f"{name}: {low!r} <= {value!r} <= {high!r} does not hold")
    for key in ("model", "tier", "factor", "method", "registry", "match", "band"):
        if not isinstance(ours.get(key), str) or not ours[key]:
            problems.append(f"{key} is {ours.get(key)!r}: a value without its provenance")
    return problems


def alias_problems(span, ours, aliases):
    """Spans that came with gen_ai.* keys have the headline pair again under gen_ai.footprint.*; others have none."""
    wanted = {key: ours.get(key) for key in ALIASES.values()} if any(is_genai(one.key) for one in span.attributes) else {}
    return [] if aliases == wanted else [f"gen_ai.footprint.*: {aliases}, not {wanted}"]


def is_genai(key):
    return key.startswith("gen_ai.") and key not in ALIASES


def counts(span):
    found = {}
    for one in span.attributes:
        found[one.key] = found.get(one.key, 0) + 1
    return found
