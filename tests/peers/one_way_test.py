"""One-way messages between programs of ours and pyzmq: PUSH, PULL, PUB and SUB, either side listening."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import zmq

import peers

SCRIPT = peers.ROOT / "examples/python/zmq_one_way.py"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
PATH = "work/tokens"
PRODUCER, CONSUMER = 4, 5


def spans_of(path):
    for resource in peers.resource_spans(path):
        for scope in resource["scopeSpans"]:
            yield from scope["spans"]


class OneWay(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.traces = self.folder / "traces.jsonl"

    def start(self, *command, **variables):
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True,
                                   env=peers.environment(SPANWIRE_TRACES_FILE=self.traces, OTEL_LOG_LEVEL="error",
                                                         **variables))
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, process.stdout.readline().strip()

    def ours(self, kind, role, address, count, **variables):
        program = peers.BUILD / "tests/peer_one_way"
        process, where = self.start(program, kind, role, address, count, **variables)
        return process, where.removeprefix("zmq+")

    def script(self, kind, endpoint, *words, **variables):
        return self.start(sys.executable, SCRIPT, kind, endpoint, PATH, *words, **variables)

    def pair(self, kind, script_kind, count, words=(), **variables):
        """Ours and the script, ours listening; then, anew, the script listening."""
        for scheme in ("tcp://127.0.0.1:0", f"ipc://{self.folder}/socket"):
            process, where = self.ours(kind, "listen", "zmq+" + scheme, count, **variables)
            yield process, self.script(script_kind, where, *words, **variables)[0]
        script, where = self.script(script_kind, "tcp://127.0.0.1:*", *words, **variables)
        yield self.ours(kind, "connect", "zmq+" + where, count, **variables)[0], script

    def finished(self, process):
        lines = process.stdout.read().splitlines()
        self.assertEqual(process.wait(timeout=peers.TIMEOUT), 0, lines)
        return lines

    def span(self, kind, **fields):
        found = [span for span in spans_of(self.traces) if span["kind"] == kind
                 and all(span.get(name) == value for name, value in fields.items())]
        self.assertEqual(len(found), 1, (kind, fields))
        return found[0]

    def from_script(self, kind, script_kind):
        for process, script in self.pair(kind, script_kind, 3, ("one", "two", "three"), TRACEPARENT=TRACEPARENT):
            messages = [json.loads(line) for line in self.finished(process)]
            self.assertEqual([message["payload"] for message in messages], ["one", "two", "three"])
            self.assertEqual({message["path"] for message in messages}, {PATH})
            self.assertEqual({message["missed"] for message in messages}, {0})
            for line, message in zip(self.finished(script), messages):
                traceparent = line.split()[1]
                self.assertEqual(message["headers"]["traceparent"], traceparent)
                self.span(CONSUMER, traceId=TRACE_ID, parentSpanId=traceparent.split("-")[2])

    def test_a_script_pushes(self):
        self.from_script("pull", "push")

    def test_a_script_publishes(self):
        self.from_script("subscribe", "pub")

    def from_ours(self, kind, script_kind):
        for process, script in self.pair(kind, script_kind, 3, TRACEPARENT=TRACEPARENT):
            lines = [script.stdout.readline().split() for _ in range(3)]
            self.finished(process)
            self.assertEqual([line[3] for line in lines], ["0", "1", "x" * 100_000])
            for path, traceparent, missed, _ in lines:
                self.assertEqual((path, missed), (PATH, "0"))
                self.span(PRODUCER, traceId=TRACE_ID, spanId=traceparent.split("-")[2])
            script.kill()

    def test_a_script_pulls(self):
        self.from_ours("push", "pull")

    def test_a_script_subscribes(self):
        self.from_ours("publish", "sub")

    def test_what_a_script_does_wrong_costs_that_message_only(self):
        process, where = self.ours("pull", "listen", "zmq+tcp://127.0.0.1:0", 3)
        with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
            socket.connect(where)
            path, payload = PATH.encode(), b"good"
            for wrong in ([b"alone"], [path, b"{}", payload, b"more"], [path, b"{}"] + [b""] * 20,
                          [b"\xff", b"{}", payload], [b"p" * 5_000, b"{}", payload],
                          [path, b"{" * 70_000, payload], [b"GET / HTTP/1.1\r\n\r\n"]):
                socket.send_multipart(wrong)
            socket.send_multipart([path, b"", payload])
            socket.send_multipart([path, b"not json", payload])
            socket.send_multipart([path, b'{"tenant":"blue","n":1}', payload])
            messages = [json.loads(line) for line in self.finished(process)]
        self.assertEqual([message["payload"] for message in messages], ["good"] * 3)
        self.assertEqual(messages[2]["headers"], {"tenant": "blue"})

    def test_what_a_publisher_leaves_out_is_counted(self):
        with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
            socket.bind("tcp://127.0.0.1:*")
            where = socket.last_endpoint.decode()
            process, _ = self.ours("subscribe", "connect", "zmq+" + where, 4)
            self.assertEqual(socket.recv(), b"\x01" + PATH.encode())
            for number in (1, 2, 7, 8):
                headers = {"spanwire-sequence": f"{7:016x}-{number:016x}"}
                socket.send_multipart([PATH.encode(), json.dumps(headers).encode(), b"x"])
            messages = [json.loads(line) for line in self.finished(process)]
        self.assertEqual([message["missed"] for message in messages], [0, 0, 4, 0])


if __name__ == "__main__":
    unittest.main()
