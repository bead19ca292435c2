"""Each protocol against a real Jaeger and a real Collector: what they have stored is what we have recorded."""
import json
import pathlib
import secrets
import tempfile
import time
import unittest
import urllib.request

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


def members(value):
    """Of an array of a span: what is inside, as JSON would have it."""
    found = []
    for one in value["arrayValue"].get("values", []):
        (kind, content), = one.items()
        found.append(int(content) if kind == "intValue" else content)
    return found


def kept_by_badger(recorded, stored):
    """What is left in Badger of an (scope, resource, span) that was recorded: arrays are text, and much is gone."""
    scope, about, span = json.loads(json.dumps(recorded))
    for gone in ("flags", "droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"):
        span.pop(gone, None)
    for link in span.get("links", []):
        text = {"key": "opentracing.ref_type", "value": {"stringValue": "follows_from"}}
        link["attributes"] = [text]
        for gone in ("flags", "traceState", "droppedAttributesCount"):
            link.pop(gone, None)
    texts = {pair["key"]: pair["value"].get("stringValue") for pair in stored[2].get("attributes", [])}
    texts.update((key, value.get("stringValue")) for key, value in stored[1].items())
    pairs = [(pair["key"], pair) for pair in span.get("attributes", [])] + \
        [(key, {"value": value}) for key, value in about.items()]
    for key, pair in pairs:
        if "arrayValue" not in pair["value"]:
            continue
        assert json.loads(texts[key]) == members(pair["value"]), (key, texts[key])
        pair["value"] = {"stringValue": texts[key]}
        if key in about:
            about[key] = pair["value"]
    return scope, about, span


def by_key(span):
    """With the attributes of events in an order: Badger has one of its own."""
    for event in span.get("events", []):
        event.get("attributes", []).sort(key=lambda pair: pair["key"])
    return span


class Servers(unittest.TestCase):
    def check(self, server):
        self.addCleanup(server.close)
        for protocol in PROTOCOLS:
            for compression in ("none", "gzip"):
                with self.subTest(protocol=protocol, compression=compression):
                    self.check_one(server, protocol, compression)

    def check_one(self, server, protocol, compression, further=()):
        trace_id = secrets.token_hex(16)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "traces.jsonl"
            peers.run("rich_trace", f"00-{trace_id}-00f067aa0ba902b7-03", "vendor=x", SPANWIRE_TRACES_FILE=file,
                      OTEL_SERVICE_NAME="rich", OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint(protocol),
                      OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_EXPORTER_OTLP_COMPRESSION=compression)
            recorded = spans_of(peers.resource_spans(file))
        self.assertEqual(len(recorded), SPANS)
        for one in (server, *further):
            self.check_stored(spans_of(one.trace(trace_id, SPANS)), recorded, one.kept)

    def check_stored(self, stored, recorded, kept):
        self.assertEqual(set(stored), set(recorded))
        for span_id, whole in recorded.items():
            scope, about, span = kept(whole, stored[span_id]) if kept else whole
            self.assertEqual(stored[span_id][0], scope)
            self.assertEqual(stored[span_id][1], about)
            order = by_key if kept else (lambda one: one)
            self.assertEqual(order(stored[span_id][2]), order(span))

    def test_collector(self):
        self.check(Collector())

    def test_jaeger(self):
        for store in ("memory", "badger"):
            with self.subTest(store=store):
                self.check(Jaeger(store, kept_by_badger if store == "badger" else None))

    def test_collector_in_front_of_jaeger(self):
        jaeger = Jaeger()
        self.addCleanup(jaeger.close)
        for forward in ("grpc", "http/protobuf"):
            collector = Collector(jaeger, forward)
            self.addCleanup(collector.close)
            self.assertEqual(collector.validate()[0], 0, collector.validate()[1])
            for protocol in PROTOCOLS:
                with self.subTest(forward=forward, protocol=protocol):
                    self.check_one(collector, protocol, "none", [jaeger])

    def test_the_collectors_noise_filter_leaves_orphans(self):
        """Why ours works before recording: what the collector drops takes no children along."""
        collector = Collector()
        self.addCleanup(collector.close)
        noise = [("GET /metrics", {}), ("GET", {}), ("scrape", {"http.route": "/metrics"}),
                 ("GET /x", {"url.path": "/metrics"})]
        trace_id, spans = secrets.token_hex(16), []
        for number, (name, attributes) in enumerate([*noise, ("POST", {}), ("GET /v1/models", {})], 1):
            spans.append(self.span(trace_id, number, 0, name, attributes))
            spans.append(self.span(trace_id, 100 + number, number, f"below {name}", {}))
        service = {"key": "service.name", "value": {"stringValue": "noisy"}}
        self.post(collector, [{"resource": {"attributes": [service]}, "scopeSpans": [{"scope": {}, "spans": spans}]}])
        kept = [span for _, _, span in spans_of(collector.trace(trace_id, 8)).values()]
        self.assertEqual({span["name"] for span in kept},
                         {"POST", "GET /v1/models", *(f"below {name}" for name, _ in noise),
                          "below POST", "below GET /v1/models"})
        ids = {span["spanId"] for span in kept}
        self.assertEqual(sum(span.get("parentSpanId", "") not in {"", *ids} for span in kept), len(noise))

    def span(self, trace_id, number, parent, name, attributes):
        now = time.time_ns()
        return {"traceId": trace_id, "spanId": f"{number:016x}", "parentSpanId": f"{parent:016x}" if parent else "",
                "name": name, "kind": 2, "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1000),
                "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]}

    def post(self, server, resources):
        request = urllib.request.Request(server.endpoint("http/json") + "/v1/traces",
                                         json.dumps({"resourceSpans": resources}).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=peers.TIMEOUT) as answer:
            self.assertEqual(answer.status, 200)


if __name__ == "__main__":
    unittest.main()
