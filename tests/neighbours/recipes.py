"""What must hold of each recipe of deploy/collector, and of deploy/prometheus. A part sets its stage, sends, and gives what was tested and its
claims: sentences with what breaks them.

Knows the names that the recipes use for addresses; the processes and the arithmetic are elsewhere.
"""

import json
from pathlib import Path

import alertmanager
import ledger
import prometheus
from claims import ALIASES, PREFIX, attribute, span_claims
from client import HERE as CLIENTS
from client import Client, run_client
from gateway import samples
from ledger import Ledger
from stage import free_port, ports
from traffic import Traffic

# For what takes a moment on an idle machine.
PATIENCE_SECONDS = 60
# Chat spans that must have arrived before a test goes on: some batches of them.
ENOUGH = 150

SCENARIO = json.loads((CLIENTS / "spans.json").read_text("utf-8"))


def bare(span):
    """A span without what gramtrace appended."""
    copy = type(span)()
    copy.CopyFrom(span)
    while copy.attributes and (copy.attributes[-1].key.startswith(PREFIX) or copy.attributes[-1].key in ALIASES):
        del copy.attributes[-1]
    return copy


def scenario_claims(client, entry, folder, sinks, strip=bare):
    """Runs `client` against the ports `entry`; what must hold of what it sent and of what arrived at `sinks`. Without
    `strip` nothing may have been added."""
    arrived = [Ledger(sink) for sink in sinks]
    reports, sent = run_client(client, entry, folder, None)
    spans = {span.span_id: (place, span) for request in sent["traces"] for place, span in ledger.items("traces", request)}
    # Metrics and logs end at the last sink, traces at all of them.
    others = arrived[-1].requests
    wanted = lambda: count(arrived) >= len(spans) and others["metrics"] and others["logs"]  # noqa: E731
    ledger.collect(arrived, wanted, PATIENCE_SECONDS)
    failures = [f"{signal}: {outcome}" for signal, outcomes in reports.items() for outcome in outcomes if outcome != "SUCCESS"]
    yield "the exporters report success", failures
    yield "every span arrived", ledger.missing(spans, arrived)
    yield "every span arrived once", ledger.more_than(1, arrived)
    yield "nothing else arrived", ledger.foreign(spans, arrived)
    if strip:
        yield "the spans are as they were sent, but for what was added", ledger.changed(spans, arrived, strip)
        for name, problems in span_claims(SCENARIO, [request for one in arrived for request in one.requests["traces"]]):
            yield f"span `{name}`", problems
    else:
        yield "the spans are as they were sent", ledger.changed(spans, arrived, lambda span: span)
    for signal in ("metrics", "logs"):
        yield f"the {signal} are as they were sent", ledger.same_items(signal, sent[signal], others[signal])


def traffic_claims(traffic, arrived, times):
    """Ends `traffic`, and what must hold of it at the ledgers `arrived` then."""
    traffic.stop()
    ledger.collect(arrived, lambda: count(arrived) >= len(traffic.sent), PATIENCE_SECONDS)
    yield "the sender's exporter never fails", traffic.failures
    yield "every span arrived", ledger.missing(traffic.sent, arrived)
    yield "nothing else arrived", ledger.foreign(traffic.sent, arrived)
    yield f"no span arrived more than {times} times", ledger.more_than(times, arrived)
    yield "the spans are as they were sent, but for what was added", ledger.changed(traffic.sent, arrived, bare)


def count(arrived):
    return sum(len(one.spans) for one in arrived)


def before(stage, folder):
    sink, hop, entry = stage.sink(), ports(), ports()
    stage.gramtrace(hop, sink.grpc_port)
    stage.collector("before", entry, GRAMTRACE_GRPC=hop["grpc"])
    return "a Python application", list(scenario_claims(Client("python", "grpc", "gzip"), entry, folder, [sink]))


def before_outage(stage, _folder):
    sink, hop, entry = stage.sink(), ports(), ports()
    gramtrace = stage.gramtrace(hop, sink.grpc_port)
    stage.collector("before", entry, GRAMTRACE_GRPC=hop["grpc"])
    return outage(gramtrace, entry, [Ledger(sink)])


