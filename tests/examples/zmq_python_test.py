"""The examples in Python against the command: context both ways, with pyzmq and nothing of ours."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["SPANWIRE_SOURCE_DIR"])
sys.path[:0] = [str(SOURCE / "tests/tools"), str(SOURCE / "tests/support")]
from otlp_files import spans  # noqa: E402
from tool import GUARD_S, EchoServer, clean_environment, run  # noqa: E402

CLIENT = SOURCE / "examples/python/zmq_client.py"
SERVER = SOURCE / "examples/python/zmq_server.py"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
TRACESTATE = "vendor=state,other=1"


class ZmqPython(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.traces = os.path.join(folder.name, "traces.jsonl")

    def script(self, *arguments, **extra):
        return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True,
                              timeout=GUARD_S, env=clean_environment(**extra), check=False)

    def script_server(self):
        process = subprocess.Popen([sys.executable, str(SERVER), "tcp://127.0.0.1:*"], text=True,
                                   stdout=subprocess.PIPE, env=clean_environment())
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process, process.stdout.readline().strip()

    def test_scripts_are_short_and_need_pyzmq_alone(self):
        scripts = sorted(CLIENT.parent.glob("zmq_*.py"))
        self.assertEqual(len(scripts), 3)
        for script in scripts:
            text = script.read_text()
            self.assertLessEqual(text.count("\n"), 60, script.name)
            imported = set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE))
            self.assertLessEqual(imported - set(sys.stdlib_module_names), {"zmq"}, script.name)

    def test_a_script_calls_a_server(self):
        server = EchoServer("zmq+tcp://127.0.0.1:0", SPANWIRE_TRACES_FILE=self.traces)
        self.addCleanup(server.__exit__)
        address = server.addresses[0].removeprefix("zmq+")
        done = self.script(CLIENT, address, "echo", "hello", TRACEPARENT=TRACEPARENT, TRACESTATE=TRACESTATE)
        self.assertEqual(done.returncode, 0, done.stderr)
        sent, answer = done.stdout.split()
        self.assertEqual(answer, "hello")
        unknown = self.script(CLIENT, address, "nowhere")
        self.assertIn("status 12", unknown.stderr)
        self.assertEqual(server.stop(), 0)
        span = next(span for span in spans(self.traces) if span["traceId"] == TRACE_ID)
        self.assertEqual(span["parentSpanId"], sent.split("-")[2])
        self.assertEqual(span["traceState"], TRACESTATE)
        self.assertEqual(span["kind"], 2)

    def test_a_script_serves_a_client(self):
        process, address = self.script_server()
        done = run("call", address, "upper", "--data", "hello", "--header", "traceparent=" + TRACEPARENT,
                   "--header", "tracestate=" + TRACESTATE, SPANWIRE_TRACES_FILE=self.traces)
        self.assertEqual((done.returncode, done.stdout), (0, b"HELLO"), done.stderr)
        path, traceparent, tracestate = process.stdout.readline().split()
        self.assertEqual((path, tracestate), ("upper", TRACESTATE))
        span = next(span for span in spans(self.traces) if span["kind"] == 3)
        self.assertEqual(traceparent, f"00-{TRACE_ID}-{span['spanId']}-01")

    def test_a_script_says_what_it_does_not_serve(self):
        _, address = self.script_server()
        done = run("call", address, "nowhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"UNIMPLEMENTED", done.stderr)
        self.assertIn(b"no handler for the path 'nowhere'", done.stderr)
        stream = run("call", address, "upper", "--stream", "--data", "x")
        self.assertEqual(stream.returncode, 1)

    def test_load_runs_against_every_kind_of_address(self):
        ipc = "zmq+ipc:///tmp/spanwire-test-" + str(os.getpid())
        server = EchoServer("zmq+tcp://127.0.0.1:0", ipc)
        self.addCleanup(server.__exit__)
        for address in server.addresses:
            done = run("load", address, "echo", "--seconds", "0.2", "--json", "-", "--quiet")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(run("call", address, "echo", "--stream", "--data", "x").stdout, b"x\n")


if __name__ == "__main__":
    unittest.main()
