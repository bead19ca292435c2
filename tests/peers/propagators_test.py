"""B3 and Jaeger's form of a context between Python's OpenTelemetry and ours: what either writes, the other reads."""
import json
import pathlib
import tempfile
import unittest

import peers

peers.use_python()

from opentelemetry import baggage, trace  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.propagators.jaeger import JaegerPropagator  # noqa: E402  pylint: disable=wrong-import-position
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags  # noqa: E402  pylint: disable=wrong-import-position

TRACE = 0x0123456789ABCDEF0123456789ABCDEF
SPAN = 0x00F067AA0BA902B7
FORMS = {"b3": B3SingleFormat(), "b3multi": B3MultiFormat(), "jaeger": JaegerPropagator()}


def python_context(sampled, members=()):
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else 0)
    context = trace.set_span_in_context(NonRecordingSpan(SpanContext(TRACE, SPAN, False, flags)))
    for key, value in members:
        context = baggage.set_baggage(key, value, context)
    return context


def hop(headers, form):
    """(what ours sends on, {name: span}) for a request with these headers."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "traces.jsonl")
        out = json.loads(peers.run("hop", json.dumps(headers), OTEL_PROPAGATORS=form, SPANWIRE_TRACES_FILE=file))
        return out, {span["name"]: span for span in peers.spans(file)} if file.exists() else {}


def lower(headers):
    """As HTTP carries them: names have no case."""
    return {name.lower(): value for name, value in headers.items()}


class Propagators(unittest.TestCase):
    def test_from_python_through_ours_to_python(self):
        for form, propagator in FORMS.items():
            for sampled in (True, False):
                with self.subTest(form, sampled=sampled):
                    sent = {}
                    propagator.inject(sent, python_context(sampled))
                    out, spans = hop(sent, form)
                    read = trace.get_current_span(propagator.extract(lower(out))).get_span_context()
                    self.assertTrue(read.is_valid)
                    self.assertEqual((read.trace_id, bool(read.trace_flags.sampled)), (TRACE, sampled))
                    self.assertEqual(set(spans), {"served", "called"} if sampled else set())
                    if sampled:
                        self.assertEqual(spans["served"]["traceId"], f"{TRACE:032x}")
                        self.assertEqual(spans["served"]["parentSpanId"], f"{SPAN:016x}")
                        self.assertEqual(spans["called"]["spanId"], f"{read.span_id:016x}")
                        self.assertEqual(spans["served"]["flags"] & 0xFF, 1)

    def test_each_writes_the_fields_that_the_other_writes(self):
        for form, propagator in FORMS.items():
            with self.subTest(form):
                sent = {}
                propagator.inject(sent, python_context(True))
                self.assertEqual(set(hop(sent, form)[0]), set(lower(sent)))

    def test_a_trace_id_of_64_bits(self):
        for form, headers in (("b3", {"b3": f"{SPAN:016x}-{SPAN:016x}-1"}),
                              ("jaeger", {"uber-trace-id": f"{SPAN:x}:{SPAN:x}:0:1"})):
            with self.subTest(form):
                expected = trace.get_current_span(FORMS[form].extract(headers)).get_span_context()
                out, spans = hop(headers, form)
                read = trace.get_current_span(FORMS[form].extract(out)).get_span_context()
                self.assertEqual(read.trace_id, expected.trace_id)
                self.assertEqual(spans["served"]["parentSpanId"], f"{expected.span_id:016x}")

    def test_baggage_of_jaeger(self):
        members = [("user", "a+b c,d=é"), ("tenant", "7")]
        sent = {}
        FORMS["jaeger"].inject(sent, python_context(True, members))
        self.assertIn("uberctx-user", sent)
        out, _ = hop(sent, "jaeger")
        self.assertEqual(dict(baggage.get_all(FORMS["jaeger"].extract(out))), dict(members))
        # And between the forms: ours takes Jaeger's and writes W3C's too.
        both, _ = hop(sent, "tracecontext,baggage,jaeger")
        self.assertIn("tenant=7", both["baggage"].split(","))

    def test_debug_goes_on_as_it_came(self):
        ids = f"{TRACE:032x}-{SPAN:016x}"
        multi = {"x-b3-traceid": f"{TRACE:032x}", "x-b3-spanid": f"{SPAN:016x}", "x-b3-flags": "1"}
        for form, headers in (("b3", {"b3": f"{ids}-d"}), ("b3multi", multi),
                              ("jaeger", {"uber-trace-id": f"{TRACE:x}:{SPAN:x}:0:3"})):
            with self.subTest(form):
                out, spans = hop(headers, form)
                self.assertEqual(set(out), set(headers))
                self.assertEqual(spans["served"]["flags"] & 0xFF, 1)
                read = trace.get_current_span(FORMS[form].extract(out)).get_span_context()
                self.assertTrue(read.trace_flags.sampled)
                if form == "b3":
                    self.assertTrue(out["b3"].endswith("-d"), out)
                elif form == "b3multi":
                    self.assertEqual(out["x-b3-flags"], "1")
                else:
                    self.assertTrue(out["uber-trace-id"].endswith(":03"), out)


if __name__ == "__main__":
    unittest.main()
