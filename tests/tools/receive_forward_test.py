"""spanwire receive --to: what came goes on, whole or in parts, and what did not is counted and said."""
import gzip
import http.server
import json
import socket
import threading
import unittest

from receiving import PROTOBUF, Receive, field, protobuf, span
from tool import GUARD_S, run


class Sink:
    """A collector of OTLP over HTTP that answers as `answer(body, headers)` says: (status, body)."""

    def __init__(self, answer):
        requests = self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, text = answer(body, self.headers)
                requests.append((status, body, self.headers))
                self.send_response(status)
                self.send_header("Content-Type", "text/plain" if status >= 400 else PROTOBUF)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def taken(self):
        return [body for status, body, _ in self.requests if status == 200]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def many(count, text_bytes=100):
    text = {"key": "text", "value": {"stringValue": "x" * text_bytes}}
    return [span(number, 1 if number > 1 else 0, attributes=[text]) for number in range(1, count + 1)]


def spans_in(receive):
    lines = [json.loads(line) for line in receive.file("traces.jsonl").splitlines()]
    return [one for line in lines for resource in line["resourceSpans"] for scope in resource["scopeSpans"]
            for one in scope["spans"]]


class Delivers(unittest.TestCase):
    def test_over_http_what_came_in_protobuf_goes_on_byte_for_byte(self):
        with Sink(lambda *_: (200, b"")) as sink, Receive("--to", sink.url) as first:
            body = protobuf(2) + field(99, b"of a later version")
            self.assertEqual(first.post(body)[0], 200)
            self.assertEqual(first.post(gzip.compress(body), Content_Encoding="gzip")[0], 200)
            code, out, err = first.stop()
            self.assertEqual((code, err), (0, ""))
            self.assertIn(f"forwarded 2 of 2 spans to {sink.url}/v1/traces\n", out)
            self.assertEqual(sink.taken(), [body, body])

    def test_over_each_protocol_json_arrives_as_what_it_was(self):
        for scheme in ("http", "grpc"):
            with self.subTest(scheme), Receive() as last:
                port = last.grpc_port if scheme == "grpc" else last.port
                with Receive("--to", f"{scheme}://127.0.0.1:{port}") as first:
                    values = [{"stringValue": "\u00e9\n"}, {"boolValue": False}, {"intValue": "-9223372036854775808"},
                              {"doubleValue": 0.1}, {"doubleValue": "NaN"}, {"bytesValue": "AAH/"},
                              {"arrayValue": {"values": [{}, {"intValue": "1"}]}},
                              {"kvlistValue": {"values": [{"key": "in", "value": {"stringValue": ""}}]}}]
                    attributes = [{"key": str(at), "value": value} for at, value in enumerate(values)]
                    event = {"timeUnixNano": "5", "name": "e", "attributes": attributes[:1]}
                    link = {"traceId": "1" * 32, "spanId": "2" * 16, "flags": 257}
                    first.send(span(1, name="root", attributes=attributes, events=[event], links=[link], flags=257,
                                    status={"message": "no", "code": 2}, droppedLinksCount=3))
                    code, out, err = first.stop()
                    self.assertEqual((code, err), (0, ""))
                    self.assertIn("forwarded 1 of 1 spans to ", out)
                    self.assertEqual(last.stop()[0], 0)
                    self.assertEqual(spans_in(last), spans_in(first))

    def test_headers_and_compression_are_those_of_the_environment(self):
        variables = {"OTEL_EXPORTER_OTLP_HEADERS": "x-token=secret", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
                     "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
        with Sink(lambda *_: (200, b"")) as sink, Receive("--to", sink.url, **variables) as first:
            self.assertEqual(first.post(protobuf(1))[0], 200)
            self.assertEqual(first.stop()[0], 0)
            (_, body, headers), = sink.requests
            self.assertEqual((headers["x-token"], headers["content-encoding"]), ("secret", "gzip"))
            self.assertEqual(gzip.decompress(body)[:1], b"\x0a")

    def test_one_that_is_busy_is_asked_again(self):
        answers = iter([503, 429])
        with Sink(lambda *_: (next(answers, 200), b"")) as sink, Receive("--to", sink.url) as first:
            first.send(span(1))
            code, out, err = first.stop()
            self.assertEqual(code, 0, out)
            self.assertIn("HTTP 503", err)
            self.assertEqual([status for status, *_ in sink.requests], [503, 429, 200])


class Splits(unittest.TestCase):
    def check_split(self, status, words):
        def answer(body, _):
            return (200, b"") if len(body) <= 2000 else (status, words)

        with Sink(answer) as sink, Receive("--to", sink.url, "--quiet") as first:
            first.send(*many(40))
            first.send(*many(40))
            code, out, err = first.stop()
            self.assertEqual((code, err), (0, ""))
            self.assertIn("forwarded 80 of 80 spans to ", out)
            self.assertEqual(b"".join(sink.taken()).count(b"x" * 100), 80)
            # The second request is not offered as a whole again.
            largest = max(len(body) for _, body, _ in sink.requests)
            self.assertEqual(sum(len(body) == largest for _, body, _ in sink.requests), 1)

    def test_by_413(self):
        self.check_split(413, b"")

    def test_by_400_too_large(self):
        self.check_split(400, b"http: request body too large")

    def test_by_what_a_receiver_of_grpc_says(self):
        with Receive("--body-max", "2k", "--quiet") as last:
            with Receive("--to", f"grpc://127.0.0.1:{last.grpc_port}", "--quiet") as first:
                first.send(*many(40))
                code, out, err = first.stop()
                self.assertEqual((code, err), (0, ""))
                self.assertIn("forwarded 40 of 40 spans to ", out)
            self.assertIn(" 40 spans, 1 trace", last.stop()[1])

    def test_before_grpc_would_refuse_it_at_4_mib(self):
        with Receive("--quiet") as last:
            with Receive("--to", f"grpc://127.0.0.1:{last.grpc_port}", "--quiet") as first:
                first.send(*many(10, 900_000))
                self.assertEqual(first.stop()[0], 0)
            self.assertIn("4 requests, 10 spans, 1 trace", last.stop()[1])
            self.assertLess(max(map(len, last.file("traces.jsonl").splitlines())), 4 << 20)


class Loses(unittest.TestCase):
    def check_loss(self, answer, sent, told, spans=(span(1), span(2, 1))):
        with Sink(answer) as sink, Receive("--to", sink.url, "--quiet") as first:
            first.send(*spans)
            code, out, err = first.stop()
            self.assertEqual(code, 1)
            self.assertIn(f"forwarded {sent} of {len(spans)} spans to {sink.url}/v1/traces; lost: ", out)
            self.assertIn(told, out)
            self.assertIn(told, err)

    def test_what_is_refused_there(self):
        self.check_loss(lambda *_: (401, b"who are you"), 0, "HTTP 401: who are you")

    def test_what_is_refused_in_part(self):
        self.check_loss(lambda *_: (200, field(1, b"\x08\x01" + field(2, b"odd"))), 1,
                        "1 of 2 spans: odd")

    def test_one_span_that_is_too_large(self):
        self.check_loss(lambda body, _: (200, b"") if len(body) < 2000 else (413, b""), 2, "export_too_large",
                        many(1, 3000) + [span(2, 1), span(3, 1)])

    def check_wait(self, port, told):
        with Receive("--to", f"http://127.0.0.1:{port}", "--to-wait", "300ms", "--quiet") as first:
            first.send(span(1))
            first.send(span(2, 1))
            code, out, err = first.stop()
            self.assertEqual(code, 1)
            self.assertIn("forwarded 0 of 2 spans to ", out)
            self.assertIn("lost: 2", out)
            self.assertIn(told, err)

    def test_what_waits_when_nobody_is_there(self):
        with socket.socket() as port:
            port.bind(("127.0.0.1", 0))
            self.check_wait(port.getsockname()[1], "connect_failed")

    def test_what_waits_when_nobody_answers(self):
        with socket.create_server(("127.0.0.1", 0)) as mute:
            self.check_wait(mute.getsockname()[1], "export_timeout")

    def test_what_was_refused_here_is_not_sent_on(self):
        with Sink(lambda *_: (200, b"")) as sink, Receive("--to", sink.url, "--quiet") as first:
            first.send(span(1), span(0), span(3, trace="0" * 32))
            code, out, _ = first.stop()
            self.assertEqual(code, 0, out)
            self.assertIn("forwarded 1 of 1 spans", out)
            body, = sink.taken()
            self.assertEqual(body.count(b"work"), 1)

    def test_while_too_much_waits_senders_keep_theirs(self):
        arrived, release = threading.Event(), threading.Event()

        def hold(*_):
            arrived.set()
            release.wait(GUARD_S)
            return 200, b""

        with Sink(hold) as sink, Receive("--to", sink.url, "--to-memory", "64k", "--quiet") as first:
            posts = (first.post(protobuf(number, b"x" * 15_000)) for number in range(1, 9))
            # What is under way takes no room: five more fill it.
            answers = [next(posts)]
            self.assertTrue(arrived.wait(GUARD_S))
            answers += posts
            self.assertEqual([status for status, *_ in answers], [200] * 6 + [503] * 2)
            self.assertEqual(answers[-1][1]["Retry-After"], "1")
            release.set()
            code, out, _ = first.stop()
            self.assertEqual(code, 0, out)
            self.assertIn("forwarded 6 of 6 spans", out)
            self.assertIn("2 requests sent away for lack of room", out)


class Address(unittest.TestCase):
    def test_one_that_is_none(self):
        for url in ("ftp://host:21", "http://", "http://host:port"):
            with self.subTest(url):
                done = run("receive", "--no-files", "--to", url)
                self.assertEqual(done.returncode, 2)
                self.assertIn(b"(endpoint '" + url.encode(), done.stderr)


if __name__ == "__main__":
    unittest.main()
