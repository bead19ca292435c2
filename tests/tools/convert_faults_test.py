"""spanwire convert: bad input, outputs that cannot be written, much input, and how it is used."""

import json
import os
import pty
import resource
import subprocess
import unittest

import timeline
import tool
from convert_case import START, Case, export, request, span

MIB = 1 << 20


class Refuses(Case):
    def setUp(self):
        super().setUp()
        self.good = self.write("a.jsonl", *request(1, 0))

    def test_bad_lines_cost_themselves(self):
        exports = request(1, 0)
        cases = [("{oops", b"not JSON"), ('{"resourceLogs":[]}', b"no resourceSpans"),
                 (json.dumps(export("s", {"traceId": "x"})), b"not 32 hex digits"),
                 (json.dumps(exports[0])[:200], b"not JSON"), ("[" * 100_000, b"not read|not JSON")]
        for text, message in cases:
            bad = self.write("bad.jsonl", exports[0], text + "\n", exports[1])
            done = self.convert(bad, "-o", self.path("o.pftrace"), code=1)
            self.assertRegex(done.stderr, bad.encode() + b":2: .*(" + message + b")")
            self.assertEqual(len(timeline.read(self.path("o.pftrace")).slices), 9, text[:40])

    def test_a_file_that_was_cut_off(self):
        lines = [json.dumps(item) for item in request(1, 0)]
        bad = self.write("bad.jsonl", lines[0] + "\n", lines[1][:-10])
        done = self.convert(bad, "-o", self.path("o.pftrace"), code=1)
        self.assertIn(b"ends in the middle", done.stderr)
        self.assertEqual(len(timeline.read(self.path("o.pftrace")).slices), 3)

    def test_spans_of_bad_times_are_drawn_and_counted(self):
        odd = self.write("odd.jsonl", export(
            "s", {**span(1, 1, 0, "no end", 5, 0), "endTimeUnixNano": "0"}, span(1, 2, 0, "back", 5, -5),
            {**span(1, 3, 0, "number", 5, 5), "startTimeUnixNano": START + 5},
            span(1, 4, 0, "outside", 5, 5, events=[{"timeUnixNano": "1", "name": "early"}]),
            span(1, 5, 0, "", 5, 5)))
        drawn = self.both(odd)
        self.assertEqual([s.end - s.start for s in drawn.named("no end") + drawn.named("back")], [0, 0])
        self.assertTrue(drawn.named("back")[0].args["otel.end_before_start"])
        self.assertEqual(drawn.named("number")[0].start, START + 5)
        self.assertEqual(len(drawn.named("(no name)")), 1)
        self.assertEqual(drawn.instants[0][2:], (START + 5, {"otel.event_time_unix_nano": 1}))
        done = self.convert(odd, "-o", self.path("o.pftrace"))
        self.assertIn(b"2 spans without an end", done.stderr)

    def test_the_same_span_twice_is_drawn_once(self):
        drawn = self.both(self.good, self.good)
        self.assertEqual(len(drawn.slices), 9)
        self.assertEqual(sum(timeline.arrows(drawn).values()), 7)
        done = self.convert(self.good, self.good, "-o", self.path("o.pftrace"))
        self.assertIn(b"9 spans read twice, written once", done.stderr)

    def test_outputs_that_cannot_be_written(self):
        for output, message in (("/nonexistent/o.pftrace", b"No such file"), ("/dev/full", b"No space left"),
                                (self.folder.name, b"Is a directory")):
            done = self.convert(self.good, "-o", output, code=1)
            self.assertIn(message, done.stderr)
        done = self.convert(self.path("absent"), "-o", self.path("o.pftrace"), code=1)
        self.assertIn(b"No such file", done.stderr)

    def test_a_process_that_is_killed_leaves_nothing(self):
        process = subprocess.Popen([tool.TOOL, "convert", self.good, "-", "-o", self.path("o.pftrace")],
                                   stdin=subprocess.PIPE, bufsize=0, env=tool.clean_environment())
        # More than a pipe holds: when this is written, it is reading, and its output is open.
        process.stdin.write(b" " * 200_000 + b"\n")
        process.kill()
        process.stdin.close()
        process.wait(tool.GUARD_S)
        self.assertEqual(os.listdir(self.folder.name), ["a.jsonl"])

    def test_a_failure_leaves_an_older_output_alone(self):
        old = self.write("o.pftrace", "old")
        self.convert(self.path("absent"), "-o", old, code=1)
        with open(old, encoding="utf-8") as file:
            self.assertEqual(file.read(), "old")
        self.convert(self.good, "-o", old)
        self.assertEqual(len(timeline.read(old).slices), 9)

    def test_a_disk_that_fills_up(self):
        lines = [json.dumps(export("s", span(n, 1, 0, "x" * 300, n, 5))) + "\n" for n in range(1, 20_000)]
        big = self.write("big.jsonl", *lines)
        limited = subprocess.run([tool.TOOL, "convert", big, "-o", self.path("o.pftrace"), "--memory", "4M"],
                                 capture_output=True, env=tool.clean_environment(), check=False, timeout=tool.GUARD_S,
                                 restore_signals=False,  # SIGXFSZ stays ignored: an error instead
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB)))
        self.assertEqual(limited.returncode, 1, limited.stderr)
        self.assertRegex(limited.stderr, b"file_write_failed.*File too large")
        self.assertEqual(sorted(os.listdir(self.folder.name)), ["a.jsonl", "big.jsonl"])


class Streams(Case):
    def test_more_than_its_memory(self):
        """What goes to disk and comes back is the same as what stays."""
        lines = [line for n in range(1, 3_000) for line in request(n, 700 * n)]
        many = self.write("many.jsonl", *lines)
        self.convert(many, "-o", self.path("small.pftrace"), "--memory", "4M")
        self.convert(many, "-o", self.path("large.pftrace"))
        with open(self.path("small.pftrace"), "rb") as small, open(self.path("large.pftrace"), "rb") as large:
            self.assertEqual(small.read(), large.read())
        drawn = timeline.read(self.path("small.pftrace"))
        self.assertEqual(len(drawn.slices), 9 * 2_999)

    def test_standard_output(self):
        path = self.write("a.jsonl", *request(1, 0))
        done = self.convert(path, "-o", "-")
        self.assertEqual(len(timeline.check(timeline.Native(done.stdout).timeline).slices), 9)

    def test_progress_on_a_terminal_only(self):
        path = self.write("a.jsonl", *request(1, 0))
        ours, theirs = pty.openpty()
        done = subprocess.run([tool.TOOL, "convert", path, "-o", self.path("o.pftrace")], stderr=theirs,
                              stdout=subprocess.DEVNULL, env=tool.clean_environment(), check=False, timeout=tool.GUARD_S)
        os.close(theirs)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"writing: 0 of 9 spans", os.read(ours, 65_536))
        os.close(ours)
        self.assertNotIn(b"\r", self.convert(path, "-o", self.path("o.pftrace")).stderr)

    def test_explains_itself(self):
        text = tool.run("convert", "--help").stdout
        for words in (b"Examples:", b"--merge", b"exit code"):
            self.assertIn(words, text)
        for words in ([], ["f", "--to", "svg"], ["f", "--trace", "xyz"], ["f", "--memory", "1"],
                      ["f", "--since", "5", "--until", "5"], ["f", "--merge-offset", "soon"]):
            self.assertEqual(tool.run("convert", *words).returncode, 2, words)

if __name__ == "__main__":
    unittest.main()
