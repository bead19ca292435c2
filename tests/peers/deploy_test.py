"""The real Collector validates the configurations in deploy/."""

import os
import pathlib
import subprocess
import tempfile
import unittest

import yaml

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


if __name__ == "__main__":
    unittest.main()
