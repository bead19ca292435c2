"""spanwire receive: what it takes, what it shows and keeps, and what it answers to what is broken."""
import gzip
import json
import os
import signal
import socket
import time
import unittest

from receiving import JSON, PROTOBUF, TRACE, Receive, protobuf, request, span, wait_until
from tool import GUARD_S, EchoServer, run


class Shows(unittest.TestCase):
    def test_a_finished_trace_as_a_tree_a_file_and_a_page(self):
        with Receive() as receive:
            self.assertEqual(receive.send(span(1, name="front"), span(2, 1, name="back")), {})
            shown = receive.until("back")
            self.assertIn(TRACE[:16], shown)
            code, out, err = receive.stop()
            self.assertEqual((code, err), (0, ""))
            self.assertIn("1 request, 2 spans, 1 trace\n", out)
            line, = receive.file("traces.jsonl").splitlines()
            self.assertEqual(len(json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]), 2)
            self.assertIn(TRACE, receive.file("trace.html"))
            seen = run("view", os.path.join(receive.folder.name, "traces.jsonl"))
            self.assertEqual(seen.returncode, 0)

    def test_the_page_is_there_while_it_runs_and_follows(self):
        with Receive() as receive:
            page = os.path.join(receive.folder.name, "trace.html")
            for number, name in enumerate(("first shown", "second shown"), 1):
                receive.send(span(number, trace=f"{number:032x}", name=name))
                receive.until(name)
                wait_until(lambda: os.path.exists(page) and name in receive.file("trace.html"))
            self.assertEqual(receive.stop()[0], 0)
            self.assertEqual(sorted(os.listdir(receive.folder.name)), ["trace.html", "traces.jsonl"])

    def test_protobuf_and_json_plain_and_packed_are_one_trace(self):
        with Receive(settle="1m") as receive:
            for number, (body, kind) in enumerate([
                    (protobuf(1, b"root"), PROTOBUF), (json.dumps(request(span(2, 1))).encode(), JSON)]):
                self.assertEqual(receive.post(body, kind)[0], 200)
                more = body.replace(b"\0" * 7 + b"\1", b"\0" * 7 + b"\3") if number == 0 else \
                    json.dumps(request(span(4, 1)), indent=1).encode()
                status, headers, answer = receive.post(gzip.compress(more), kind, Content_Encoding="gzip")
                self.assertEqual((status, headers["Content-Type"]), (200, kind))
                self.assertEqual(answer, b"" if kind == PROTOBUF else b"{}")
            code, out, _ = receive.stop(signal.SIGTERM)
            self.assertEqual(code, 0)
            self.assertIn("4 requests, 4 spans, 1 trace\n", out)
            self.assertEqual(len(receive.file("traces.jsonl").splitlines()), 4)

    def test_later_spans_show_the_trace_once_more(self):
        with Receive() as receive:
            receive.send(span(1, name="front"))
            receive.until("front")
            receive.send(span(2, 1, name="late"))
            self.assertIn("once more, with 1 more span:\n", receive.until("late"))
            self.assertEqual(receive.stop()[0], 0)

    def test_what_is_sent_twice_counts_once(self):
        with Receive() as receive:
            one = span(1)
            receive.send(one)
            receive.send(one)
            self.assertIn("2 requests, 2 spans, 1 trace; 1 span came twice\n", receive.stop()[1])

    def test_a_trace_without_its_root_is_shown_after_a_while(self):
        with Receive() as receive:
            receive.send(span(2, 1, name="lost child"))
            self.assertIn("lost child", receive.until("lost child"))
            receive.stop()

    def test_what_is_not_shown_yet_is_shown_at_the_end(self):
        with Receive(settle="1m", patience="1m") as receive:
            receive.send(span(1, name="hasty"))
            self.assertIn("hasty", receive.stop()[1])

    def test_quiet_draws_nothing(self):
        with Receive("--quiet") as receive:
            receive.send(span(1, name="front"))
            code, out, _ = receive.stop()
            self.assertEqual(code, 0)
            self.assertNotIn("front", out)


class Verifies(unittest.TestCase):
    def test_a_sound_trace_passes(self):
        with Receive("--verify") as receive:
            receive.send(span(1, flags=0x101), span(2, 1, kind=1, flags=0x101))
            code, out, _ = receive.stop()
            self.assertEqual(code, 0, out)
            self.assertIn("verify: 1 of 1 pass\n", out)

    def test_a_missing_parent_fails_and_is_named(self):
        with Receive("--verify") as receive:
            receive.send(span(1), span(2, 77))
            receive.send(span(5, trace="5" * 32))
            code, out, _ = receive.stop()
            self.assertEqual(code, 1)
            self.assertIn("tree.orphan", out)
            self.assertIn("verify: 1 of 2 pass\n", out)


