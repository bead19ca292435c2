"""Each protocol against a real Jaeger and a real Collector: what they have stored is what we have recorded."""
import json
import os
import pathlib
import secrets
import tempfile
import unittest

import peers

peers.use_python()

from servers import Collector, Jaeger  # noqa: E402  pylint: disable=wrong-import-position

PROTOCOLS = ("http/protobuf", "http/json", "grpc")
SPANS = 5


def plain(value):
    """Without what is at its default, which one writer leaves out and another does not; numbers as numbers."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    result = {name: plain(one) for name, one in value.items()}
    return {name: one for name, one in result.items()
            if one not in ({}, []) or name in ("arrayValue", "value") or name.endswith("Value")}


def spans_of(resources):
    """{span id: (scope's name and version, resource's attributes, span)}"""
    found = {}
    for resource in resources:
        about = {pair["key"]: pair["value"] for pair in resource["resource"]["attributes"]}
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                assert span["spanId"] not in found, "a span twice"
                found[span["spanId"]] = (scope["scope"], about, empty_arrays(plain(span)))
    return found


def empty_arrays(span):
    """An array without elements has no "values" with some."""
    for pair in span.get("attributes", []):
        if pair["value"].get("arrayValue") == {"values": []}:
            pair["value"]["arrayValue"] = {}
    return span


class Servers(unittest.TestCase):
    def check(self, server):
        self.addCleanup(server.close)
        for protocol in PROTOCOLS:
            for compression in ("none", "gzip"):
                with self.subTest(protocol=protocol, compression=compression):
                    self.check_one(server, protocol, compression)

    def check_one(self, server, protocol, compression):
        trace_id = secrets.token_hex(16)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "traces.jsonl"
            peers.run("rich_trace", f"00-{trace_id}-00f067aa0ba902b7-03", "vendor=x", SPANWIRE_TRACES_FILE=file,
                      OTEL_SERVICE_NAME="rich", OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint(protocol),
                      OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_EXPORTER_OTLP_COMPRESSION=compression)
            recorded = spans_of(json.loads(file.read_text())["resourceSpans"])
        stored = spans_of(server.trace(trace_id, SPANS))
        self.assertEqual(len(recorded), SPANS)
        self.assertEqual(set(stored), set(recorded))
        for span_id, (scope, about, span) in recorded.items():
            self.assertEqual(stored[span_id][0], scope)
            self.assertEqual(stored[span_id][1], about)
            self.assertEqual(stored[span_id][2], span)

    @unittest.skipUnless("SPANWIRE_PEER_COLLECTOR" in os.environ, "scripts/peers collector makes it")
    def test_collector(self):
        self.check(Collector())

    def test_jaeger(self):
        self.check(Jaeger())


if __name__ == "__main__":
    unittest.main()
