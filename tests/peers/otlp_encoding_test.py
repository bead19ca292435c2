"""What we send, as the official classes of OpenTelemetry read it: every protocol, every field."""
import base64
import json
import math
import unittest

import peers

peers.use_python()

from google.protobuf import json_format  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service  # noqa: E402  pylint: disable=wrong-import-position
from receiver import Receiver  # noqa: E402  pylint: disable=wrong-import-position

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "00f067aa0ba902b7"
IDS = {"traceId", "spanId", "parentSpanId"}


def ids_in_base64(value):
    """OTLP's JSON writes ids in hex where protobuf's own JSON has base64."""
    if isinstance(value, list):
        return [ids_in_base64(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: base64.b64encode(bytes.fromhex(one)).decode() if name in IDS else ids_in_base64(one)
            for name, one in value.items()}


def plain(value):
    """An AnyValue as Python's own."""
    kind = value.WhichOneof("value")
    return [plain(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)


def attributes(message):
    """Keys are unique: a second one would be lost here, so it is looked for."""
    result = {pair.key: plain(pair.value) for pair in message.attributes}
    assert len(result) == len(message.attributes), "a key twice"
    return result


class Encoding(unittest.TestCase):
    def export(self, **variables):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        grpc = variables.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc"
        endpoint = receiver.grpc_endpoint if grpc else receiver.http_endpoint
        said = peers.run("rich_trace", f"00-{TRACE}-{CALLER}-03", "vendor=x",
                         OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_SERVICE_NAME="rich",
                         OTEL_RESOURCE_ATTRIBUTES="deployment=a%2Cb", OTEL_EXPORTER_OTLP_HEADERS="x-token=s3cr%20et",
                         **variables)
        self.assertIn("exported 5 spans", said)
        self.assertEqual(len(receiver.requests), 1)
        return receiver.requests[0]

    def check(self, message):
        self.assertEqual(len(message.resource_spans), 1)
        resource = attributes(message.resource_spans[0].resource)
        self.assertEqual(resource["service.name"], "rich")
        self.assertEqual(resource["deployment"], "a,b")
        self.assertEqual(resource["telemetry.sdk.language"], "cpp")
        scopes = {spans.scope.name: spans for spans in message.resource_spans[0].scope_spans}
        self.assertEqual(set(scopes), {"peers.rich", "peers.other"})
        self.assertEqual(scopes["peers.rich"].scope.version, "1.2")
        self.assertEqual(scopes["peers.rich"].schema_url, "https://example.org/schema")
        spans = {span.name: span for one in scopes.values() for span in one.spans}
        self.assertEqual(set(spans), {"server", "child 1", "child 3", "child 4", "full"})
        self.check_server(spans["server"])
        self.check_children(spans)
        self.check_full(spans["full"])

    def check_server(self, span):
        self.assertEqual(span.trace_id.hex(), TRACE)
        self.assertEqual(span.parent_span_id.hex(), CALLER)
        self.assertEqual(span.trace_state, "vendor=x")
        self.assertEqual(span.kind, 2)
        self.assertEqual(span.flags, 0x303)
        self.assertGreater(span.start_time_unix_nano, 1_600_000_000 * 10**9)
        self.assertGreaterEqual(span.end_time_unix_nano, span.start_time_unix_nano)
        found = attributes(span)
        self.assertTrue(math.isnan(found.pop("nan")))
        self.assertEqual(found, {
            "text": "x", "empty": "", "yes": True, "no": False, "least": -2**63, "zero": 0, "real": 1e300,
            "infinite": math.inf, "texts": ["a", "", "€"], "flags": [True, False], "integers": [1, -2],
            "reals": [0.5, -1.0], "none": [], "emoji": "\U0001F600", "broken": "a\ufffdz"})
        self.assertEqual([event.name for event in span.events], ["first", "second"])
        self.assertEqual(attributes(span.events[0]), {"n": 1, "text": "é"})
        self.assertGreaterEqual(span.events[0].time_unix_nano, span.start_time_unix_nano)
        link = span.links[0]
        self.assertEqual((len(link.trace_id), len(link.span_id)), (16, 8))
        self.assertEqual((link.trace_state, link.flags, attributes(link)), ("other=1", 0x301, {"why": "batched with"}))
        self.assertEqual((span.status.code, span.dropped_attributes_count), (0, 0))

    def check_children(self, spans):
        server = spans["server"]
        for name, kind, code, said in [("child 1", 1, 0, ""), ("child 3", 3, 2, "it broke"), ("child 4", 4, 1, "")]:
            span = spans[name]
            self.assertEqual(span.parent_span_id, server.span_id)
            self.assertEqual(span.trace_id, server.trace_id)
            self.assertEqual((span.kind, span.flags, span.trace_state), (kind, 0x103, "vendor=x"))
            self.assertEqual((span.status.code, span.status.message), (code, said))
        self.assertEqual(len({span.span_id for span in spans.values()}), len(spans))

    def check_full(self, span):
        self.assertEqual((span.kind, len(span.attributes), len(span.events)), (5, 128, 128))
        self.assertEqual((span.dropped_attributes_count, span.dropped_events_count), (72, 72))

    def test_http_protobuf(self):
        request = self.export(OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
        self.assertEqual(request.via, "/v1/traces")
        self.assertNotIn("content-encoding", request.headers)
        self.assertNotIn("expect", request.headers)
        self.assertRegex(request.headers["user-agent"], r"^spanwire/\S+ OTel-OTLP-Exporter-cpp/\S+$")
        self.assertEqual(request.headers["x-token"], "s3cr et")
        self.check(request.message)

    def test_http_protobuf_with_gzip(self):
        request = self.export(OTEL_EXPORTER_OTLP_COMPRESSION="gzip")
        self.assertEqual(request.headers["content-encoding"], "gzip")
        self.check(request.message)

    def test_http_json(self):
        request = self.export(OTEL_EXPORTER_OTLP_PROTOCOL="http/json")
        self.assertEqual(request.headers["content-type"], "application/json")
        # Strict: a name or a type that OTLP does not have is an error here.
        self.check(json_format.ParseDict(ids_in_base64(json.loads(request.body)), service.ExportTraceServiceRequest()))

    def test_grpc(self):
        request = self.export(OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        self.assertEqual(request.via, "grpc")
        self.assertEqual(request.headers["x-token"], "s3cr et")
        self.check(request.message)

    def test_grpc_with_gzip(self):
        self.check(self.export(OTEL_EXPORTER_OTLP_PROTOCOL="grpc", OTEL_EXPORTER_OTLP_TRACES_COMPRESSION="gzip").message)


if __name__ == "__main__":
    unittest.main()
