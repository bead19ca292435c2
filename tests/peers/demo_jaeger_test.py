"""scripts/demo --jaeger: finds a Jaeger, sends to it, reads back and judges; with one that is there already, too."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import peers

SCRIPT = peers.ROOT / "examples" / "serving" / "run_demo.py"
TOOL = os.environ["SPANWIRE_TOOL"]
ANY_PORT = {f"JAEGER_{name}_PORT": "0" for name in ("UI", "QUERY_GRPC", "OTLP_GRPC", "OTLP_HTTP", "HEALTH")}

# Stands in for the client and its engine, which do not run everywhere: what it is told to run in the image is the real
# Jaeger, on the host.
DOCKER = """\
#!{python}
import json, os, sys
words = sys.argv[1:]
with open("{folder}/calls", "a") as calls:
    print(json.dumps(words), file=calls)
if words[0] == "image":
    sys.exit(1)  # it is not here yet
if words[0] == "run":
    image = next(at for at, word in enumerate(words) if "/jaeger:" in word)
    os.execv("{jaeger}", ["jaeger", *words[image + 1:]])
"""


class Demo(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="spanwire-demo-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "jaeger").symlink_to(peers.peer("JAEGER"))
        self.path = f"{self.folder / 'bin'}:{os.environ['PATH']}"

    def demo(self, **variables):
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "--build", str(peers.BUILD), "--output", str(self.folder / "out"), "--jaeger",
             "--step-ms=2", "--prefill-us-per-token=10"],
            env=peers.environment(PATH=self.path, **variables), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=2 * peers.TIMEOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"G7 +no orphans +pass")
        self.assertRegex(done.stdout, r"PASS: \d+ rules pass")
        self.assertTrue((self.folder / "out" / "jaeger-run" / "telemetry" / "jaeger_traces.json").exists())
        return done.stdout

    def test_one_on_the_path_is_started_and_stopped(self):
        said = self.demo(**ANY_PORT)
        self.assertIn(f"Jaeger ({self.folder / 'bin' / 'jaeger'}) at http://127.0.0.1:", said)
        self.assertTrue((self.folder / "out" / "jaeger-run" / "jaeger" / "badger").is_dir())
        self.assertIn("no Jaeger is up", self.jaeger("down", self.folder / "out" / "jaeger-run", 1))

    def test_one_in_a_container(self):
        (self.folder / "bin" / "jaeger").unlink()
        docker = self.folder / "bin" / "docker"
        docker.write_text(DOCKER.format(python=sys.executable, folder=self.folder, jaeger=peers.peer("JAEGER")))
        docker.chmod(0o755)
        said = self.demo(**ANY_PORT)
        self.assertIn("docker pull docker.io/jaegertracing/jaeger:", said)
        out = self.folder / "out"
        self.assertIn(f"Jaeger ({out}/jaeger-in-container) at http://127.0.0.1:", said)
        *_, ran = [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]
        self.assertEqual(ran[:8], ["run", "--rm", "--network", "host", "--user", f"{os.getuid()}:{os.getgid()}",
                                   "--volume", f"{out}:{out}"])
        self.assertEqual(ran[9:], ["--config", f"{out}/jaeger-run/configs/jaeger.yaml"])
        self.assertTrue((out / "jaeger-run" / "jaeger" / "badger").is_dir())
        self.assertIn("no Jaeger is up", self.jaeger("down", out / "jaeger-run", 1))

    def test_one_is_built_where_no_container_runs(self):
        (self.folder / "bin" / "jaeger").unlink()
        for name in ("docker", "podman"):
            (self.folder / "bin" / name).write_text("#!/bin/sh\necho 'Cannot connect to the daemon' >&2\nexit 1\n")
            (self.folder / "bin" / name).chmod(0o755)
        said = self.demo(**ANY_PORT)
        self.assertIn("no Jaeger here: building one from Go modules, once", said)
        self.assertIn("this one was built without Jaeger's own pages", said)

    def test_one_that_listens_is_taken(self):
        run = self.folder / "there"
        ready = self.jaeger("up", run, 0, "--jaeger", peers.peer("JAEGER"), "--memory")
        self.addCleanup(self.jaeger, "down", run, 0)
        query, otlp = re.search(r"UI http://localhost:(\d+),.*OTLP HTTP (\S+)", ready).groups()
        said = self.demo(SPANWIRE_JAEGER_URL=f"http://127.0.0.1:{query}", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{otlp}")
        self.assertIn(f"Jaeger at http://127.0.0.1:{query}, spans to http://{otlp}", said)
        self.assertIn(f"In Jaeger: http://127.0.0.1:{query}/trace/", said)

    def jaeger(self, what, run, code, *words):
        done = subprocess.run([TOOL, "jaeger", what, "--run", str(run), *words], env=peers.environment(**ANY_PORT),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=peers.TIMEOUT,
                              check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr


if __name__ == "__main__":
    unittest.main()
