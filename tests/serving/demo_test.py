"""The demo script: what it shows, and that nothing of it is left over, however it ends."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request

sys.dont_write_bytecode = True
from cluster import BUILD, GUARD, ROOT  # noqa: E402

sys.path += [str(ROOT / "tests" / "tools"), str(ROOT / "tests" / "support")]
import timeline  # noqa: E402
from otlp_files import spans  # noqa: E402
from receiving import Receive  # noqa: E402
from tool import closed_port  # noqa: E402

SCRIPT = ROOT / "examples" / "serving" / "run_demo.py"


class Demo:
    """with Demo(...) as demo: the script as a process of its own, its output folder, its children."""

    def __init__(self, *arguments, **variables):
        self.arguments = arguments
        self.environment = dict(os.environ, **variables)

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="spanwire-demo-")))
        self.process = self.stack.enter_context(subprocess.Popen(
            [sys.executable, str(SCRIPT), "--build", str(BUILD), "--output", str(self.folder),
             "--step-ms=2", "--prefill-us-per-token=10", *self.arguments], env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.stack.close()

    def line_with(self, text):
        """Reads the output up to a line with this in it."""
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            if text in line:
                return line
        raise AssertionError(f"no {text!r} in {''.join(seen)} {self.process.stderr.read()}")

    def children(self):
        """Processes that write their traces into our folder: {pid: command line}."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == self.process.pid:
                continue
            with contextlib.suppress(OSError):
                if str(self.folder).encode() in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def end(self):
        """(exit code, the rest of the output, errors)"""
        output, errors = self.process.communicate(timeout=GUARD)
        return self.process.returncode, output, errors


