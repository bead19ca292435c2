"""spanwire probe and fetch against servers that are good, old, or broken."""

import hashlib
import json
import os
import resource
import subprocess
import tempfile
import time
import unittest

import tool
from fake_jaeger import Jaeger

SECOND = 10**9
WINDOW = ["--start", "5m", "--timeout", "50s", "--settle", "200ms", "--polls", "2"]


def span(trace, number=1, service="sglang", at=-60, **extra):
    return {
        "service": service,
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "start": time.time_ns() + int(at * SECOND),  # of now: the test before may have taken minutes
        **extra,
    }


class Fetch(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.run_path = os.path.join(self.folder.name, "runs", "7")

    def serve(self, *arguments, **extra):
        server = Jaeger(*arguments, **extra)
        server.__enter__()
        self.addCleanup(server.__exit__)
        return server

    def fetch(self, server, *words, code=0, command="fetch", window=WINDOW, **extra):
        done = tool.run(command, server.url, *words, *window, "--run", self.run_path, **extra)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def artefact(self, name):
        with open(os.path.join(self.run_path, name), "rb") as file:
            return file.read()

    def exists(self, name):
        return os.path.exists(os.path.join(self.run_path, name))

    def left_over(self):
        return [name for _, _, files in os.walk(self.folder.name) for name in files if "part" in name]

    def spans_of(self, name="telemetry/jaeger_traces.json"):
        result = json.loads(self.artefact(name))
        return [
            (made["traceId"], made["spanId"])
            for entry in result.get("result", result)["resourceSpans"]
            for scope in entry["scopeSpans"]
            for made in scope["spans"]
        ]

    def test_writes_the_files_of_a_run_and_says_where_they_are(self):
        server = self.serve([span(1), span(1, 2, "router"), span(2, 3)])
        done = self.fetch(server, "--service", "sglang", "--container-root", "/telemetry")
        manifest = json.loads(self.artefact("manifest.json"))
        self.assertEqual(done.stdout.decode().strip(), os.path.join(self.run_path, "manifest.json"))
        self.assertEqual(json.loads(self.artefact("telemetry/jaeger_services.json")), {"services": ["router", "sglang"]})
        _, whole = server.answer("/api/v3/traces", server.asked[-1][1])
        self.assertEqual(self.artefact("telemetry/jaeger_traces.json"), whole, "untouched")
        self.assertEqual(self.spans_of("telemetry/traces.otlp.json"), self.spans_of())
        self.assertEqual(len(self.spans_of()), 3)
        for folder in ("logs", "prometheus", "metrics", "configs", "telemetry", "jaeger/badger"):
            self.assertTrue(os.path.isdir(os.path.join(self.run_path, folder)), folder)
        self.assertEqual(manifest["traces"]["spans"], 3)
        self.assertEqual(manifest["probe"]["traces"], 2)
        self.assertEqual(manifest["paths"]["host"]["jaeger_traces"],
                         os.path.join(self.run_path, "telemetry/jaeger_traces.json"))
        self.assertEqual(manifest["paths"]["container"]["logs"], "/telemetry/container_runs/7/logs")
        for name, mark in manifest["files"].items():
            content = self.artefact(name)
            self.assertEqual(mark["bytes"], len(content))
            self.assertEqual(mark["sha256"], hashlib.sha256(content).hexdigest())
        self.assertEqual(self.left_over(), [])

    def test_asks_as_every_version_understands(self):
        for profile in ("2.13", "2.20"):
            with Jaeger([span(1)], profile=profile) as server:
                self.fetch(server, "--service", "sglang")
                query = next(query for path, query in server.asked if path == "/api/v3/traces")
                self.assertEqual(query["query.num_traces"], "100")
                self.assertEqual(query["query.search_depth"], "100")
                self.assertEqual(query["query.raw_traces"], "true")
                self.assertEqual(query["query.service_name"], "sglang")
                self.assertRegex(query["query.start_time_min"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")

    def test_finds_what_is_beyond_the_depth(self):
        spans = [span(i, i, at=-200 + i / 10) for i in range(1, 131)]
        server = self.serve(spans)
        done = self.fetch(server, "--service", "sglang", "--depth", "20")
        self.assertEqual(sorted(self.spans_of()), sorted((s["traceId"], s["spanId"]) for s in spans))
        self.assertNotIn(b"TRUNCATED", done.stderr)
        self.assertTrue(json.loads(self.artefact("manifest.json"))["traces"]["merged"])

    def test_a_server_that_has_nothing_yet_is_understood(self):
        for profile in ("2.13", "2.20"):
            with Jaeger(profile=profile) as server:
                self.assertIn(b"services: none", self.fetch(server, code=1).stderr)

    def test_says_so_when_no_window_is_small_enough(self):
        start = time.time_ns() - 60 * SECOND
        server = self.serve([span(i, i, start=start) for i in range(1, 31)])
        done = self.fetch(server, "--service", "sglang", "--depth", "10", code=1)
        self.assertIn(b"TRUNCATED", done.stderr)
        self.assertTrue(json.loads(self.artefact("manifest.json"))["traces"]["truncated"])
        judged = tool.run("verify", self.run_path)
        self.assertIn(b"FAIL traces.truncated (G13)", judged.stdout)

    def test_takes_a_smaller_depth_from_a_small_store(self):
        server = self.serve([span(i, i, at=-200 + i) for i in range(1, 41)], max_traces=30)
        self.fetch(server, "--service", "sglang", "--depth", "1000")
        self.assertEqual(len(self.spans_of()), 40)

    def test_merges_services_without_repeating_spans(self):
        server = self.serve([span(1), span(1, 2, "router"), span(2, 3, "router"), span(3, 4, "jaeger")])
        self.fetch(server)
        self.assertEqual(sorted(s for _, s in self.spans_of()), [f"{i:016x}" for i in (1, 2, 3)])

    def test_one_trace_by_its_id(self):
        server = self.serve([span(1), span(2, 2)])
        done = self.fetch(server, "--trace", f"{2:032x}")
        self.assertIn(b"traces: 1 span in 1 trace, 1 search\n", done.stderr)
        self.assertEqual(self.spans_of(), [(f"{2:032x}", f"{2:016x}")])
        self.fetch(server, "--trace", f"{9:032x}", code=3)

    def test_waits_for_spans_that_are_still_on_their_way(self):
        server = self.serve([span(1)])
        answer = server.answer

        def late(path, query):
            searches = [p for p, _ in server.asked if p == "/api/v3/traces"]
            server.spans = [span(i, i) for i in range(1, min(len(searches), 5) + 1)]
            return answer(path, query)

        server.answer = late
        self.fetch(server, "--service", "sglang", window=["--start", "5m", "--settle", "20s"])
        self.assertEqual(len(self.spans_of()), 5)
        self.assertTrue(json.loads(self.artefact("manifest.json"))["traces"]["stable"])

    def test_nothing_found_is_no_error_of_the_server(self):
        server = self.serve([span(1, at=-3000)])
        done = self.fetch(server, "--service", "sglang", code=1)
        self.assertIn(b"no traces in the window", done.stderr)
        self.assertEqual(self.spans_of(), [])
        judged = tool.run("verify", self.run_path, "--service", "sglang")
        self.assertEqual(judged.returncode, 1)
        self.assertIn(b"FAIL traces.not_empty (G3)", judged.stdout)
        self.assertIn(b"a span with a zero trace id blinds the search", judged.stdout)

    def test_probe_writes_two_files_and_the_manifest(self):
        server = self.serve([span(i, i) for i in range(1, 9)])
        self.fetch(server, "--service", "sglang", command="probe")
        self.assertEqual(len(self.spans_of("telemetry/jaeger_probe.json")), 5)
        self.assertFalse(self.exists("telemetry/jaeger_traces.json"))
        self.fetch(server, "--service", "nobody", command="probe", code=1)

    def test_verify_asks_by_itself(self):
        server = self.serve([span(1), span(1, 2)])
        done = tool.run("verify", server.url, "--service", "sglang", *WINDOW)
        self.assertIn(b"G2   probe not empty                     pass", done.stdout)
        self.assertIn(b"G13  not truncated                       pass", done.stdout)
        done = tool.run("verify", server.url, "--service", "sglang", "--run", self.run_path, *WINDOW)
        self.assertTrue(self.exists("verify.json"))
        self.assertTrue(self.exists("verify.junit.xml"))
        again = tool.run("verify", self.run_path, "--service", "sglang")
        self.assertEqual(again.returncode, done.returncode)

    def test_a_dry_run_touches_nothing(self):
        server = self.serve([span(1)])
        for words, extra in ((["--dry-run"], {}), ([], {"VALIDATE_ONLY": "1"})):
            done = self.fetch(server, "--service", "a b+c", *words, **extra)
            self.assertIn(b"query.service_name=a%20b%2Bc&", done.stdout)
            self.assertIn(b"telemetry/jaeger_traces.json", done.stdout)
        self.assertEqual(server.asked, [])
        self.assertFalse(os.path.exists(self.run_path))

    def test_the_environment_stands_in_for_flags(self):
        server = self.serve([span(1)])
        done = tool.run("fetch", "--service", "sglang", *WINDOW, SPANWIRE_JAEGER_URL=server.url,
                        HOST_TELEMETRY_ROOT=self.folder.name, RUN_ID="r9")
        self.assertEqual(done.returncode, 0, done.stderr)
        path = os.path.join(self.folder.name, "container_runs", "r9", "manifest.json")
        self.assertEqual(done.stdout.decode().strip(), path)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["run_id"], "r9")

    def test_each_fault_has_its_name_and_leaves_no_file(self):
        for fault, code, text in (
            ("html", 4, b"an HTML page"),
            ("half", 4, b"not JSON"),
            ("empty", 4, b"an empty answer"),
            ("other", 4, b"neither result nor services nor error"),
            ("refused", 4, b"HTTP 400: malformed parameter query.start_time_min"),
            ("cut", 3, b"connection_reset"),
            ("reset", 3, b"connection_reset"),
            ("no answer", 3, b"connection_reset"),
            ("foreign", 4, b"did not keep to the service"),
        ):
            with Jaeger([span(1)], fault=fault) as server:
                done = self.fetch(server, "--service", "sglang", code=code)
                self.assertIn(text, done.stderr, fault)
                if fault != "foreign":
                    self.assertFalse(self.exists("telemetry/jaeger_traces.json"), fault)
                self.assertEqual(self.left_over(), [], fault)

    def test_a_server_that_never_answers_costs_the_time_out_only(self):
        server = self.serve([span(1)], fault="hang")
        done = self.fetch(server, "--service", "sglang", code=3, window=["--start", "5m", "--timeout", "300ms"])
        self.assertIn(b"query_timeout", done.stderr)

    def test_nobody_there_and_a_wrong_address(self):
        with tool.closed_port() as port:
            address = f"http://127.0.0.1:{port}"
            nobody = tool.run("fetch", address, *WINDOW, "--run", self.run_path)
            self.assertEqual(nobody.returncode, 3, nobody.stderr)
            self.assertIn(b"connect_failed", nobody.stderr)
        for url in ("ftp://h:1", "http://", "h:x", "h:0"):
            done = tool.run("fetch", url, "--run", self.run_path, *WINDOW)
            self.assertEqual(done.returncode, 2, (url, done.stderr))
        self.assertEqual(tool.run("fetch", address, *WINDOW).returncode, 2, "no folder")
        for words in (["--start", "yesterday"], ["--start", "1m", "--end", "2m"]):
            self.assertEqual(tool.run("fetch", address, "--run", self.run_path, *words).returncode, 2)

    def test_a_folder_that_cannot_be_written_is_known_before_asking(self):
        server = self.serve([span(1)])
        with open(os.path.join(self.folder.name, "runs"), "w", encoding="utf-8"):
            pass
        done = self.fetch(server, "--service", "sglang", code=1)
        self.assertIn(b"runs", done.stderr)
        self.assertEqual(server.asked, [])

    def test_answers_of_one_large_resource_each_are_merged_in_bounded_memory(self):
        # More than half of them is in both answers: traces are found by either service.
        spans = [span(i, i, service=("sglang", "gateway")[i % 2], name=f"{i:03}" + "x" * 300_000) for i in range(1, 60)]
        spans += [dict(one, service="gateway", spanId=f"{1000 + i:016x}", name="small") for i, one in enumerate(spans) if i % 3]
        server = self.serve(spans, one_resource=True)
        limit = 64 << 20 if not tool.is_sanitized() else resource.RLIM_INFINITY
        done = subprocess.run(
            [tool.TOOL, "fetch", server.url, "--service", "sglang", "--service", "gateway", "--depth", "1000", *WINDOW[:-1],
             "1", "--run", self.run_path],
            capture_output=True, timeout=4 * tool.GUARD_S, env=tool.clean_environment(), check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        self.assertEqual(done.returncode, 0, done.stderr)
        found = {}
        with open(os.path.join(self.run_path, "telemetry/jaeger_traces.json"), encoding="utf-8") as file:
            for one in json.load(file)["result"]["resourceSpans"]:
                for scope in one["scopeSpans"]:
                    for made in scope["spans"]:
                        self.assertNotIn(made["spanId"], found)
                        found[made["spanId"]] = made["name"]
        self.assertEqual(found, {one["spanId"]: one["name"] for one in spans})

    def test_a_disk_that_is_full_leaves_nothing_half_written(self):
        server = self.serve([span(i, i) for i in range(1, 90)])

        def small_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        done = subprocess.run(
            [tool.TOOL, "fetch", server.url, "--service", "sglang", *WINDOW, "--run", self.run_path],
            capture_output=True, timeout=tool.GUARD_S, env=tool.clean_environment(), check=False,
            preexec_fn=small_files, restore_signals=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"file_write_failed", done.stderr)
        self.assertFalse(self.exists("telemetry/jaeger_traces.json"))
        self.assertEqual(self.left_over(), [])


if __name__ == "__main__":
    unittest.main()