def outage(gramtrace, entry, arrived):
    """Traffic, gramtrace killed under it and started again after a while: the spans wait for it."""
    traffic = Traffic(entry["grpc"])
    results = [wait_for("enriched spans arrive", arrived, lambda: sum(one.enriched for one in arrived) >= ENOUGH)]
    gramtrace.kill()
    results.append(wait_for("traffic goes on", arrived, grows(lambda: len(traffic.sent), 6 * ENOUGH)))
    gramtrace.start()
    # At this one: the others of several never stopped.
    results.append(wait_for("enriched spans arrive again", arrived, grows(lambda: arrived[-1].enriched, ENOUGH)))
    results += traffic_claims(traffic, arrived, 2)
    results.append(("every model call carries its CO2e", ledger.without_value(arrived)))
    return f"gramtrace killed under {len(traffic.sent)} spans, {ledger.repeated(arrived)} repeated", results


def grows(amount, more):
    """A condition that holds once `amount()` is `more` than now."""
    mark = amount()
    return lambda: amount() >= mark + more


def wait_for(claim, arrived, condition):
    """Takes in what arrives until `condition()` holds."""
    came = ledger.collect(arrived, condition, PATIENCE_SECONDS)
    return claim, [] if came else [f"not within {PATIENCE_SECONDS} s"]


def after(stage, folder):
    sink, hop, entry = stage.sink(), ports(), ports()
    stage.collector("after", entry, BACKEND_GRPC=sink.grpc_port)
    stage.gramtrace(hop, entry["grpc"])
    results = list(scenario_claims(Client("python", "http/protobuf", "none"), hop, folder, [sink], without_collectors))
    return "a Python application", results


def between(stage, folder):
    sink, hop, entry, last = stage.sink(), ports(), ports(), ports()
    stage.collector("after", last, BACKEND_GRPC=sink.grpc_port)
    stage.gramtrace(hop, last["grpc"])
    stage.collector("before", entry, GRAMTRACE_GRPC=hop["grpc"])
    client = Client("python", "grpc", "gzip")
    return "between the Collectors of `before` and `after`", list(scenario_claims(client, entry, folder, [sink], without_collectors))


def without_collectors(span):
    """A span without what the Collector of after.yaml appended, and then without what gramtrace did. Where the one is
    not what the other calls for, nothing is taken off: then the span differs."""
    copy = type(span)()
    copy.CopyFrom(span)
    found = {one.key: attribute(one.value) for one in span.attributes}
    added = {"app.hop": "collector"}
    if "gramtrace.co2e_g" in found:
        added["app.co2e_mg"] = found["gramtrace.co2e_g"] * 1000.0
    has_registry = "gramtrace.registry" in found
    if {key: value for key, value in found.items() if key.startswith("app.")} != added or has_registry != ("gramtrace.co2e_g" in found):
        return copy
    while copy.attributes and copy.attributes[-1].key in added:
        del copy.attributes[-1]
    return bare(copy)


def hop_stage(stage):
    sink, middle, entry = stage.sink(), ports(), ports()
    enriched = free_port()
    gramtrace = stage.gramtrace(middle, enriched)
    addresses = {"COLLECTOR_ENRICHED_LISTEN": enriched, "GRAMTRACE_GRPC": middle["grpc"], "BACKEND_GRPC": sink.grpc_port}
    stage.collector("hop", entry, **addresses)
    return sink, middle, entry, gramtrace


def hop(stage, folder):
    sink, middle, entry, _ = hop_stage(stage)
    results = list(scenario_claims(Client("python", "http/protobuf", "gzip"), entry, folder, [sink]))
    # gramtrace counts a span once it has its next one's answer: a moment after the sink has the span.
    spans = len(SCENARIO["spans"])
    accepted = lambda kind: samples(middle["metrics"]).get(f"otelcol_receiver_accepted_{kind}", 0)  # noqa: E731
    results.append(wait_for("gramtrace took every span", [Ledger(sink)], lambda: accepted("spans") >= spans))
    others = {kind: accepted(kind) for kind in ("metric_points", "log_records")}
    results.append(("metrics and logs went past gramtrace", [others] if any(others.values()) else []))
    return "a Python application", results


