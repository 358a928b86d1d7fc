"""The manifests: each fits Kubernetes' schemas, and what has to agree between them does. Knows manifests; asks no cluster."""

import subprocess

import kubernetes_validate
import yaml

# The oldest that is still supported, and the newest whose schemas are there.
VERSIONS = ("1.34", "1.37")


def claims(folder, options, scratch):
    objects = [one for path in sorted(folder.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text("utf-8"))]
    for one in objects:
        for version in VERSIONS:
            yield f"{name(one)} fits the schema of {version}", schema_problems(one, version)
    pods = {name(one): one["spec"]["template"] for one in objects if one["kind"] == "Deployment"}
    for one in objects:
        yield f"{name(one)}: its selector finds pods", selector_problems(one, pods)
    maps = {one["metadata"]["name"]: one["data"] for one in objects if one["kind"] == "ConfigMap"}
    for pod, template in pods.items():
        yield f"{pod}: ports, volumes and ConfigMaps that are named are there", reference_problems(template, maps)
        yield f"{pod}: gramtrace has no rights, probes, and limits", container_problems(template)
    services = [one for one in objects if one["kind"] == "Service"]
    for one in services:
        yield f"{name(one)}: its ports are ports of the pods", port_problems(one, pods)
    collector = maps["otel-collector-gramtrace"]["collector.yaml"]
    hosts = {one["metadata"]["name"] for one in services if one["spec"].get("clusterIP") == "None"}
    asked = yaml.safe_load(collector)["exporters"]["load_balancing"]["resolver"]["dns"]["hostname"]
    yield "the Collector asks a headless Service", [] if asked in hosts else [asked]
    yield "gramtrace's configuration validates", validates(options.gramtrace, maps["gramtrace"]["gramtrace.yaml"], scratch)
    if options.collector:
        yield "the Collector's configuration validates", validates(options.collector, collector, scratch)


def name(one):
    return f"{one['kind']}/{one['metadata']['name']}"


def schema_problems(one, version):
    try:
        kubernetes_validate.validate(one, version, strict=True)
        return []
    except kubernetes_validate.ValidationError as error:
        return [error.message]


def selector_problems(one, pods):
    spec = one.get("spec", {})
    selector = spec.get("podSelector") or spec.get("selector")
    if selector is None:
        return []
    wanted = selector.get("matchLabels", selector)
    found = [pod for pod in pods.values() if wanted.items() <= pod["metadata"]["labels"].items()]
    return [] if found else [wanted]


def reference_problems(template, maps):
    spec = template["spec"]
    volumes = {one["name"]: one.get("configMap", {}).get("name") for one in spec.get("volumes", [])}
    problems = [f"no ConfigMap {one}" for one in volumes.values() if one and one not in maps]
    for container in spec.get("initContainers", []) + spec["containers"]:
        ports = {one["name"] for one in container.get("ports", [])}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            port = container.get(probe, {}).get("httpGet", {}).get("port")
            if port and port not in ports:
                problems.append(f"{container['name']}: {probe} asks port {port}")
        problems += [f"no volume {one['name']}" for one in container.get("volumeMounts", []) if one["name"] not in volumes]
    return problems


def container_problems(template):
    spec = template["spec"]
    (container,) = [one for one in spec.get("initContainers", []) + spec["containers"] if one["name"] == "gramtrace"]
    security = spec.get("securityContext", {}) | container["securityContext"]
    wanted = {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    problems = [f"{key} is {security.get(key)}" for key, value in wanted.items() if security.get(key) != value]
    problems += [f"no {probe}" for probe in ("startupProbe", "livenessProbe") if probe not in container]
    resources = container["resources"]
    return problems + ([] if "memory" in resources["limits"] and "memory" in resources["requests"] else [resources])


def port_problems(service, pods):
    selector = service["spec"]["selector"]
    containers = [
        container
        for pod in pods.values()
        if selector.items() <= pod["metadata"]["labels"].items()
        for container in pod["spec"]["containers"]
    ]
    there = {port["name"] for container in containers for port in container.get("ports", [])}
    return [port for port in service["spec"]["ports"] if port["targetPort"] not in there]


def validates(program, text, scratch):
    path = scratch / f"{program.name}.yaml"
    path.write_text(text, "utf-8")
    command = [program, "validate", "--config", path]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return [] if done.returncode == 0 else [done.stdout + done.stderr]
