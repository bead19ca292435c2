"""The files in deploy/: they parse, they fit together, and what they name exists in this tree."""

import json
import os
import pathlib
import re
import subprocess
import unittest

import yaml

ROOT = pathlib.Path(os.environ["SPANWIRE_SOURCE_DIR"])
DEPLOY = ROOT / "deploy"
PROGRAMS = pathlib.Path(os.environ["SPANWIRE_BINARY_DIR"]) / "bin"
# What llm-d sets in every process that it traces.
LLMD = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel-collector:4317",
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "1.0",
}


def documents(path):
    return list(yaml.safe_load_all((DEPLOY / path).read_text(encoding="utf-8")))


def known_metrics():
    """The names of our counters and histograms as Prometheus sees them."""
    names = set()
    for path in [*ROOT.glob("lib/**/*.cpp"), *ROOT.glob("lib/**/*.hpp")]:
        text = path.read_text(encoding="utf-8")
        names.update(re.findall(r'"(spanwire\.[a-z0-9_.]+[a-z0-9_])"', text))
        # Families have Prometheus's names already, histograms among them further ones.
        for family in re.findall(r'"((?:spanwire|rpc)_[a-z0-9_]+)"', text):
            names.update(family + suffix for suffix in ("", "_bucket", "_sum", "_count"))
    reasons = re.findall(r'return "([a-z_]+)"', (ROOT / "lib/trace/report.cpp").read_text(encoding="utf-8"))
    names.update(f"spanwire.trace.spans_lost.{reason}" for reason in reasons)
    return {name.replace(".", "_") for name in names}


def unknown_metrics(expression, known):
    """The names and patterns of an expression that are none of `known`."""
    patterns = re.findall(r'__name__=~"([^"]+)"', expression)
    named = re.findall(r"\b(?:spanwire|rpc_client|rpc_server)_[a-z0-9_]+", re.sub(r'__name__=~"[^"]+"', "", expression))
    return [text for text in patterns + named if not any(re.fullmatch(text, name) for name in known)]


class Deploy(unittest.TestCase):
    def test_every_file_parses(self):
        paths = [path for path in DEPLOY.rglob("*") if path.suffix in (".yaml", ".json")]
        self.assertGreater(len(paths), 9)
        for path in paths:
            with self.subTest(path.name):
                text = path.read_text(encoding="utf-8")
                loaded = json.loads(text) if path.suffix == ".json" else list(yaml.safe_load_all(text))
                self.assertTrue(loaded)

    def test_alerts_and_dashboard_name_metrics_that_exist(self):
        known = known_metrics()
        self.assertIn("spanwire_trace_spans_lost_ring_full", known)
        rules = documents("alerts.yaml")[0]["groups"][0]["rules"]
        expressions = [rule["expr"] for rule in rules]
        board = json.loads((DEPLOY / "grafana/spanwire.json").read_text(encoding="utf-8"))
        expressions += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
        expressions += [item["query"] for item in board["templating"]["list"]]
        self.assertGreater(len(expressions), 12)
        for expression in expressions:
            self.assertEqual(unknown_metrics(expression, known), [], expression)
            self.assertEqual(expression.count("("), expression.count(")"), expression)
            # Without their names several counters of one process are one series, which is an error.
            self.assertNotRegex(expression, r"(rate|increase)\(\{__name__=~")
        self.assertEqual(unknown_metrics("rate(spanwire_no_such[1m])", known), ["spanwire_no_such"])
        self.assertEqual(unknown_metrics("rpc_server_calls", known), ["rpc_server_calls"])

    def test_what_they_name_is_documented(self):
        page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8").replace(".", "_")
        text = (DEPLOY / "alerts.yaml").read_text(encoding="utf-8")
        text += (DEPLOY / "grafana/spanwire.json").read_text(encoding="utf-8")
        named = set(re.findall(r"\b(?:spanwire_(?:otlp|rpc|trace)|rpc_(?:client|server)_call)_[a-z0-9_]+", text))
        self.assertGreater(len(named), 12)
        for name in named:
            self.assertIn(re.sub(r"_(bucket|sum|count)$", "", name), page)

    def test_the_dashboards_panels_do_not_overlap_and_have_a_source(self):
        board = json.loads((DEPLOY / "grafana/spanwire.json").read_text(encoding="utf-8"))
        sources = {source["uid"] for source in documents("grafana/datasources.yaml")[0]["datasources"]}
        cells = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(own & cells, panel["title"])
            cells |= own
            self.assertIn(panel["datasource"]["uid"], sources)

    def test_all_collectors_are_configured_alike(self):
        ours = documents("collector.yaml")[0]
        standalone = documents("k8s/collector.yaml")[0]["data"]["collector.yaml"]
        self.assertEqual(yaml.safe_load(standalone), ours)
        self.assertEqual(documents("k8s/collector-operator.yaml")[0]["spec"]["config"], ours)
        conditions = ours["processors"]["filter/drop-metrics-scraping"]["traces"]["span"]
        self.assertEqual(conditions, ['attributes["url.path"] == "/metrics"', 'attributes["http.route"] == "/metrics"',
                                      'name == "GET /metrics"', 'name == "GET"'])

    def test_compose_fits_together(self):
        compose = documents("compose.yaml")[0]
        services = compose["services"]
        for name, service in services.items():
            for needed in service.get("depends_on", []):
                self.assertIn(needed, services)
            for volume in service.get("volumes", []):
                self.assertTrue((DEPLOY / volume.split(":")[0]).is_file(), volume)
            self.assertRegex(service["image"], r":v?\d+\.\d+\.\d+$")
            if service["image"].startswith("spanwire/"):
                self.assertEqual(service["environment"], {**LLMD, "OTEL_SERVICE_NAME": name})
                self.check_command(service["command"], services)

    def test_manifests_fit_together(self):
        found = [document for name in ("collector", "jaeger", "serving") for document in documents(f"k8s/{name}.yaml")]
        kinds = {(document["kind"], document["metadata"]["name"]): document for document in found}
        self.assertEqual(len(kinds), len(found))
        services = {name for kind, name in kinds if kind == "Service"}
        for (kind, name), document in kinds.items():
            if kind != "Deployment":
                continue
            spec = document["spec"]
            labels = spec["template"]["metadata"]["labels"]
            self.assertEqual(spec["selector"]["matchLabels"], labels)
            service = kinds["Service", name]["spec"]
            self.assertEqual(service["selector"], labels)
            container = spec["template"]["spec"]["containers"][0]
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            self.assertEqual({port["name"]: port["port"] for port in service["ports"]}, ports)
            if container["image"].startswith("spanwire/"):
                values = {item["name"]: item["value"] for item in container["env"] if "value" in item}
                self.assertEqual(values, {**LLMD, "OTEL_SERVICE_NAME": name})
                self.check_command(container["command"], services)

    def check_command(self, command, hosts):
        """The program takes these flags, and the workers that it is given are there."""
        told = subprocess.run([PROGRAMS / command[0], "--help"], capture_output=True, text=True, check=True).stdout
        for word in command[1:]:
            if word.startswith("--"):
                self.assertIn(word, told)
            elif word.startswith("tcp://") and "0.0.0.0" not in word:
                self.assertIn(re.match(r"tcp://([^:]+):7001$", word)[1], hosts)

    def test_the_image_has_what_it_runs(self):
        text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
        for name in ("spanwire", "serving_frontend", "serving_worker"):
            self.assertIn(name, text)
        for path in re.findall(r"^COPY (?!--from)(\S+) ", text, re.M):
            self.assertTrue((ROOT / path).exists(), path)


if __name__ == "__main__":
    unittest.main()