def hop_outage(stage, _folder):
    sink, _, entry, gramtrace = hop_stage(stage)
    return outage(gramtrace, entry, [Ledger(sink)])


def fail_open_stage(stage):
    sink, middle, entry = stage.sink(), ports(), ports()
    proxy = free_port()
    gramtrace = stage.gramtrace(middle, sink.grpc_port)
    stage.haproxy(proxy, middle, sink.http_port)
    stage.collector("fail-open", entry, HAPROXY_HTTP=proxy)
    return sink, entry, gramtrace


def fail_open(stage, folder):
    sink, entry, _ = fail_open_stage(stage)
    return "a Python application", list(scenario_claims(Client("python", "grpc", "none"), entry, folder, [sink]))


def fail_open_dead(stage, folder):
    sink, entry, gramtrace = fail_open_stage(stage)
    gramtrace.kill()
    results = list(scenario_claims(Client("python", "grpc", "none"), entry, folder, [sink], strip=None))
    return "a Python application, gramtrace dead", results


def fail_open_deaths(stage, _folder):
    """gramtrace is killed under traffic, comes back, and is told to stop: traces arrive all the time."""
    sink, entry, gramtrace = fail_open_stage(stage)
    one = Ledger(sink)
    traffic = Traffic(entry["grpc"])
    arrived = [one]
    results = [wait_for("enriched spans arrive", arrived, grows(lambda: one.enriched, ENOUGH))]
    results.append(("no span arrives without attributes", [f"{one.bare} do"] if one.bare else []))
    gramtrace.kill()
    results.append(wait_for("spans arrive without attributes once gramtrace is killed", arrived, grows(lambda: one.bare, ENOUGH)))
    around = one.bare
    gramtrace.start()
    results.append(wait_for("enriched spans arrive once it is back", arrived, grows(lambda: one.enriched, ENOUGH)))
    status = gramtrace.stop()
    results.append(("SIGTERM ends it with 0", [] if status == 0 else [f"{status}\n{gramtrace.log()}"]))
    results.append(wait_for("spans arrive without attributes once it is told to stop", arrived, grows(lambda: one.bare, ENOUGH)))
    results += traffic_claims(traffic, [one], 2)
    calls = f"{one.enriched} calls enriched, {around} + {one.bare - around} around it"
    return f"killed, stopped: {calls}, {ledger.repeated([one])} repeated", results


def replicas_stage(stage):
    """Each replica has a sink of its own, so that it can be told who took what; the last one also has metrics and logs."""
    sinks, replicas, entry = [stage.sink(), stage.sink()], [ports(), ports()], ports()
    running = [stage.gramtrace(replica, sink.grpc_port) for replica, sink in zip(replicas, sinks, strict=True)]
    addresses = {f"GRAMTRACE_{number}_GRPC": replica["grpc"] for number, replica in enumerate(replicas)}
    stage.collector("replicas", entry, BACKEND_GRPC=sinks[-1].grpc_port, **addresses)
    return sinks, entry, running


def replicas(stage, folder):
    sinks, entry, _ = replicas_stage(stage)
    return "a Python application", list(scenario_claims(Client("python", "grpc", "gzip"), entry, folder, sinks))


def replicas_outage(stage, _folder):
    sinks, entry, running = replicas_stage(stage)
    arrived = [Ledger(sink) for sink in sinks]
    what, results = outage(running[-1], entry, arrived)
    traces = [{span.trace_id for _, span in one.spans.values()} for one in arrived]
    both = traces[0] & traces[1]
    results.append(("each trace is at one replica", [f"{len(both)} are at both"] if both else []))
    shares = [len(each) for each in traces]
    results.append(("both replicas have traces", [] if all(shares) else [shares]))
    return what.replace("gramtrace", f"one of {'+'.join(map(str, shares))} traces"), results


RECIPES = {
    "before": (before, before_outage),
    "after": (after, between),
    "hop": (hop, hop_outage),
    "fail-open": (fail_open, fail_open_dead, fail_open_deaths),
    "replicas": (replicas, replicas_outage),
    "prometheus": (prometheus.scraped, alertmanager.alerted),
}
