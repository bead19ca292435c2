"""spanwire exec, jaeger and compare."""

import http.server
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest

import tool
from view_test import line, span

# Stands in for the program: it reads its configuration, says how many of its ports nobody else is given, answers on
# the health port and ends at SIGTERM.  The real one is among the peers.
PROGRAM = """\
    #!{python}
    import http.server, json, re, signal, socket, sys
    config = json.load(open(sys.argv[sys.argv.index("--config") + 1]))
    class Health(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass
        def do_GET(self):
            body = b'{{"healthy":true,"status":"StatusOK"}}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
    def is_held(port):
        with socket.socket() as other:
            try:
                other.bind(("127.0.0.1", int(port)))
                return False
            except OSError:
                return True
    ports = set(re.findall("127[.]0[.]0[.]1:([0-9]+)", json.dumps(config)))
    print(sum(map(is_held, ports)), "ports are held", flush=True)
    host, port = config["extensions"]["healthcheckv2"]["http"]["endpoint"].split(":")
    print("up on", port, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    http.server.HTTPServer((host, int(port)), Health).serve_forever()
"""
FREE_PORTS = ["--ui-port", "0", "--query-grpc-port", "0", "--grpc-port", "0", "--http-port", "0", "--health-port", "0"]


class Runs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.run_path = os.path.join(self.folder.name, "7")

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def content(self, name):
        with open(os.path.join(self.run_path, name), encoding="utf-8") as file:
            return file.read()

    def execute(self, *words, code=0, **extra):
        done = tool.run("exec", "--run", self.run_path, *words, **extra)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_exec_sets_what_tracing_needs_and_keeps_the_output(self):
        show = "import os, sys; print([f'{k}={v}' for k, v in sorted(os.environ.items()) if k.startswith('OTEL')]); " \
               "print('said', file=sys.stderr)"
        self.execute("--service", "sglang", "--endpoint", "http://h:4317", "--instance", "--", sys.executable, "-c", show,
                     OTEL_RESOURCE_ATTRIBUTES="a=b")
        text = self.content("logs/server.log")
        for variable in ("OTEL_SERVICE_NAME=sglang", "OTEL_EXPORTER_OTLP_ENDPOINT=http://h:4317",
                         "OTEL_TRACES_SAMPLER=always_on", "OTEL_RESOURCE_ATTRIBUTES=a=b,service.instance.id=7"):
            self.assertIn(f"'{variable}'", text)
        self.assertIn("said\n", text)
        self.execute("--instance", "--log", "again.log", "--", sys.executable, "-c", show,
                     OTEL_RESOURCE_ATTRIBUTES="service.instance.id=old, a=b")
        self.assertIn("'OTEL_RESOURCE_ATTRIBUTES= a=b,service.instance.id=7'", self.content("logs/again.log"))
        self.execute("--log", "other.log", "--", sys.executable, "-c", show, OTEL_TRACES_SAMPLER="always_off")
        self.assertIn("'OTEL_TRACES_SAMPLER=always_off'", self.content("logs/other.log"))

    def test_exec_ends_as_the_server_does(self):
        self.execute("--", sys.executable, "-c", "raise SystemExit(7)", code=7)
        self.execute("--", sys.executable, "-c", "import os; os.kill(os.getpid(), 9)", code=128 + 9)
        self.assertIn(b"no/such/program", self.execute("--", "no/such/program", code=127).stderr)
        self.assertEqual(tool.run("exec", "--", "true").returncode, 2, "no folder")
        unwritable = tool.run("exec", "--run", "/dev/null/7", "--", "true")
        self.assertEqual(unwritable.returncode, 1)
        self.assertIn(b"/dev/null/7", unwritable.stderr)

    def test_exec_passes_signals_on(self):
        script = "import signal, sys; signal.signal(15, lambda *_: sys.exit(3)); print('up', flush=True); signal.pause()"
        process = subprocess.Popen([tool.TOOL, "exec", "--run", self.run_path, "--", sys.executable, "-c", script],
                                   stderr=subprocess.PIPE, env=tool.clean_environment())
        process.stderr.readline()
        guard = threading.Timer(tool.GUARD_S, process.kill)
        guard.start()
        while "up" not in self.content("logs/server.log"):
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        process.communicate()
        guard.cancel()
        self.assertEqual(process.returncode, 3)

    def test_exec_keeps_metrics(self):
        class Metrics(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                body = b"up 1\n"
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            wait = f"import os\nwhile not os.path.exists({os.path.join(self.run_path, 'metrics/000002.txt')!r}): pass"
            self.execute("--metrics", f"http://127.0.0.1:{server.server_port}/metrics", "--interval", "20ms", "--",
                         sys.executable, "-c", wait)
            server.shutdown()
        self.assertEqual(self.content("metrics/000001.txt"), "up 1\n")

    def jaeger(self, *words, code=0, **extra):
        done = tool.run("jaeger", *words, "--run", self.run_path, **extra)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def dry_fetch(self, *words, **extra):
        done = tool.run("fetch", *words, "--dry-run", "--run", self.run_path, **extra)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def test_jaeger_comes_up_in_the_folder_and_goes_down(self):
        program = self.write("jaeger", textwrap.dedent(PROGRAM.format(python=sys.executable)))
        os.chmod(program, 0o755)
        up = ["up", "--jaeger", program, *FREE_PORTS]
        done = self.jaeger(*up)
        self.addCleanup(lambda: tool.run("jaeger", "down", "--run", self.run_path))
        self.assertRegex(done.stdout, rb"ready: UI http://localhost:\d+, OTLP gRPC 127\.0\.0\.1:\d+")
        config = json.loads(self.content("configs/jaeger.yaml"))
        store = config["extensions"]["jaeger_storage"]["backends"]["store"]["badger"]
        self.assertEqual(store["directories"]["keys"], self.run_path + "/jaeger/badger/keys")
        self.assertFalse(store["ephemeral"])
        self.assertFalse(config["extensions"]["jaeger_query"]["enable_tracing"])
        self.assertEqual(config["service"]["pipelines"]["traces"]["receivers"], ["otlp"])
        self.assertRegex(self.content("logs/jaeger.log"), r"5 ports are held\nup on \d+\n")
        query = re.search(rb"http://localhost:(\d+)", done.stdout)[1].decode()
        manifest = json.loads(self.content("manifest.json"))
        self.assertEqual(manifest["source"], f"http://127.0.0.1:{query}")
        self.assertEqual(list(manifest["files"]), ["configs/jaeger.yaml"])
        self.assertNotIn("window", manifest)
        self.assertIn(f"GET http://127.0.0.1:{query}/api/v3/services", self.dry_fetch())
        self.assertIn("GET http://other:1/api/v3/services", self.dry_fetch(SPANWIRE_JAEGER_URL="http://other:1"))
        self.assertIn("GET http://named:2/api/v3/services", self.dry_fetch("http://named:2"))
        self.assertIn(b"already up", self.jaeger(*up, code=1).stderr)
        self.jaeger("down")
        self.assertIn(b"no Jaeger is up", self.jaeger("down", code=1).stderr)

    def test_jaeger_that_cannot_start_is_told(self):
        self.assertIn(b"no/such", self.jaeger("up", "--jaeger", "no/such", *FREE_PORTS, code=3).stderr)
        program = self.write("jaeger", f"#!{sys.executable}\nraise SystemExit(1)\n")
        os.chmod(program, 0o755)
        self.assertIn(b"ended at once", self.jaeger("up", "--jaeger", program, *FREE_PORTS, code=3).stderr)

    def test_jaeger_does_not_take_another_for_itself(self):
        program = self.write("jaeger", textwrap.dedent(PROGRAM.format(python=sys.executable)))
        os.chmod(program, 0o755)
        self.jaeger("up", "--jaeger", program, *FREE_PORTS)
        self.addCleanup(lambda: tool.run("jaeger", "down", "--run", self.run_path))
        health = json.loads(self.content("configs/jaeger.yaml"))["extensions"]["healthcheckv2"]["http"]["endpoint"]
        port = health.split(":")[1]
        other = os.path.join(self.folder.name, "8")
        done = tool.run("jaeger", "up", "--run", other, "--jaeger", program, *FREE_PORTS[:-1], port)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(f"port {port} is taken".encode(), done.stderr)
        self.assertFalse(os.path.exists(os.path.join(other, "jaeger/pid")))

    def test_validating_only_does_nothing(self):
        done = self.execute("--service", "s", "--instance", "--", "serve", "--port", "1", VALIDATE_ONLY="1")
        self.assertEqual(done.stdout.decode().splitlines(), [
            "OTEL_SERVICE_NAME=s", "OTEL_TRACES_SAMPLER=always_on", "OTEL_RESOURCE_ATTRIBUTES=service.instance.id=7",
            "serve --port 1", f"  -> {self.run_path}/logs/server.log"])
        done = self.jaeger("up", "--memory", "--grpc-port", "14317", VALIDATE_ONLY="1")
        config = json.loads(done.stdout)
        self.assertEqual(config["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"], "127.0.0.1:14317")
        self.assertIn("memory", config["extensions"]["jaeger_storage"]["backends"]["store"])
        self.assertFalse(os.path.exists(self.run_path))

    def test_compare_puts_two_runs_side_by_side(self):
        before = self.write("a.jsonl", line("s", span(1, 1, 0, "work", 0, 100), span(2, 2, 0, "gone", 0, 5)))
        after = self.write("b.jsonl", line("s", span(3, 1, 0, "work", 0, 150)))
        done = tool.run("compare", before, after)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout.decode(), r"s +work +1 +100 µs +1 +150 µs +1\.50 x\n")
        self.assertRegex(done.stdout.decode(), r"s +gone .* missing\n")
        self.assertEqual(tool.run("compare", before, after, "--ratio-max", "1.4").returncode, 1)
        self.assertEqual(tool.run("compare", before, after, "--ratio-max", "1.6").returncode, 0)
        self.assertIn(b"missing in B", tool.run("compare", before, after, "--same-names").stderr)
        one = tool.run("compare", before, before, "--trace-a", "0" * 31 + "1", "--trace-b", "0" * 31 + "2", "--format", "json")
        self.assertEqual(len(json.loads(one.stdout)["names"]), 2, one.stderr)
        self.assertEqual(tool.run("compare", before, "/nonexistent").returncode, 3)

    def test_all_explain_themselves(self):
        for words in (["exec"], ["jaeger"], ["jaeger", "up"], ["compare"], ["fetch"], ["probe"]):
            done = tool.run(*words, "--help")
            self.assertEqual(done.returncode, 0, words)
            self.assertIn(b"OPTIONS", done.stdout.upper())
        for words in (["exec"], ["jaeger"], ["compare", "a"]):
            self.assertEqual(tool.run(*words).returncode, 2, words)


if __name__ == "__main__":
    unittest.main()