class Bounds(unittest.TestCase):
    def test_the_oldest_traces_leave_memory_and_are_shown_first(self):
        with Receive("--memory", "64k", settle="1m", patience="1m") as receive:
            text = {"key": "text", "value": {"stringValue": "x" * 8000}}
            for number in range(1, 21):
                receive.send(span(number, trace=f"{number:032x}", name=f"trace {number}.", attributes=[text]))
            code, out, _ = receive.stop()
            self.assertEqual(code, 0)
            for number in range(1, 21):
                self.assertIn(f"trace {number}.", out)
            self.assertIn("shown early: the memory is full", out)
            self.assertRegex(out, r"1[2-9] traces that left memory before the end")
            self.assertEqual(len(receive.file("traces.jsonl").splitlines()), 20)

    def test_the_page_has_a_bound(self):
        with Receive("--quiet", "--file-max", "1k", settle="1m", patience="1m") as receive:
            for number in range(1, 5):
                receive.post(protobuf(number, b"trace %d." % number + b"x" * 12_000_000, f"{number:032x}"))
            self.assertEqual(receive.stop()[0], 0)
            page = receive.file("trace.html")
            self.assertEqual([number for number in range(1, 5) if f"trace {number}." in page], [3, 4])
            self.assertLess(len(page), 40_000_000)

    def test_the_file_has_a_bound(self):
        with Receive("--file-max", "4k", "--quiet") as receive:
            text = {"key": "text", "value": {"stringValue": "x" * 1000}}
            for number in range(1, 11):
                receive.send(span(number, trace=f"{number:032x}", attributes=[text]))
            receive.stop()
            sizes = [len(receive.file(name)) for name in ("traces.jsonl", "traces.older.jsonl")]
            self.assertTrue(all(1000 < size <= 4096 for size in sizes), sizes)

    def test_a_file_that_cannot_be_written_fails_at_once(self):
        done = run("receive", "--grpc-port", "0", "--http-port", "0", "--output", "/dev/null/x")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"file_open_failed", done.stderr)

    def test_a_port_that_is_taken_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = run("receive", "--grpc-port", "0", "--http-port", str(port), "--no-files")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"127.0.0.1:{port}".encode(), done.stderr)


