"""spanwire receive as a backend of OpenTelemetry for Python, of gRPC's own client, and of our exporter."""
import os
import pathlib
import re
import secrets
import signal
import subprocess
import tempfile
import unittest

import peers

peers.use_python()

import grpc  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as ByGrpc  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as ByHttp  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.sdk.resources import Resource  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: E402  pylint: disable=wrong-import-position
from otlp_servers_test import PROTOCOLS, SPANS, spans_of  # noqa: E402  pylint: disable=wrong-import-position
from servers import Collector  # noqa: E402  pylint: disable=wrong-import-position

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Receive:
    def __init__(self, case, *options):
        folder = tempfile.TemporaryDirectory()
        case.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.process = subprocess.Popen(
            [os.environ["SPANWIRE_TOOL"], "receive", "--grpc-port", "0", "--http-port", "0", "--output", folder.name,
             "--settle", "50ms", *options],
            env=peers.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        case.addCleanup(self.end)
        said = "".join(self.process.stdout.readline() for _ in range(3))
        self.ports = {name: re.search(rf":(\d+) for OTLP over {name}", said)[1] for name in ("gRPC", "HTTP")}

    def endpoint(self, protocol):
        return f"http://127.0.0.1:{self.ports['gRPC' if protocol == 'grpc' else 'HTTP']}"

    def resources(self, trace_id):
        return [one for one in peers.resource_spans(self.folder / "traces.jsonl")
                if any(span["traceId"] == trace_id for scope in one["scopeSpans"] for span in scope["spans"])]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=peers.TIMEOUT)
        return self.process.returncode, out

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


class OurExporter(unittest.TestCase):
    def test_each_protocol_arrives_whole(self):
        receive = Receive(self)
        for protocol in PROTOCOLS:
            for compression in ("none", "gzip"):
                with self.subTest(protocol=protocol, compression=compression):
                    trace_id = secrets.token_hex(16)
                    file = receive.folder / "recorded.jsonl"
                    peers.run("rich_trace", f"00-{trace_id}-00f067aa0ba902b7-03", "vendor=x",
                              SPANWIRE_TRACES_FILE=file, OTEL_SERVICE_NAME="rich",
                              OTEL_EXPORTER_OTLP_ENDPOINT=receive.endpoint(protocol),
                              OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_EXPORTER_OTLP_COMPRESSION=compression)
                    recorded = spans_of(peers.resource_spans(file))
                    file.unlink()
                    self.assertEqual(spans_of(receive.resources(trace_id)), recorded)
        code, out = receive.stop()
        self.assertEqual(code, 0)
        # Of each trace one or two requests: a batch may end between its spans.
        self.assertRegex(out, rf"\n\d+ requests, {6 * SPANS} spans, 6 traces\n")


