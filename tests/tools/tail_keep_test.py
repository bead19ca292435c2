"""Tail keep end to end: a request that nobody sampled fails, over two processes into two files."""

import json
import os
import tempfile
import unittest

from tool import EchoServer, run

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
UNSAMPLED = f"traceparent=00-{TRACE}-00f067aa0ba902b7-00"
KEEP = {"OTEL_BSP_SCHEDULE_DELAY": "100", "SPANWIRE_TRACES_KEEP": "errors"}


def spans_of(path):
    """Name, kind, flags and attributes of each span in a file."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return [(span["name"], span["kind"], span.get("flags", 0),
             {one["key"]: one["value"] for one in span.get("attributes", [])})
            for line in lines for resource in line["resourceSpans"]
            for scope in resource["scopeSpans"] for span in scope["spans"]]


class TailKeep(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.files = [os.path.join(folder.name, name) for name in ("caller.jsonl", "server.jsonl")]

    def call(self, path, **extra):
        """One unsampled call between two processes that write a file each."""
        caller, server = self.files
        with EchoServer("tcp://127.0.0.1:0", SPANWIRE_TRACES_FILE=server, OTEL_SERVICE_NAME="server", **extra) as echo:
            done = run("call", echo.addresses[0], path, "--data", "x", "--header", UNSAMPLED,
                       SPANWIRE_TRACES_FILE=caller, OTEL_SERVICE_NAME="caller", **extra)
            self.assertEqual(echo.stop(), 0)
        return done.returncode

    def test_a_failed_call_is_kept_on_both_sides_and_accepted_as_a_part(self):
        self.assertEqual(self.call("nope", **KEEP), 1)
        kept = [span for file in self.files for span in spans_of(file)]
        self.assertEqual(sorted(kind for _, kind, _, _ in kept), [2, 3])
        for _, _, flags, attributes in kept:
            self.assertEqual(attributes["spanwire.partial"], {"boolValue": True})
            self.assertEqual(flags & 1, 0, "the sampled flag is not forged, here nor downstream")
            self.assertEqual(attributes["error.type"], {"stringValue": "UNIMPLEMENTED"})
        judged = run("verify", *self.files)
        self.assertEqual(judged.returncode, 0, judged.stdout.decode())
        self.assertIn(b"1 trace partial: kept for its error\n", judged.stdout)
        shown = run("view", *self.files).stdout.decode()
        self.assertIn("partial: kept for its error", shown)
        self.assertNotIn("is not in these files", shown)
        page = os.path.join(os.path.dirname(self.files[0]), "page.html")
        self.assertEqual(run("view", *self.files, "--html", page).returncode, 0)
        with open(page, encoding="utf-8") as file:
            self.assertIn('"pt":"partial: kept for its error"', file.read())

    def test_without_the_mark_its_missing_parent_is_an_orphan(self):
        self.call("nope", **KEEP)
        for file in self.files:
            with open(file, encoding="utf-8") as opened:
                text = opened.read()
            with open(file, "w", encoding="utf-8") as opened:
                opened.write(text.replace("spanwire.partial", "spanwire.part"))
        judged = run("verify", *self.files)
        self.assertEqual(judged.returncode, 1)
        self.assertIn(b"tree.orphan", judged.stdout)

    def test_what_ends_well_is_not_kept_and_off_keeps_nothing(self):
        self.assertEqual(self.call("echo", **KEEP), 0)
        self.assertEqual([spans_of(file) for file in self.files], [[], []])
        self.assertEqual(self.call("nope"), 1)
        self.assertEqual([spans_of(file) for file in self.files], [[], []])


if __name__ == "__main__":
    unittest.main()
