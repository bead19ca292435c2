"""Python's OpenTelemetry before and behind a hop of ours: one tree, exported by all of them to one receiver."""
import json
import unittest

import peers

peers.use_python()

from opentelemetry import trace  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.sdk.resources import Resource  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: E402  pylint: disable=wrong-import-position
from receiver import Receiver  # noqa: E402  pylint: disable=wrong-import-position


class Hop(unittest.TestCase):
    def test_one_tree(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        provider = TracerProvider(resource=Resource({"service.name": "python"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(receiver.http_endpoint + "/v1/traces")))
        tracer = provider.get_tracer("peers")
        propagator = TraceContextTextMapPropagator()
        with tracer.start_as_current_span("upstream"):
            sent = {}
            propagator.inject(sent)
            passed_on = self.hop(sent, receiver)
        context = propagator.extract(passed_on)
        self.assertTrue(trace.get_current_span(context).get_span_context().is_remote)
        with tracer.start_as_current_span("downstream", context=context):
            pass
        provider.shutdown()
        self.check({span.name: (service, span) for service, span in self.spans(receiver)})

    def hop(self, headers, receiver):
        """Hands the headers to ours as a server would get them; what it sends on comes back."""
        return json.loads(peers.run("hop", json.dumps(headers), OTEL_SERVICE_NAME="spanwire",
                                    OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http_endpoint))

    @staticmethod
    def spans(receiver):
        for request in receiver.requests:
            for resource in request.message.resource_spans:
                names = [pair.value.string_value for pair in resource.resource.attributes if pair.key == "service.name"]
                for scope in resource.scope_spans:
                    yield from ((names[0], span) for span in scope.spans)

    def check(self, spans):
        self.assertEqual({name: service for name, (service, _) in spans.items()},
                         {"upstream": "python", "served": "spanwire", "called": "spanwire", "downstream": "python"})
        chain = [spans[name][1] for name in ("upstream", "served", "called", "downstream")]
        self.assertEqual(len({span.trace_id for span in chain}), 1)
        for above, below in zip(chain, chain[1:]):
            self.assertEqual(below.parent_span_id, above.span_id)
        self.assertEqual(chain[0].parent_span_id, b"")
        # Whether the trace id is random (0x2) is for its maker to say: newer ones do.
        self.assertEqual([spans[name][1].flags & ~0x2 for name in ("served", "called")], [0x301, 0x101])


if __name__ == "__main__":
    unittest.main()