class Runs(unittest.TestCase):
    def check(self, services, *arguments):
        with Demo(*arguments) as demo:
            code, output, errors = demo.end()
            self.assertEqual((code, errors), (0, ""), output)
            self.assertEqual(demo.children(), {})
            self.assertEqual(output.count("you  "), 3)
            self.assertEqual(output.count("llm  "), 3)
            tree = output[output.index("One request, over all processes"):]
            self.assertIn("POST /v1/chat/completions", tree)
            self.assertIn(f"in {len(services)} processes", tree)
            for service in services:
                self.assertRegex(tree, rf"\b{service}\b")
            self.assertNotRegex(output, "\x1b")
            page = pathlib.Path(re.search(r"page: (\S+)", tree)[1])
            self.assertTrue(page.is_relative_to(self.folder_of(demo)))
            html = page.read_text()
            if "--perfetto" in arguments:
                self.check_timeline(timeline.read(re.search(r"perfetto\.dev: (\S+)", tree)[1]), services)
        self.assertIn("kv_find_best_match", html)
        self.assertNotRegex(html, r"(?i)(src|href)\s*=\s*[\"']?(https?:)?//")

    def check_timeline(self, drawn, services):
        """Each process is a track, and arrows lead from the frontend's calls into the workers."""
        processes = {name.split(" (")[0] for kind, name, _ in drawn.tracks.values() if kind == "process"}
        self.assertEqual(processes, set(services))
        arrows = timeline.arrows(drawn)
        self.assertGreater(arrows["llm/prefill/generate", "llm/prefill/generate"], 0)
        self.assertGreater(arrows["llm/decode/generate", "llm/decode/generate"], 0)
        queue = "decode_waiting depth" if "decode" in services else "prefill_waiting depth"
        self.assertGreater(max(drawn.counters[queue]), 0)
        # Each step of an engine is one slice on its thread, with arrows to or from what it was for each request.
        batches = drawn.named("batch")
        self.assertTrue(all(drawn.track_name(item).startswith("scheduler") for item in batches))
        self.assertTrue(any(item.args["otel.links"] > 1 for item in batches))
        for item in batches:
            self.assertEqual(len(item.flows_in) + len(item.flows_out), item.args["otel.links"])
            self.assertEqual(item.args["batch.size"], item.args["otel.links"])

    def test_an_endpoint_in_the_environment_gets_every_span(self):
        for variable, port in (("OTEL_EXPORTER_OTLP_ENDPOINT", "port"),
                               ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc_port")):
            with self.subTest(variable), Receive("--quiet") as receive:
                endpoint = f"http://127.0.0.1:{getattr(receive, port)}"
                variables = {variable: endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL":
                             "grpc" if port == "grpc_port" else "http/protobuf"}
                with Demo(**variables) as demo:
                    code, output, errors = demo.end()
                    self.assertEqual((code, errors), (0, ""), output)
                    self.assertIn(f"spans go to {endpoint} too\n", output)
                    self.assertNotIn("did not arrive", output)
                    recorded = sum(len(spans(file)) for file in demo.folder.glob("traces-*.jsonl"))
                self.assertIn(f" {recorded} spans, ", receive.stop()[1])

    def test_an_endpoint_where_nobody_listens_is_told(self):
        with closed_port() as port:
            endpoint = f"http://127.0.0.1:{port}"
            with Demo("--aggregated", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as demo:
                code, output, errors = demo.end()
        self.assertEqual((code, errors), (0, ""), output)
        self.assertRegex(output, rf"Spans did not arrive: .*connect_failed: .*{endpoint}/v1/traces")

    @staticmethod
    def folder_of(demo):
        return demo.folder.resolve()

    def test_with_a_prefill_and_two_decode_workers(self):
        self.check(["frontend", "prefill", "decode"], "--perfetto")

    def test_with_one_worker_for_both_phases(self):
        self.check(["frontend", "worker"], "--aggregated")

    def test_with_a_corpus_of_ones_own(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as corpus:
            corpus.write("The ferry leaves the harbour at noon and comes back at night.\n\n" * 3)
            corpus.flush()
            with Demo("--corpus", corpus.name, "--aggregated") as demo:
                code, output, errors = demo.end()
                self.assertEqual((code, errors), (0, ""))
                self.assertIn("ferry", output)


class Ends(unittest.TestCase):
    def test_interrupted_it_takes_all_with_it(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number), Demo("--step-ms=200") as demo:
                demo.line_with("frontend http://")
                self.assertEqual(len(demo.children()), 4)
                demo.process.send_signal(number)
                code, _, errors = demo.end()
                self.assertEqual((code, errors), (130, ""))
                self.assertEqual(demo.children(), {})

    def test_interrupted_at_its_start(self):
        with Demo() as demo:
            demo.process.send_signal(signal.SIGINT)
            demo.end()  # before it has handlers, Python ends it in its own way
            self.assertEqual(demo.children(), {})

    def test_serving_it_stays_until_it_is_interrupted(self):
        with Demo("--serve") as demo:
            line = demo.line_with("curl -N ")
            health = re.search(r"http://\S+?:\d+", line)[0] + "/health"
            with urllib.request.urlopen(health, timeout=GUARD) as answer:
                self.assertEqual(answer.status, 200)
            body = re.search(r"-d '(.*)'", line)[1]
            request = urllib.request.Request(line.split()[2], body.encode())
            with urllib.request.urlopen(request, timeout=GUARD) as answer:
                self.assertIn(b"[DONE]", answer.read())
            demo.process.send_signal(signal.SIGINT)
            code, output, errors = demo.end()
            self.assertEqual((code, errors), (0, ""))
            self.assertIn("POST /v1/chat/completions", output)
            self.assertEqual(demo.children(), {})

    def test_a_child_that_dies_ends_it_with_its_name(self):
        with Demo("--serve") as demo:
            demo.line_with("curl -N ")
            victim = next(pid for pid, command in demo.children().items() if "--role=prefill" in command)
            os.kill(victim, signal.SIGKILL)
            code, _, errors = demo.end()
            self.assertEqual(code, 1)
            self.assertIn("prefill ended with -9", errors)
            self.assertEqual(demo.children(), {})

    def test_a_child_that_cannot_start_is_quoted(self):
        with Demo("--corpus", "no/such/corpus") as demo:
            code, _, errors = demo.end()
            self.assertEqual(code, 1)
            self.assertIn("no/such/corpus", errors)
            self.assertEqual(demo.children(), {})

    def test_without_a_build_it_says_what_to_do(self):
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run([sys.executable, str(SCRIPT), "--build", folder], capture_output=True, text=True,
                                 timeout=GUARD, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("run scripts/demo", run.stderr)

    def test_help_has_examples(self):
        run = subprocess.run([sys.executable, str(SCRIPT), "--help"], capture_output=True, text=True,
                             timeout=GUARD, check=False)
        self.assertEqual(run.returncode, 0)
        for option in ("--aggregated", "--serve", "--perfetto", "--build", "examples:"):
            self.assertIn(option, run.stdout)


if __name__ == "__main__":
    unittest.main()