class Refuses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.receive = Receive("--body-max", "64k")
        cls.addClassCleanup(cls.receive.__exit__)

    def test_what_is_broken(self):
        whole = protobuf()
        bomb = gzip.compress(b"\0" * 10_000_000)
        for name, body, headers, status, said in [
                ("truncated protobuf", whole[:-3], {}, 400, b"cut off"),
                ("not protobuf", b"\xff\xff\xff\xff", {}, 400, b""),
                ("wrong type of a field", b"\x08\x01", {}, 400, b"resourceSpans[0]: not the type of this field"),
                ("JSON as protobuf", b'{"resourceSpans":[]}', {}, 400, b""),
                ("not gzip", whole, {"Content_Encoding": "gzip"}, 400, b"the body is not gzip"),
                ("gzip cut off", gzip.compress(whole)[:30], {"Content_Encoding": "gzip"}, 400, b""),
                ("unknown encoding", whole, {"Content_Encoding": "br"}, 415, b"Content-Encoding"),
                ("no content type", whole, {"kind": None}, 415, b"Content-Type"),
                ("wrong content type", whole, {"kind": "application/grpc"}, 415, b"Content-Type"),
                ("protobuf as JSON", whole, {"kind": JSON}, 400, b'"code":3'),
                *((f"{body} as {name}", body, {"kind": kind}, 400, said)
                  for body, in_json, in_protobuf in [
                      (b"[]", b"begins with '[]'", b"unknown pbf field type"),
                      (b' [{"resourceSpans":[]}]', b"begins with '[{", b"unknown pbf field type"),
                      (b'"x"', b"""begins with '\\"x\\"'""", b""), (b"1", b"begins with '1'", b"cut off"),
                      (b"null", b"begins with 'null'", b""), (b"true", b"begins with 'true'", b"")]
                  for name, kind, said in [("JSON", JSON, in_json), ("protobuf", PROTOBUF, in_protobuf)]),
                ("JSON cut off", b'{"resourceSpans":[{', {"kind": JSON}, 400, b'"code":3'),
                ("other JSON", b'{"a":1}', {"kind": JSON}, 400, b"no resourceSpans"),
                ("empty JSON", b"", {"kind": JSON}, 400, b'"code":3'),
                ("too large", b"x" * 100_000, {}, 413, b""),
                ("too large, unpacked", bomb, {"Content_Encoding": "gzip"}, 413, b"65536"),
                ("wrong path", whole, {"path": "/v1/metrics"}, 404, b"/v1/traces"),
                ("wrong method", None, {"method": "GET"}, 405, b"POST"),
                ("empty request", b"", {}, 200, b""),
                ("empty JSON request", b" { }", {"kind": JSON}, 200, b"{}"),
                ("charset", json.dumps(request(span(9))), {"kind": JSON + "; charset=utf-8"}, 200, b"{}")]:
            with self.subTest(name):
                got, _, answer = self.receive.post(body, **headers)
                self.assertEqual(got, status, answer)
                self.assertIn(said, answer)
        self.assertIsNone(self.receive.process.poll())

    def test_spans_without_an_id_are_partly_refused(self):
        answer = self.receive.send(span(1), span(0), span(3, trace="0" * 32))
        self.assertEqual(answer["partialSuccess"]["rejectedSpans"], "2")
        self.assertIn("absent or all zeros", answer["partialSuccess"]["errorMessage"])
        status, _, body = self.receive.post(protobuf(trace="0" * 32))
        self.assertEqual((status, body[:1], body[2:4]), (200, b"\x0a", b"\x08\x01"))

    def test_what_a_client_writes_does_no_harm_in_the_terminal(self):
        with Receive("--quiet") as receive:
            self.assertEqual(receive.post(b"", "\x1b[31mred\xa5")[0], 415)
            err = receive.stop()[2]
            self.assertNotIn("\x1b", err)
            self.assertIn("[31mred", err)

    def test_http_2_is_told_apart(self):
        with socket.create_connection(("127.0.0.1", self.receive.port), timeout=GUARD_S) as peer:
            peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
            answer = b""
            while block := peer.recv(4096):
                answer += block
                if b"another port" in answer:
                    break
        self.assertIn(b"gRPC has another port", answer)


    def say_to_grpc(self, words):
        with socket.create_connection(("127.0.0.1", self.receive.grpc_port), timeout=GUARD_S) as peer:
            peer.sendall(words)
            answer = b""
            while block := peer.recv(4096):
                answer += block
            return answer

    def test_others_than_grpc_are_told_apart(self):
        said = self.say_to_grpc(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        self.assertTrue(said.startswith(b"HTTP/1.1 400 "), said)
        self.assertIn(b"OTLP over HTTP has another port", said)
        self.assertEqual(self.say_to_grpc(bytes.fromhex("160301020001000102030405060708090a0b0c0d0e0f1011")), b"")
        self.assertEqual(self.say_to_grpc(b"hello, is anybody there?"), b"")

    def test_one_that_only_connects_keeps_nobody_waiting(self):
        with socket.create_connection(("127.0.0.1", self.receive.grpc_port), timeout=GUARD_S):
            self.assertEqual(self.receive.send(span(77, trace="7" * 32)), {})


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as own:
            own.bind(("::1", 0))
        return True
    except OSError:
        return False


class OurExporter(unittest.TestCase):
    @unittest.skipUnless(has_ipv6(), "no socket can be bound to ::1 here")
    def test_an_address_of_ipv6_is_said_as_a_url_and_serves_as_one(self):
        for host in ("::1", "[::1]"):
            with self.subTest(host), Receive("--host", host) as receive:
                at = f"http://[::1]:{receive.port}"
                self.assertIn(f"listening on {at} for OTLP over HTTP\n", receive.seen)
                run("call", "tcp://127.0.0.1:1", "echo", OTEL_EXPORTER_OTLP_ENDPOINT=at)
                self.assertIn("1 request, 1 span, 1 trace", receive.stop()[1])

    def test_each_protocol_and_both_processes_make_one_tree(self):
        for protocol in ("grpc", "http/protobuf", "http/json"):
            with self.subTest(protocol), Receive("--verify", settle="1m", patience="1m") as receive:
                port = receive.grpc_port if protocol == "grpc" else receive.port
                variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
                             "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
                with EchoServer("tcp://127.0.0.1:0", OTEL_SERVICE_NAME="server", **variables) as server:
                    done = run("call", server.addresses[0], "echo", "--data", "hello", OTEL_SERVICE_NAME="client",
                               **variables)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(server.stop(), 0)
                code, out, _ = receive.stop()
                self.assertEqual(code, 0, out)
                self.assertIn("1 trace; verify: 1 of 1 pass\n", out)
                self.assertIn("client", out)
                self.assertIn("server", out)


class Help(unittest.TestCase):
    def test_has_examples(self):
        done = run("receive", "--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"Examples:", done.stdout)

    def test_usage(self):
        self.assertEqual(run("receive", "--http-port", "70000").returncode, 2)
        self.assertEqual(run("receive", "--settle", "soon").returncode, 2)


if __name__ == "__main__":
    unittest.main()
