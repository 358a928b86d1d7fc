"""What was sent and what arrived, span by span and item by item: hops regroup requests, so these are compared apart from
the request that they came in.

Knows OTLP through its generated messages; starts nothing.
"""

import time
from collections import Counter
from dataclasses import dataclass

from claims import PREFIX, added_to

CHAT = "chat"


@dataclass(frozen=True)
class Place:
    """What surrounds a span, a metric or a log record, as bytes that can be compared."""

    resource: bytes
    scope: bytes
    schema_urls: tuple


def items(signal, request):
    """The spans, metrics or log records of a request, each with its place."""
    for outer in getattr(request, {"traces": "resource_spans", "metrics": "resource_metrics", "logs": "resource_logs"}[signal]):
        for inner in getattr(outer, {"traces": "scope_spans", "metrics": "scope_metrics", "logs": "scope_logs"}[signal]):
            place = Place(
                outer.resource.SerializeToString(deterministic=True),
                inner.scope.SerializeToString(deterministic=True),
                (outer.schema_url, inner.schema_url),
            )
            for item in getattr(inner, {"traces": "spans", "metrics": "metrics", "logs": "log_records"}[signal]):
                yield place, item


class Ledger:
    """What has arrived at a sink."""

    def __init__(self, sink):
        self._sink = sink
        self.requests = {"traces": [], "metrics": [], "logs": []}
        self.times = Counter()
        self.spans = {}
        self.enriched = self.bare = 0

    def take(self, seconds):
        """Takes in what has arrived, waiting `seconds` at most for something."""
        for signal, request in self._sink.take(seconds):
            self.requests[signal].append(request)
            if signal == "traces":
                for place, span in items(signal, request):
                    self._note(place, span)

    def _note(self, place, span):
        self.times[span.span_id] += 1
        self.spans[span.span_id] = (place, span)
        if span.name == CHAT:
            if any(one.key.startswith(PREFIX) for one in span.attributes):
                self.enriched += 1
            else:
                self.bare += 1


def collect(ledgers, until, seconds):
    """Takes in what arrives until `until()` holds; gives whether it came to that within `seconds`."""
    deadline = time.monotonic() + seconds
    while not until():
        if time.monotonic() > deadline:
            return False
        for one in ledgers:
            one.take(0.05)
    return True


def missing(sent, ledgers):
    """What breaks the claim that every span sent arrived; `sent` is by span id."""
    arrived = set().union(*(ledger.spans for ledger in ledgers))
    lost = sorted(sent.keys() - arrived)
    return [f"{len(lost)} of {len(sent)} did not arrive, such as {lost[0].hex()}"] if lost else []


def foreign(sent, ledgers):
    """What breaks the claim that nothing arrived that was not sent."""
    unknown = set().union(*(ledger.spans for ledger in ledgers)) - sent.keys()
    return [f"{len(unknown)} spans that nobody sent"] if unknown else []


def more_than(times, ledgers):
    """What breaks the claim that no span arrived more than `times` times."""
    together = sum((ledger.times for ledger in ledgers), Counter())
    often = [count for count in together.values() if count > times]
    return [f"{len(often)} spans arrived more than {times} times, one of them {max(often)} times"] if often else []


def repeated(ledgers):
    """How many spans arrived more than once."""
    return sum(count > 1 for count in sum((ledger.times for ledger in ledgers), Counter()).values())


def changed(sent, ledgers, strip):
    """What breaks the claim that what `strip` leaves of each span, and its place, are what was sent."""
    wrong = []
    for ledger in ledgers:
        for span_id, (place, span) in ledger.spans.items():
            if span_id in sent and (place, strip(span)) != sent[span_id]:
                wrong.append(f"--- sent\n{sent[span_id]}\n--- arrived\n{place, span}")
    return [f"{len(wrong)} spans; the first:\n{wrong[0]}"] if wrong else []


def without_value(ledgers):
    """What breaks the claim that every chat span that arrived carries its CO2e."""
    chats = [span for ledger in ledgers for _, span in ledger.spans.values() if span.name == CHAT]
    without = [span for span in chats if not added_to(span)[0].get("co2e_g", 0) > 0]
    return [f"{len(without)} of {len(chats)} chat spans; the first:\n{without[0]}"] if without else []


def same_items(signal, sent, arrived):
    """What breaks the claim that the metrics or log records that arrived are those that were sent, in order."""
    sent, arrived = ([pair for request in requests for pair in items(signal, request)] for requests in (sent, arrived))
    return [] if sent == arrived else [f"--- sent\n{sent}\n--- arrived\n{arrived}"]
