"""spanwire fetch, verify and view with other sources than Jaeger: Tempo, files, folders."""

import json
import os
import tempfile
import time
import unittest

import tool
from fake_tempo import SECOND, Tempo
from view_test import line, span


def ago(seconds):
    return time.time_ns() - seconds * SECOND


class OtherSources(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.run_path = os.path.join(self.folder.name, "runs", "7")

    def serve(self, *arguments, **extra):
        server = Tempo(*arguments, **extra)
        server.__enter__()
        self.addCleanup(server.__exit__)
        return server

    def fetch(self, source, *words, code=0):
        done = tool.run("fetch", source, "--run", self.run_path, *words)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def spans(self):
        """(trace id, name) as the file has them."""
        found = []
        with open(os.path.join(self.run_path, "telemetry/traces.otlp.json"), encoding="utf-8") as file:
            for text in file:
                for resource in json.loads(text)["resourceSpans"]:
                    for scope in resource["scopeSpans"]:
                        found += [made["name"] for made in scope["spans"]]
        return sorted(found)

    def manifest(self):
        with open(os.path.join(self.run_path, "manifest.json"), encoding="utf-8") as file:
            return json.load(file)

    def test_tempos_traces_become_a_run(self):
        server = self.serve({1: ("sglang", ago(60)), 2: ("sglang", ago(50)), 3: ("other", ago(40))})
        done = self.fetch(server.url, "--service", "sglang", "--start", "5m")
        self.assertIn(b"4 spans in 2 traces", done.stderr)
        self.assertEqual(self.spans(), ["work 0", "work 0", "work 1", "work 1"])
        self.assertEqual(self.manifest()["source"], server.url)
        self.assertIn("telemetry/traces.otlp.json", self.manifest()["files"])
        self.assertEqual(tool.run("verify", self.run_path, "--service", "sglang").returncode, 0)
        self.assertEqual(os.listdir(os.path.join(self.run_path, "telemetry")), ["traces.otlp.json"])

    def test_a_full_search_of_tempo_is_repeated_in_halves(self):
        server = self.serve({number: ("s", ago(10 + 3 * number)) for number in range(1, 41)})
        self.fetch(server.url, "--start", "5m", "--depth", "7")
        self.assertEqual(len(self.spans()), 80)
        self.assertGreater(len([path for path, _ in server.asked if path == "/api/search"]), 5)
        at = ago(10)
        crowded = self.serve({number: ("s", at) for number in range(1, 41)})
        done = self.fetch(crowded.url, "--start", "5m", "--depth", "7", code=1)
        self.assertIn(b"TRUNCATED", done.stderr)

    def test_tempo_is_asked_until_no_more_comes(self):
        at = ago(10)
        server = self.serve({1: ("s", at)}, later={2: ("s", at), 3: ("s", at)})
        done = self.fetch(server.url, "--start", "5m", "--polls", "3")
        self.assertEqual(len(self.spans()), 6)
        self.assertNotIn(b"still growing", done.stderr)
        self.assertEqual(len([path for path, _ in server.asked if path == "/api/search"]), 4)
        server = self.serve({1: ("s", at)}, later={2: ("s", at)})
        self.fetch(server.url, "--start", "5m", "--polls", "1")
        self.assertEqual(len(self.spans()), 2)
        server = self.serve({1: ("s", at)})
        self.assertIn(b"still growing", self.fetch(server.url, "--start", "5m", "--polls", "1000", "--settle", "100ms").stderr)

    def test_a_tenant_of_tempo(self):
        server = self.serve({1: ("s", ago(10))}, tenant="blue")
        self.assertIn(b"HTTP 401: no org id", self.fetch(server.url, "--start", "5m", code=4).stderr)
        for words in (("--tenant", "blue"), ("--header", "X-Scope-OrgID: blue")):
            self.fetch(server.url, "--start", "5m", *words)
            self.assertEqual(len(self.spans()), 2)
        seen = tool.run("view", server.url, "--start", "5m", "--last", SPANWIRE_QUERY_HEADER="X-Scope-OrgID: blue")
        self.assertEqual(seen.returncode, 0, seen.stderr)
        for bad in ("blue", ": blue", "a b: c", "a:", "s3cret\nx: y"):
            done = self.fetch(server.url, "--header", bad, code=2)
            self.assertIn(b"not 'NAME: VALUE'", done.stderr)

    def test_one_trace_of_tempo(self):
        server = self.serve({0xAB: ("s", ago(10))})
        self.fetch(server.url, "--trace", "ab")
        self.assertEqual(self.spans(), ["work 0", "work 1"])
        self.fetch(server.url, "--trace", "cd", code=3)
        shown = tool.run("view", server.url, "--start", "5m", "--last")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn(b"work 1", shown.stdout)
        self.assertEqual(tool.run("verify", server.url, "--start", "5m").returncode, 0)

    def test_what_tempo_should_not_say_is_named_and_leaves_no_file(self):
        for status, body, code, said in [(200, "<html>", 4, b"no list of traces"), (500, "out of memory", 4, b"HTTP 500: out of memory"),
                                         (200, '{"traces":[{"id":1}]}', 4, b"without traceID"), (200, '{"traces":7}', 4, b"no list")]:
            server = self.serve({}, broken=(status, body))
            done = self.fetch(server.url, "--start", "5m", code=code)
            self.assertIn(said, done.stderr)
        nothing = self.serve({})
        self.assertIn(b"no traces in the window", self.fetch(nothing.url, "--start", "5m", "--settle", "100ms", code=1).stderr)
        self.assertIn(b"probe asks Jaeger only", tool.run("probe", nothing.url, "--run", self.run_path).stderr)
        self.assertEqual(tool.run("fetch", "tempo+http://127.0.0.1:9", "--run", self.run_path).returncode, 3)

    def test_a_dry_run_names_what_tempo_would_be_asked(self):
        done = tool.run("fetch", "tempo+http://h:3200", "--service", "a b", "--run", self.run_path, "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"GET http://h:3200/api/search?tags=service.name%3D%22a%20b%22&start=", done.stdout)
        self.assertFalse(os.path.exists(self.run_path))

    def test_files_become_a_run(self):
        traces = os.path.join(self.folder.name, "traces")
        os.mkdir(traces)
        with open(os.path.join(traces, "a.jsonl"), "w", encoding="utf-8") as file:
            file.write(line("a", span(1, 1, 0, "one", 0, 9)) + "\n")
        with open(os.path.join(traces, "b.json"), "w", encoding="utf-8") as file:
            answer = {"result": json.loads(line("b", span(1, 2, 1, "two", 1, 8)))}
            json.dump(answer, file, indent=2)
        done = self.fetch(traces)
        self.assertIn(b"traces: 2 spans in 1 trace\n", done.stderr)
        self.assertEqual(self.spans(), ["one", "two"])
        self.assertEqual(tool.run("view", self.run_path).returncode, 0)
        with open(os.path.join(traces, "c.jsonl"), "w", encoding="utf-8") as file:
            file.write("{oops\n" + line("c", span(2, 3, 0, "three", 0, 1)))
        done = self.fetch(traces, code=1)
        self.assertIn(b"c.jsonl:1: not JSON", done.stderr)
        self.assertEqual(self.spans(), ["one", "three", "two"])


if __name__ == "__main__":
    unittest.main()
