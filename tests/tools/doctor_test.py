"""spanwire doctor: each of the reasons for which no trace arrives is made here, and found by its name."""
import email.utils
import http.server
import os
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from receiving import Receive
from tool import closed_port, run


def doctor(*arguments, **variables):
    """(exit code, what it said, the names of what is wrong)"""
    done = run("doctor", *arguments, **variables)
    said = done.stdout.decode() + done.stderr.decode()
    return done.returncode, said, re.findall(r"^  WRONG  (\S+)", said, re.M)


class Backend:
    """An HTTP server of one's own: its clock, its paths, its encryption."""

    def __init__(self, ahead_s=0, tls=None, trace=None, refuses=0):
        class Handler(http.server.BaseHTTPRequestHandler):
            def date_time_string(self, timestamp=None):
                return email.utils.formatdate(time.time() + ahead_s, usegmt=True)

            def answer(self, body=b""):
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(self.path.encode() if trace else b"")

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if body and refuses:
                    self.send_response(refuses)
                    self.send_header("Content-Length", "11")
                    self.end_headers()
                    self.wfile.write(b"who are you")
                    return
                self.answer()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Healthy(unittest.TestCase):
    def test_a_canary_arrives_by_each_protocol(self):
        for protocol in ("grpc", "http/protobuf", "http/json"):
            with self.subTest(protocol), Receive() as receive:
                port = receive.grpc_port if protocol == "grpc" else receive.port
                code, said, wrong = doctor(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
                                           OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_SERVICE_NAME="shop")
                self.assertEqual((code, wrong), (0, []), said)
                self.assertIn("spanwire doctor", receive.until("spanwire doctor"))
                self.assertRegex(said, r"ok +canary +trace [0-9a-f]{32} delivered in \d+ ms")
                self.assertIn("otlp: exported 1, lost 0, last error: none", said)

    def test_each_value_says_where_it_comes_from(self):
        with Receive() as receive:
            _, said, _ = doctor(OTEL_EXPORTER_OTLP_ENDPOINT="http://elsewhere:1", OTEL_BSP_SCHEDULE_DELAY="soon",
                                OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"http://127.0.0.1:{receive.port}/v1/traces",
                                OTEL_EXPORTER_OTLP_HEADERS="authorization=s3cret", OTEL_SERVICE_NAME="shop",
                                SPANWIRE_TRACES_KEEP="errors,slow=soon")
        for line in (r"OTEL_SERVICE_NAME +shop +environment\n",
                     r"OTEL_TRACES_SAMPLER +parentbased_always_on +default\n",
                     r"OTEL_EXPORTER_OTLP_ENDPOINT +http://elsewhere:1 +environment, overruled by OTEL_EXPORTER_OTLP_TR",
                     r"OTEL_BSP_SCHEDULE_DELAY +soon +environment, not used as it stands\n",
                     r"OTEL_EXPORTER_OTLP_HEADERS +authorization=\.\.\. +environment\n",
                     r"SPANWIRE_TRACES_KEEP +errors,slow=soon +environment, not used as it stands\n",
                     r"SPANWIRE_METRICS_LISTEN +nowhere +default\n", r"tracing as service shop, .*, keeps failed spans, every",
                     r"WRONG +environment.bad_value +OTEL_BSP_SCHEDULE_DELAY='soon'"):
            self.assertRegex(said, line)
        self.assertNotIn("s3cret", said)
        self.assertRegex(doctor()[1], r"OTEL_EXPORTER_OTLP_HEADERS +none +default\n")

    def test_the_canary_is_read_back(self):
        with Backend(trace=True) as backend:
            address = f"http://127.0.0.1:{backend.port}"
            code, said, _ = doctor("--query", address, OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_SERVICE_NAME="shop")
            self.assertEqual(code, 0, said)
            self.assertRegex(said, r"ok +read_back +found after \d+ ms")

    def test_a_file_takes_the_canary_too(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "traces.jsonl")
            code, said, _ = doctor(SPANWIRE_TRACES_FILE=path, OTEL_SERVICE_NAME="shop")
            self.assertEqual(code, 0, said)
            with open(path, encoding="utf-8") as file:
                self.assertIn("spanwire doctor", file.read())


