"""spanwire verify, as it is used."""

import json
import os
import tempfile
import unittest
import xml.etree.ElementTree

import tool
from fake_jaeger import Jaeger
from view_test import START, line, span


def good(trace=0x4BF92F3577B34DA6A3CE929D0E0E4736):
    front = line(
        "front",
        span(trace, 1, 0, "request", 0, 900, kind=2),
        span(trace, 2, 1, "work", 50, 800, kind=3),
    )
    return front + line("worker", span(trace, 3, 2, "work", 100, 700, kind=2))


class Verify(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.good = self.write("good.jsonl", good())

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def verify(self, *words, code):
        done = tool.run("verify", *words)
        self.assertEqual(done.returncode, code, done.stdout.decode() + done.stderr.decode())
        return done

    def test_passes_what_is_good_and_names_what_is_not(self):
        done = self.verify(self.good, code=0)
        self.assertIn(b"3 spans in 1 trace, 2 services", done.stdout)
        self.assertIn(b"PASS: ", done.stdout)
        orphan = self.write("bad.jsonl", line("worker", span(7, 3, 2, "work", 100, 700)))
        done = self.verify(self.good, orphan, code=1)
        self.assertIn(b"FAIL tree.orphan (G7): 1 finding\n", done.stdout)
        self.assertIn(b"parent 0000000000000002 is not there", done.stdout)
        self.assertIn(b"likely: the parent was not sampled", done.stdout)

    def test_reads_folders_and_standard_input(self):
        self.verify(self.folder.name, code=0)
        done = tool.run("verify", "-", input=good().encode())
        self.assertEqual(done.returncode, 0)

    def test_draft_then_expect(self):
        draft = self.path("expect.json")
        self.verify(self.good, "--draft", draft, code=0)
        self.verify(self.good, "--expect", draft, code=0)
        self.verify(self.good, "--expect", draft, "--strict", code=0)
        orphan = self.write("bad.jsonl", line("worker", span(7, 3, 2, "work", 100, 700), span(7, 4, 0, "root", 0, 900)))
        done = self.verify(orphan, "--draft", self.path("bad.json"), code=0)
        self.assertIn(b"these traces do not pass it: tree.orphan, 1 finding", done.stderr)
        worker_lost = self.write("less.jsonl", good().splitlines()[0] + "\n")
        done = self.verify(worker_lost, "--expect", draft, code=1)
        for rule in (b"services.present", b"propagation.services", b"propagation.edges"):
            self.assertIn(b"FAIL " + rule, done.stdout)

    def test_exit_codes(self):
        missing = self.verify(self.path("none.jsonl"), code=3)
        self.assertIn(b"none.jsonl", missing.stderr)
        empty_folder = self.path("empty")
        os.mkdir(empty_folder)
        self.verify(empty_folder, code=3)
        html = self.verify(self.write("page.jsonl", "<!doctype html>\n"), code=4)
        self.assertIn(b"not JSON", html.stderr)
        self.verify(self.write("empty.jsonl", ""), code=1)
        self.verify(code=2)
        self.verify(self.good, "--format", "pdf", code=2)
        wrong = self.write("wrong.json", '{"servces": []}')
        done = self.verify(self.good, "--expect", wrong, code=2)
        self.assertIn(b"wrong.json: servces: unknown", done.stderr)
        self.verify(self.good, "--strict", code=1)

    def test_what_the_command_line_expects(self):
        self.verify(self.good, "--service", "front", "--service", "worker", "--requests", "1", code=0)
        self.verify(self.good, "--service", "router", code=1)
        self.verify(self.good, "--requests", "2", code=1)
        self.verify(self.good, "--run-id", "r", code=1)
        log = self.write("server.log", "ready\nfailed to export spans: refused\n")
        done = self.verify(self.good, "--log", log, code=1)
        self.assertIn(b"server.log:2: failed to export spans", done.stdout)
        with open(log, "w", encoding="utf-8"):
            pass
        for silent in (log, self.path("no.log")):
            done = self.verify(self.good, "--log", silent, code=0)
            self.assertRegex(done.stdout, rb"G4 +log clean +not evaluated")
        self.verify(self.good, "--expect", self.path("none.json"), code=2)
        self.verify(self.good, "--against", self.good, code=0)
        less = self.write("less.jsonl", good().splitlines()[0] + "\n")
        done = self.verify(self.good, "--against", less, code=1)
        self.assertIn(b"FAIL sink.same: 1 finding", done.stdout)

    def test_a_second_source_may_be_a_server(self):
        span_of = {"service": "front", "traceId": f"{0xA1:032x}", "start": START}
        spans = [{**span_of, "spanId": f"{1:016x}"}, {**span_of, "spanId": f"{2:016x}"}]
        ours = self.write("one.jsonl", line("front", span(0xA1, 1, 0, "request", 0, 900)))
        window = ["--start", "2026-11-21T00:00:00Z", "--end", "2026-11-22T00:00:00Z"]
        with Jaeger(spans) as server:
            done = self.verify(ours, "--against", server.url, *window, code=1)
        self.assertIn(b"FAIL sink.same: 1 finding", done.stdout)
        self.assertIn(b"0000000000000002", done.stdout)

    def test_a_run_has_logs_of_its_own(self):
        run = self.path("run")
        for folder in ("telemetry", "logs"):
            os.makedirs(os.path.join(run, folder))
        self.write("run/telemetry/traces.otlp.json", good())
        self.write("run/logs/jaeger.log", "failed to export\n")
        self.write("run/logs/server.log", "ready\n")
        self.assertRegex(self.verify(run, code=0).stdout, rb"G4 +log clean +pass")
        self.write("run/logs/worker.log", "RuntimeError: opentelemetry package is not installed!!!\n")
        self.assertIn(b"worker.log:1", self.verify(run, code=1).stdout)

    def test_writes_reports_for_machines(self):
        orphan = self.write("bad.jsonl", line("worker", span(7, 3, 2, "wo,rk: 50%", 100, 700)))
        files = ["--json", self.path("v.json"), "--junit", self.path("v.xml")]
        done = self.verify(orphan, *files, "--format", "github", code=1)
        lines = done.stdout.decode().splitlines()
        found = [text for text in lines if text.startswith("::error title=G7 tree.orphan%3A ")]
        self.assertEqual(len(found), 1, lines)
        text = found[0].split("::")[2]
        self.assertIn("'wo,rk: 50%25'", text)
        with open(self.path("v.json"), encoding="utf-8") as file:
            report = json.load(file)
        self.assertFalse(report["passed"])
        failed = {rule["id"] for rule in report["rules"] if rule["outcome"] == "fail"}
        self.assertEqual(failed, {"tree.orphan", "tree.no_root"})
        suites = xml.etree.ElementTree.parse(self.path("v.xml")).getroot()
        names = [case.get("name") for case in suites.iter("testcase") if case.find("failure") is not None]
        self.assertIn("G7 no orphans", names)
        self.assertIn("tree.orphan", names)
        self.assertEqual(int(suites.get("failures")), len(names))
        for form in ("json", "junit"):
            self.assertTrue(self.verify(orphan, "--format", form, code=1).stdout)
        self.verify(orphan, "--json", "/nonexistent/v.json", code=1)

    def test_explains_itself(self):
        self.assertIn(b"Examples:", self.verify("--help", code=0).stdout)
        self.assertIn(b"| `tree.orphan` | error | G7 |", self.verify("--rules", code=0).stdout)


if __name__ == "__main__":
    unittest.main()
