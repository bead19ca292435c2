"""spanwire jaeger, probe, fetch and verify against a real Jaeger, with both of its stores."""
import json
import os
import re
import subprocess
import tempfile
import time
import unittest
import urllib.request

import peers

TOOL = os.environ["SPANWIRE_TOOL"]
PORTS = ["--ui-port", "0", "--query-grpc-port", "0", "--grpc-port", "0", "--http-port", "0", "--health-port", "0"]
SECOND = 10**9


class Run:
    """A Jaeger in a folder of its own, and the command asked about it."""

    def __init__(self, case, *options):
        folder = tempfile.TemporaryDirectory()
        case.addCleanup(folder.cleanup)
        self.case = case
        self.path = os.path.join(folder.name, "run-1")
        ready = self.tool("jaeger", "up", "--jaeger", peers.peer("JAEGER"), *PORTS, *options)
        case.addCleanup(lambda: self.tool("jaeger", "down", code=None))
        self.url = re.search(r"http://localhost:\d+", ready)[0].replace("localhost", "127.0.0.1")
        self.otlp = "http://" + re.search(r"OTLP HTTP (\S+)", ready)[1] + "/v1/traces"

    def tool(self, *words, code=0):
        done = subprocess.run([TOOL, *words, "--run", self.path], env=peers.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=peers.TIMEOUT, check=False)
        if code is not None:
            self.case.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def send(self, resources):
        body = json.dumps({"resourceSpans": resources}).encode()
        request = urllib.request.Request(self.otlp, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=peers.TIMEOUT) as answer:
            self.case.assertEqual(answer.status, 200)

    def fetch(self, *words, code=0, settle="20s"):
        return self.tool("fetch", self.url, "--start", "1h", "--settle", settle, *words, code=code)

    def fetched(self):
        with open(os.path.join(self.path, "telemetry", "jaeger_traces.json"), encoding="utf-8") as file:
            resources = json.load(file)["result"]["resourceSpans"]
        return [span for entry in resources for scope in entry["scopeSpans"] for span in scope["spans"]]

    def verdict(self, *words, code):
        self.tool("verify", self.path, "--json", os.path.join(self.path, "v.json"), *words, code=code)
        with open(os.path.join(self.path, "v.json"), encoding="utf-8") as file:
            return json.load(file)


def span(trace, number, parent=0, name="work", kind=1, at=-60.0, length=0.01, **extra):
    start = time.time_ns() + int(at * SECOND)
    made = {"traceId": f"{trace:032x}", "spanId": f"{number:016x}", "name": name, "kind": kind, "flags": 0x103,
            "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + int(length * SECOND)), **extra}
    if parent:
        made["parentSpanId"] = f"{parent:016x}"
    return made


def resource(service, *spans):
    attributes = [{"key": key, "value": {"stringValue": value}}
                  for key, value in (("service.name", service), ("service.instance.id", "run-1"))]
    return {"resource": {"attributes": attributes}, "scopeSpans": [{"scope": {"name": "t"}, "spans": list(spans)}]}


def failed(verdict):
    return {rule["id"] for rule in verdict["rules"] if rule["outcome"] == "fail"}


def outcomes(verdict):
    return {gate["gate"]: gate["outcome"] for gate in verdict["gates"]}


class Both:
    """The same for each store."""

    options = []

    def setUp(self):
        self.run_ = Run(self, *self.options)

    def test_a_good_run_passes_its_gates(self):
        trace = 0x4BF92F3577B34DA6A3CE929D0E0E4736
        self.run_.send([resource("front", span(trace, 1, 0, "request", 2, length=0.09),
                                 span(trace, 2, 1, "ask", 3, at=-59.99, length=0.05)),
                        resource("back", span(trace, 3, 2, "ask", 2, at=-59.98, length=0.02))])
        self.run_.fetch("--service", "front")
        self.assertEqual(sorted(s["spanId"] for s in self.run_.fetched()), [f"{i:016x}" for i in (1, 2, 3)])
        verdict = self.run_.verdict("--service", "front", "--service", "back", "--run-id", "run-1", code=0)
        for gate in (1, 2, 3, 5, 6, 7, 8, 10, 13, 14):
            self.assertEqual(outcomes(verdict)[gate], "pass", gate)
        asked = self.run_.tool("verify", self.run_.url, "--service", "front", "--start", "1h", code=0)
        self.assertIn("PASS", asked)

    def test_each_of_many_traces_is_found_beyond_the_depth(self):
        self.run_.send([resource("many", *[span(i, i, at=-600 + i) for i in range(1, 231)])])
        self.run_.fetch("--service", "many", "--depth", "50")
        self.assertEqual(sorted(int(s["traceId"], 16) for s in self.run_.fetched()), list(range(1, 231)))

    def test_what_is_wrong_is_found_through_the_store(self):
        self.run_.send([resource("s", span(1, 1), span(1, 2, 77), span(2, 3, name="backwards", length=-1))])
        self.run_.fetch("--service", "s")
        self.assertEqual(failed(self.run_.verdict(code=1)), {"tree.orphan", "time.backwards"})

    def test_nothing_there(self):
        self.assertIn("no traces", self.run_.fetch("--service", "nobody", settle="100ms", code=1))
        self.assertLessEqual({"services.present", "probe.not_empty", "traces.not_empty"},
                             failed(self.run_.verdict("--service", "nobody", code=1)))

    def test_one_trace_by_its_id(self):
        self.run_.send([resource("s", span(0xABC, 1), span(0xDEF, 2))])
        self.run_.fetch("--service", "s")
        self.run_.fetch("--trace", f"{0xABC:032x}")
        self.assertEqual([s["spanId"] for s in self.run_.fetched()], [f"{1:016x}"])


class Memory(Both, unittest.TestCase):
    options = ["--memory"]

    def test_a_zero_id_that_blinds_the_search_is_named(self):
        self.run_.send([resource("s", span(1, 1))])
        self.run_.fetch("--service", "s")
        self.run_.send([resource("s", span(0, 2))])
        deadline = time.monotonic() + peers.TIMEOUT
        while "no traces" not in self.run_.fetch("--service", "s", settle="100ms", code=None):
            self.assertLess(time.monotonic(), deadline)
        verdict = self.run_.verdict(code=1)
        details = [d["measured"] for rule in verdict["rules"] for d in rule.get("details", [])]
        self.assertTrue(any("zero trace id blinds the search" in text for text in details), details)


class Badger(Both, unittest.TestCase):
    def test_spans_outlive_a_restart(self):
        self.run_.send([resource("s", span(1, 1))])
        self.run_.fetch("--service", "s")
        self.run_.tool("jaeger", "down")
        again = self.run_.tool("jaeger", "up", "--jaeger", peers.peer("JAEGER"), *PORTS)
        self.run_.url = re.search(r"http://localhost:\d+", again)[0].replace("localhost", "127.0.0.1")
        self.run_.fetch("--service", "s")
        self.assertEqual(len(self.run_.fetched()), 1)


if __name__ == "__main__":
    unittest.main()