class Finds(unittest.TestCase):
    def found(self, name, *arguments, OTEL_SERVICE_NAME="shop", **variables):
        code, said, wrong = doctor(*arguments, OTEL_SERVICE_NAME=OTEL_SERVICE_NAME, **variables)
        self.assertEqual((code, wrong), (1, [name]), said)
        return said

    def test_nothing_listening(self):
        with closed_port() as port:
            said = self.found("endpoint.nothing_listening", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")
        self.assertIn(f"127.0.0.1:{port}: Connection refused", said)

    def test_a_name_without_an_address(self):
        self.found("endpoint.unresolved", OTEL_EXPORTER_OTLP_ENDPOINT="http://collector.invalid:4318")

    def test_tls_to_a_plain_port(self):
        with Receive() as receive:
            for port, protocol in ((receive.port, "http/protobuf"), (receive.grpc_port, "grpc")):
                said = self.found("endpoint.tls_to_plain", OTEL_EXPORTER_OTLP_ENDPOINT=f"https://127.0.0.1:{port}",
                                  OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
                self.assertIn(f"write http://127.0.0.1:{port}", said)

    def test_clear_text_to_a_port_of_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-nodes", "-keyout", "key", "-out", "cert", "-subj", "/CN=test", "-days", "2"],
                           cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(folder, "cert"), os.path.join(folder, "key"))
        with Backend(tls=context) as backend:
            said = self.found("endpoint.plain_to_tls", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{backend.port}")
            self.assertIn(f"write https://127.0.0.1:{backend.port}", said)

    def test_a_wrong_path(self):
        with Receive() as receive:
            base = f"http://127.0.0.1:{receive.port}"
            said = self.found("endpoint.wrong_path", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{base}/v1/trace")
            self.assertIn(f"the spans' place there is {base}/v1/traces", said)

    def test_an_endpoint_of_grpc_given_to_http_and_the_reverse(self):
        with Receive() as receive:
            said = self.found("endpoint.http_to_grpc", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
                              OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{receive.grpc_port}")
            self.assertIn("set OTEL_EXPORTER_OTLP_PROTOCOL=grpc", said)
            said = self.found("endpoint.grpc_to_http", OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
                              OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{receive.port}")
            self.assertIn("set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", said)

    def test_a_sampler_that_is_off(self):
        with Receive() as receive:
            at = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receive.port}"}
            for sampler, argument in (("always_off", ""), ("parentbased_always_off", ""), ("traceidratio", "0"),
                                      ("parentbased_traceidratio", "0")):
                with self.subTest(sampler):
                    said = self.found("sampler.off", OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG=argument,
                                      **at)
                    self.assertIn("0 of 1000 new traces are recorded", said)

    def test_a_sampler_that_is_on_for_some_paths(self):
        with Receive() as receive:
            at = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receive.port}", "OTEL_SERVICE_NAME": "a",
                  "OTEL_TRACES_SAMPLER": "always_off"}
            code, said, wrong = doctor(SPANWIRE_TRACES_PATHS="llm/debug=0,llm/=1", **at)
            self.assertEqual((code, wrong), (0, []), said)
            self.assertIn("0 of 1000 new traces are recorded, 0 of those of llm/debug, 1000 of those of llm/ (", said)
            self.found("sampler.off", SPANWIRE_TRACES_PATHS="llm/=0", **at)

    def test_an_exporter_that_is_none(self):
        self.found("exporter.none", OTEL_TRACES_EXPORTER="none", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")

    def test_tracing_that_is_off(self):
        self.assertIn("set OTEL_EXPORTER_OTLP_ENDPOINT", self.found("tracing.off"))
        self.assertIn("unset OTEL_SDK_DISABLED", self.found("tracing.off", OTEL_SDK_DISABLED="true"))

    def test_a_service_without_a_name(self):
        with Receive() as receive:
            self.found("service.unnamed", OTEL_SERVICE_NAME="",
                       OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{receive.port}")

    def test_a_queue_too_small_for_the_load(self):
        with Receive() as receive:
            at = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receive.port}"}
            said = self.found("queue.too_small", "--load", "10000000", OTEL_BSP_MAX_QUEUE_SIZE="20",
                              OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10", **at)
            self.assertIn("OTEL_BSP_MAX_QUEUE_SIZE is 20", said)
            self.assertEqual(doctor("--load", "1", OTEL_BSP_MAX_QUEUE_SIZE="2048", OTEL_SERVICE_NAME="s", **at)[0], 0)

    def test_a_clock_far_off(self):
        for ahead, words in ((3600, "s ahead of"), (-3600, "s behind")):
            with Backend(ahead_s=ahead) as backend:
                said = self.found("clock.off", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{backend.port}")
                self.assertIn(words, said)

    def test_something_that_never_answers(self):
        with socket.create_server(("127.0.0.1", 0)) as mute:
            address = f"http://127.0.0.1:{mute.getsockname()[1]}"
            said = self.found("endpoint.silent", "--timeout", "300ms", OTEL_EXPORTER_OTLP_ENDPOINT=address)
            self.assertIn("speaks neither TLS nor HTTP", said)

    def test_a_canary_that_is_refused_and_why(self):
        with Backend(refuses=401) as backend:
            said = self.found("canary.not_delivered", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{backend.port}")
            self.assertRegex(said, r"otlp: exported 0, lost 1, last error: .*HTTP 401: who are you")

    def test_a_file_that_cannot_be_written(self):
        said = self.found("file.not_writable", SPANWIRE_TRACES_FILE="/dev/null/traces.jsonl")
        self.assertIn("Not a directory", said)

    def test_a_canary_that_the_backend_does_not_have(self):
        with Receive() as receive:
            address = f"http://127.0.0.1:{receive.port}"
            self.found("canary.not_found", "--query", address, "--query-timeout", "300ms",
                       OTEL_EXPORTER_OTLP_ENDPOINT=address)


class Help(unittest.TestCase):
    def test_has_examples(self):
        self.assertIn(b"Examples:", run("doctor", "--help").stdout)


if __name__ == "__main__":
    unittest.main()
