"""spanwire echo, call and load, against each other."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import unittest

import tool
from tool import EchoServer, closed_port, run


class Rpc(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def serve(self, *arguments, **extra):
        server = EchoServer(*(arguments or ("tcp://127.0.0.1:0",)), **extra)
        self.addCleanup(server.__exit__)
        return server

    def test_a_call_prints_what_it_got_back(self):
        address = self.serve().addresses[0]
        done = run("call", address, "echo", "--data", "hello")
        self.assertEqual((done.returncode, done.stdout), (0, b"hello"), done.stderr)

    def test_echo_tells_at_its_end_what_it_served(self):
        server = self.serve()
        for _ in range(3):
            self.assertEqual(run("call", server.addresses[0], "echo", "--data", "x").returncode, 0)
        self.assertEqual(server.stop(), 0)
        self.assertRegex(server.said.decode(), r"served 3 calls; drained in \d+ ms: 0 calls finished, 0 abandoned")

    def test_bytes_come_back_as_they_are(self):
        address = self.serve().addresses[0]
        payload = bytes(range(256)) * 2000
        done = run("call", address, "echo", "--file", "-", input=payload)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout == payload)
        with open(self.path("payload"), "wb") as file:
            file.write(payload)
        done = run("call", address, "echo", "--file", self.path("payload"), "--verbose")
        self.assertTrue(done.stdout == payload)
        self.assertIn(b"handler: ", done.stderr)

    def test_serves_several_addresses_and_paths(self):
        unix = "unix://" + self.path("echo.sock")
        server = self.serve("tcp://127.0.0.1:0", unix, "--path", "a", "--path", "b/c")
        self.assertEqual(server.addresses[1], unix)
        for address in server.addresses:
            for path in ("a", "b/c"):
                self.assertEqual(run("call", address, path, "--data", "x").stdout, b"x")
        routes = run("call", unix, "spanwire/routes").stdout.decode()
        self.assertIn("b/c", routes)

    def test_a_stream_prints_a_line_for_each_message(self):
        address = self.serve().addresses[0]
        done = run("call", address, "echo", "--stream", "--data", "one")
        self.assertEqual((done.returncode, done.stdout), (0, b"one\n"), done.stderr)

    def test_serves_the_dynamo_request_plane_on_the_same_port(self):
        address = self.serve().addresses[0]
        done = run("call", "dynamo+" + address, "echo", "--data", "taken")
        self.assertEqual((done.returncode, done.stdout), (0, b""), done.stderr)
        unknown = run("call", "dynamo+" + address, "nope")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn(b"unknown endpoint nope", unknown.stderr)

    def test_a_failed_call_says_what_broke(self):
        address = self.serve().addresses[0]
        unknown = run("call", address, "nope")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn(b"nope", unknown.stderr)
        self.assertIn(b"UNIMPLEMENTED", unknown.stderr)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            quiet = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
            late = run("call", quiet, "echo", "--timeout", "200ms")
            self.assertEqual(late.returncode, 1)
            self.assertIn(b"deadline_exceeded", late.stderr)
        with closed_port() as port:
            refused = run("call", f"tcp://127.0.0.1:{port}", "echo")
        self.assertEqual(refused.returncode, 1)
        self.assertIn(b"connect", refused.stderr)

    def test_a_wrong_command_line_is_told_at_once(self):
        for words in (
            ["call"],
            ["call", "tcp://127.0.0.1:1"],
            ["call", "tcp://127.0.0.1:1", "p", "--header", "no-value"],
            ["call", "tcp://127.0.0.1:1", "p", "--timeout", "soon"],
            ["call", "tcp://127.0.0.1:1", "p", "--data", "a", "--file", "b"],
            ["load", "tcp://127.0.0.1:1", "p", "--size", "big"],
            ["echo"],
        ):
            done = run(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertTrue(done.stderr, words)
        for command in ("call", "echo", "load"):
            done = run(command, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn(b"Examples:", done.stdout)

    def test_an_address_in_use_is_named(self):
        address = self.serve().addresses[0]
        second = run("echo", address)
        self.assertEqual(second.returncode, 1)
        self.assertIn(address.removeprefix("tcp://").encode(), second.stderr)

    def test_both_sides_of_a_call_are_one_tree(self):
        ours, theirs = self.path("call.jsonl"), self.path("echo.jsonl")
        server = self.serve("tcp://127.0.0.1:0", SPANWIRE_TRACES_FILE=theirs, OTEL_SERVICE_NAME="e")
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        done = run(
            "call",
            server.addresses[0],
            "echo",
            "--header",
            f"traceparent=00-{trace}-00f067aa0ba902b7-01",
            SPANWIRE_TRACES_FILE=ours,
            OTEL_SERVICE_NAME="c",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(server.stop(), 0)
        view = run("view", ours, theirs, "--width", "100", "--trace", trace)
        self.assertEqual(view.returncode, 0, view.stderr)
        text = view.stdout.decode()
        self.assertIn("2 spans in 2 processes", text)
        self.assertRegex(text, r"\necho → +c .*\n.*parent 00f067aa0ba902b7.*\n└─ echo +e ")

    def test_load_measures_each_size(self):
        address = self.serve().addresses[0]
        words = ["--seconds", "300ms", "--warmup", "50ms", "--size", "16,4k", "--in-flight", "4"]
        done = run("load", address, "echo", *words, "--json", "-", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, b"")
        results = json.loads(done.stdout)
        self.assertEqual([result["payload_bytes"] for result in results], [16, 4096])
        for result in results:
            self.assertGreater(result["calls"], 0)
            self.assertEqual(result["failures"], {})
            self.assertEqual(result["bytes_back"], result["calls"] * result["payload_bytes"])
            self.assertEqual(sum(b["calls"] for b in result["histogram"]), result["calls"])
            quantiles = [result["latency_ns"][q] for q in ("p50", "p90", "p99", "p99.9", "max")]
            self.assertEqual(quantiles, sorted(quantiles))
            self.assertGreater(quantiles[0], 0)

    def test_load_may_do_without_a_warm_up(self):
        address = self.serve().addresses[0]
        words = ["--seconds", "100ms", "--json", "-", "--quiet"]
        done = run("load", address, "echo", "--warmup", "0s", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(json.loads(done.stdout)[0]["calls"], 0)
        for warmup, seconds in (("0", "0s"), ("-1s", "1s"), ("0x", "1s")):
            done = run("load", address, "echo", "--warmup", warmup, "--seconds", seconds)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(b"not a duration", done.stderr)

    def test_load_measures_until_a_call_has_ended(self):
        address = self.serve().addresses[0]
        words = ["--warmup", "0", "--seconds", "1us", "--json", "-", "--quiet"]
        done = run("load", address, "echo", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(json.loads(done.stdout)[0]["calls"], 0)
        # More than a payload may be: a call that fails has ended, too.
        done = run("load", address, "echo", "--in-flight", "1", "--size", "33M", *words)
        self.assertEqual(done.returncode, 1, done.stderr)
        result = json.loads(done.stdout)[0]
        self.assertEqual((result["calls"], list(result["failures"])), (0, ["payload_too_long"]))

    def test_load_tells_progress_and_failures(self):
        address = self.serve().addresses[0]
        process = subprocess.Popen([tool.TOOL, "load", address, "echo", "--seconds", "60m", "--warmup", "10ms"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=tool.clean_environment())
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        while line := process.stderr.readline():
            if re.fullmatch(rb"measuring 256 bytes: [1-9]\d* s, [1-9]\d* calls\n", line):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=tool.GUARD_S)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn(b"256 bytes: ", out)
        self.assertIn(b"p99.9", out)
        self.assertEqual(run("load", address, "nope", "--seconds", "1s").returncode, 1)

    def test_the_server_ends_at_sigterm(self):
        server = self.serve()
        self.assertEqual(run("call", server.addresses[0], "echo").returncode, 0)
        self.assertEqual(server.stop(), 0)

    def test_the_server_ends_in_order_as_soon_as_it_says_where_it_listens(self):
        for _ in range(10):
            server = self.serve()
            self.assertEqual(server.stop(), 0)
            self.assertIn(b"served 0 calls", server.said)


if __name__ == "__main__":
    unittest.main()
