"""What is in deploy/ before its judges: the real Collector, Prometheus's own tool, the schemas of Kubernetes and Compose."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import peers

peers.use_python()

import compose_spec  # noqa: E402  pylint: disable=wrong-import-position
import kubernetes_validate  # noqa: E402  pylint: disable=wrong-import-position
import yaml  # noqa: E402  pylint: disable=wrong-import-position

DEPLOY = pathlib.Path(os.environ["SPANWIRE_SOURCE_DIR"]) / "deploy"


class CollectorValidates(unittest.TestCase):
    def validate(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text)
            file.flush()
            return subprocess.run([os.environ["SPANWIRE_PEER_COLLECTOR"], "validate", f"--config={file.name}"],
                                  capture_output=True, text=True, timeout=60, check=False)

    def test_ours(self):
        with open(DEPLOY / "k8s/collector-operator.yaml", encoding="utf-8") as file:
            operators = yaml.safe_dump(yaml.safe_load(file)["spec"]["config"])
        for text in ((DEPLOY / "collector.yaml").read_text(encoding="utf-8"), operators):
            done = self.validate(text)
            self.assertEqual(done.returncode, 0, done.stderr)
        # It does look.
        self.assertNotEqual(self.validate(operators.replace("otlp_grpc", "otlp_grpx")).returncode, 0)


class KubernetesTakes(unittest.TestCase):
    VERSION = "1.37"

    def check(self, document):
        kubernetes_validate.validate(document, self.VERSION, strict=True)

    def test_the_manifests(self):
        documents = [document for name in ("collector", "jaeger", "serving")
                     for document in yaml.safe_load_all((DEPLOY / f"k8s/{name}.yaml").read_text(encoding="utf-8"))]
        self.assertGreater(len(documents), 10)
        for document in documents:
            with self.subTest(kind=document["kind"], name=document["metadata"]["name"]):
                self.check(document)
        # It does look.
        pod = next(document for document in documents if document["kind"] == "Deployment")["spec"]["template"]["spec"]
        pod["containers"][0]["readynessProbe"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            for document in documents:
                self.check(document)


class ComposeTakes(unittest.TestCase):
    def test_its_file(self):
        text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
        options = compose_spec.PyOptions()
        options.apply_merge = True
        options.from_yaml(text).validate()
        # It does look.
        with self.assertRaises(ValueError):
            options.from_yaml(text.replace("depends_on", "depend_on"))


class PrometheusTakes(unittest.TestCase):
    def promtool(self, *words):
        done = subprocess.run([os.environ["SPANWIRE_PEER_PROMTOOL"], *words], capture_output=True, text=True, timeout=60,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    def test_the_configuration_and_its_rules(self):
        code, said = self.promtool("check", "config", str(DEPLOY / "prometheus.yaml"))
        self.assertEqual(code, 0, said)
        self.assertIn("6 rules found", said)

    def test_each_alert_fires_when_it_should_and_then_alone(self):
        code, said = self.promtool("test", "rules", str(pathlib.Path(__file__).parent / "alerts_test.yaml"))
        self.assertEqual(code, 0, said)

    def check_expressions(self, expressions):
        rules = [{"record": f"panel:{number}", "expr": one} for number, one in enumerate(expressions)]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}, file)
            file.flush()
            return self.promtool("check", "rules", file.name)

    def test_the_dashboards_expressions(self):
        board = json.loads((DEPLOY / "grafana/spanwire.json").read_text(encoding="utf-8"))
        expressions = [target["expr"].replace("$job", ".*") for panel in board["panels"] for target in panel["targets"]]
        self.assertGreater(len(expressions), 20)
        code, said = self.check_expressions(expressions)
        self.assertEqual(code, 0, said)
        # It does look.
        self.assertNotEqual(self.check_expressions(["sum by (job (up)"])[0], 0)


if __name__ == "__main__":
    unittest.main()