class BehindACollector(unittest.TestCase):
    def test_what_a_collector_forwards_is_what_was_recorded(self):
        """It packs with gzip of its own accord."""
        for forward in ("grpc", "http/protobuf"):
            with self.subTest(forward):
                receive = Receive(self)
                collector = Collector(receive, forward)
                trace_id, recorded = secrets.token_hex(16), receive.folder / "recorded.jsonl"
                try:
                    peers.run("rich_trace", f"00-{trace_id}-00f067aa0ba902b7-03", "vendor=x",
                              SPANWIRE_TRACES_FILE=recorded, OTEL_SERVICE_NAME="rich",
                              OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint("grpc"), OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
                finally:
                    collector.close()  # it hands on what it has
                self.assertEqual(receive.stop()[0], 0)
                received = spans_of(receive.resources(trace_id))
                self.assertEqual(len(received), SPANS)
                self.assertEqual(received, spans_of(peers.resource_spans(recorded)))


class PythonOpenTelemetry(unittest.TestCase):
    def test_exports_into_it_and_its_tree_is_shown(self):
        for name, make in [
                ("grpc", lambda at: ByGrpc(endpoint=at, insecure=True)),
                ("grpc, gzip", lambda at: ByGrpc(endpoint=at, insecure=True, compression=grpc.Compression.Gzip)),
                ("http", lambda at: ByHttp(endpoint=at + "/v1/traces")),
                ("http, gzip", lambda at: ByHttp(endpoint=at + "/v1/traces", compression=Compression.Gzip))]:
            with self.subTest(name):
                receive = Receive(self, "--verify")
                provider = TracerProvider(resource=Resource.create({"service.name": "python"}))
                exporter = make(receive.endpoint("grpc" if "grpc" in name else "http"))
                provider.add_span_processor(BatchSpanProcessor(exporter))
                tracer = provider.get_tracer("t")
                with tracer.start_as_current_span("outer", attributes={"n": 1, "list": [True, False], "real": 0.5}):
                    with tracer.start_as_current_span("inner") as inner:
                        inner.add_event("happened", {"why": "é"})
                provider.shutdown()
                code, out = receive.stop()
                self.assertEqual(code, 0, out)
                self.assertIn("1 request, 2 spans, 1 trace; verify: 1 of 1 pass\n", out)
                self.assertRegex(out, r"outer[\s\S]*inner")


class GrpcClient(unittest.TestCase):
    def setUp(self):
        self.receive = Receive(self, "--body-max", "64k", "--quiet")
        self.channel = grpc.insecure_channel(self.receive.endpoint("grpc").removeprefix("http://"))
        self.addCleanup(self.channel.close)

    def call(self, body, method=EXPORT, **options):
        """(status code, what was said, the answer)"""
        try:
            answer = self.channel.unary_unary(method)(body, timeout=peers.TIMEOUT, wait_for_ready=True, **options)
            return grpc.StatusCode.OK, "", service.ExportTraceServiceResponse.FromString(answer)
        except grpc.RpcError as error:
            return error.code(), error.details(), None

    def test_what_is_broken_is_named(self):
        whole = service.ExportTraceServiceRequest()
        span = whole.resource_spans.add().scope_spans.add().spans.add()
        span.trace_id, span.span_id, span.name, span.start_time_unix_nano = b"t" * 16, b"s" * 8, "one", 10**18
        body, code = whole.SerializeToString(), grpc.StatusCode
        for name, sent, method, wanted, said in [
                ("good", body, EXPORT, code.OK, ""),
                ("empty", b"", EXPORT, code.OK, ""),
                ("cut off", body[:-2], EXPORT, code.INVALID_ARGUMENT, "cut off"),
                ("not protobuf", b"\xff" * 9, EXPORT, code.INVALID_ARGUMENT, ""),
                ("too large", b"x" * 100_000, EXPORT, code.RESOURCE_EXHAUSTED, "65536"),
                ("metrics", body, EXPORT.replace("trace", "metrics"), code.UNIMPLEMENTED, "traces alone"),
                ("health", b"", "/grpc.health.v1.Health/Check", code.UNIMPLEMENTED, "no method")]:
            with self.subTest(name):
                got, details, _ = self.call(sent, method)
                self.assertEqual(got, wanted, details)
                self.assertIn(said, details)
        self.assertEqual(self.receive.stop()[0], 0)

    def test_packed_beyond_the_bound_is_refused(self):
        got, details, _ = self.call(b"\0" * 10_000_000, compression=grpc.Compression.Gzip)
        self.assertEqual(got, grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertIn("larger than max", details)
        got, details, _ = self.call(b"\0" * 1000, compression=grpc.Compression.Deflate)
        self.assertEqual(got, grpc.StatusCode.UNIMPLEMENTED)
        self.assertIn("gzip or none", details)

    def test_spans_without_ids_are_partly_refused(self):
        request = service.ExportTraceServiceRequest()
        spans = request.resource_spans.add().scope_spans.add().spans
        for ids in (b"t" * 16, b"s" * 8), (b"", b"s" * 8), (b"t" * 16, b"short"):
            span = spans.add()
            span.trace_id, span.span_id, span.start_time_unix_nano = *ids, 10**18
        got, _, answer = self.call(request.SerializeToString())
        self.assertEqual(got, grpc.StatusCode.OK)
        self.assertEqual(answer.partial_success.rejected_spans, 2)
        self.assertIn("traceId", answer.partial_success.error_message)

    def test_many_calls_at_one_time(self):
        export = self.channel.unary_unary(EXPORT)
        calls = []
        for number in range(1, 501):
            request = service.ExportTraceServiceRequest()
            span = request.resource_spans.add().scope_spans.add().spans.add()
            span.trace_id, span.span_id, span.start_time_unix_nano = number.to_bytes(16, "big"), b"s" * 8, 10**18
            span.name = "x" * 20_000
            calls.append(export.future(request.SerializeToString(), timeout=peers.TIMEOUT))
        for call in calls:
            call.result()
        code, out = self.receive.stop()
        self.assertEqual(code, 0)
        self.assertIn("500 requests, 500 spans, 500 traces", out)


if __name__ == "__main__":
    unittest.main()
