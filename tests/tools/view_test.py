"""spanwire view, as it is used."""

import json
import os
import pty
import re
import subprocess
import tempfile
import time
import unittest

import tool
from fake_jaeger import Jaeger

START = 1_795_254_000_000_000_000


def span(trace, number, parent, name, start_us, length_us, **extra):
    made = {
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "name": name,
        "startTimeUnixNano": str(START + start_us * 1000),
        "endTimeUnixNano": str(START + (start_us + length_us) * 1000),
        **extra,
    }
    if parent:
        made["parentSpanId"] = f"{parent:016x}"
    return made


def line(service, *spans):
    attribute = {"key": "service.name", "value": {"stringValue": service}}
    resource = {"resource": {"attributes": [attribute]}, "scopeSpans": [{"spans": spans}]}
    return json.dumps({"resourceSpans": [resource]}) + "\n"


class View(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        front = line("front", span(0xA1, 1, 0, "request", 0, 900), span(0xA1, 2, 1, "call", 50, 800))
        self.front = self.write("front.jsonl", front)
        self.worker = self.write("worker.jsonl", line("worker", span(0xA1, 3, 2, "work", 100, 700)))

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def many(self, count):
        spans = [span(i, 1, 0, f"call {i}", i * 1000, 10) for i in range(1, count + 1)]
        return self.write("many.jsonl", line("s", *spans))

    def test_joins_the_files_of_several_processes_in_one_tree(self):
        done = tool.run("view", self.front, self.worker, "--width", "80")
        self.assertEqual(done.returncode, 0, done.stderr)
        text = done.stdout.decode()
        self.assertIn("3 spans in 2 processes", text)
        self.assertRegex(text, r"\nrequest +front +900 µs")
        self.assertRegex(text, r"\n└─ call +front +800 µs")
        self.assertRegex(text, r"\n   └─ work +worker +700 µs")
        self.assertNotIn("\x1b", text)

    def test_reads_standard_input(self):
        with open(self.front, "rb") as file:
            done = tool.run("view", "-", input=file.read())
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"2 spans in 1 process", done.stdout)

    def test_lists_many_traces_and_says_how_many_more_there_are(self):
        done = tool.run("view", self.many(30), "--limit", "5")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(re.findall(rb"s: call", done.stdout)), 5)
        self.assertIn(b"and 25 older traces\n", done.stdout)

    def test_finds_a_trace_by_the_beginning_of_its_id(self):
        path = self.many(12)
        found = tool.run("view", path, "--trace", "0000000000000000000000000000000C")
        self.assertEqual(found.returncode, 0)
        self.assertIn(b"call 12", found.stdout)
        self.assertEqual(tool.run("view", path, "--trace", "abc").returncode, 1)
        self.assertEqual(tool.run("view", path, "--trace", "xyz").returncode, 2)
        several = tool.run("view", path, "--trace", "000")
        self.assertEqual(several.returncode, 1)
        self.assertIn(b"several traces", several.stderr)

    def test_names_a_bad_line_and_shows_the_rest(self):
        bad = self.write("bad.jsonl", "{oops\n" + line("s", span(0xA1, 1, 0, "good", 0, 5)))
        done = tool.run("view", bad)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{bad}:1: not JSON".encode(), done.stderr)
        self.assertIn(b"good", done.stdout)

    def test_names_a_file_that_is_not_there(self):
        done = tool.run("view", self.front, "/nonexistent/file")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"/nonexistent/file: No such file", done.stderr)
        self.assertIn(b"request", done.stdout)

    def test_writes_a_page_that_needs_nothing_else(self):
        page = os.path.join(self.folder.name, "trace.html")
        done = tool.run("view", self.front, self.worker, "--html", page)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(page, encoding="utf-8") as file:
            text = file.read()
        self.assertTrue(text.startswith("<!doctype html>"))
        data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
        traces = json.loads(data[1])["traces"]
        self.assertEqual([s["n"] for s in traces[0]["spans"]], ["request", "call", "work"])
        self.assertNotRegex(text, r"https?://")
        unwritable = tool.run("view", self.front, "--html", "/nonexistent/page.html")
        self.assertEqual(unwritable.returncode, 1)

    def test_a_folder_stands_for_the_files_in_it(self):
        self.write("notes.txt", "nothing of ours")
        done = tool.run("view", self.folder.name)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"3 spans in 2 processes", done.stdout)
        empty = os.path.join(self.folder.name, "empty")
        os.mkdir(empty)
        done = tool.run("view", empty, self.front)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"no *.jsonl and no *.json in it", done.stderr)
        self.assertIn(b"2 spans", done.stdout)

    def test_the_last_one_is_the_newest(self):
        done = tool.run("view", self.many(12), "--last")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"call 12", done.stdout)
        self.assertEqual(tool.run("view", self.many(12), "--last", "--trace", "0c").returncode, 2)

    def test_asks_a_server_and_shows_what_it_has(self):
        now = time.time_ns()
        spans = [{"service": "sglang", "traceId": f"{n:032x}", "spanId": f"{n:016x}", "start": now - n * 10**9,
                  "name": f"call {n}"} for n in (1, 2, 3)]
        with Jaeger(spans) as server:
            listed = tool.run("view", server.url, "--service", "sglang", "--start", "5m")
            self.assertEqual(listed.returncode, 0, listed.stderr)
            self.assertEqual(len(re.findall(rb"sglang: call", listed.stdout)), 3)
            last = tool.run("view", server.url, "--start", "5m", "--last")
            self.assertIn(b"call 1", last.stdout)
            one = tool.run("view", server.url, "--trace", f"{3:032x}")
            self.assertIn(b"call 3", one.stdout)
            self.assertEqual(server.asked[-2][0], f"/api/v3/traces/{3:032x}")
            page = os.path.join(self.folder.name, "run.html")
            self.assertEqual(tool.run("view", server.url, "--service", "sglang", "--start", "5m", "--html", page).returncode, 0)
            with open(page, encoding="utf-8") as file:
                data = re.search(r'id="data">(.*?)</script>', file.read(), re.S)
            gates = {gate["number"]: gate["outcome"] for gate in json.loads(data[1])["gates"]}
            self.assertEqual([gates[1], gates[2], gates[3]], ["pass", "pass", "pass"])
            nothing = tool.run("view", server.url, "--service", "nobody")
            self.assertEqual(nothing.returncode, 1)
        with tool.closed_port() as port:
            self.assertEqual(tool.run("view", f"http://127.0.0.1:{port}").returncode, 3)

    def test_shows_the_folder_of_a_run(self):
        run = os.path.join(self.folder.name, "run")
        with Jaeger([{"service": "a", "traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "start": time.time_ns()}]) as server:
            fetched = tool.run("fetch", server.url, "--run", run, "--settle", "100ms", "--polls", "1")
            self.assertEqual(fetched.returncode, 0, fetched.stderr)
        done = tool.run("view", run)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"1 span in 1 process", done.stdout)

    def on_a_terminal(self, **extra):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [tool.TOOL, "view", self.front],
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            env=tool.clean_environment(TERM="xterm", **extra),
        )
        os.close(theirs)
        text = b""
        try:
            while block := os.read(ours, 4096):
                text += block
        except OSError:
            pass  # the other end is closed
        os.close(ours)
        self.assertEqual(process.wait(tool.GUARD_S), 0)
        return text

    def test_colours_only_terminals_that_want_it(self):
        self.assertIn(b"\x1b[", self.on_a_terminal())
        self.assertNotIn(b"\x1b[", self.on_a_terminal(NO_COLOR="1"))

    def test_explains_itself(self):
        for words in (["--help"], ["view", "--help"], ["--version"]):
            done = tool.run(*words)
            self.assertEqual(done.returncode, 0, words)
            self.assertTrue(done.stdout)
        self.assertIn(b"Examples:", tool.run("view", "--help").stdout)
        for words in ([], ["view"], ["view", "f", "--width", "3"], ["nonsense"]):
            self.assertEqual(tool.run(*words).returncode, 2, words)


if __name__ == "__main__":
    unittest.main()
