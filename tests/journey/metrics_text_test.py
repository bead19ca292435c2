"""Prometheus's own parsers read the text of the metrics, in both formats, and find in it what was counted."""
import os
import pathlib
import subprocess
import unittest

from prometheus_client import parser as prometheus
from prometheus_client.openmetrics import parser as openmetrics

PROGRAM = pathlib.Path(os.environ["SPANWIRE_BINARY_DIR"]) / "tests/tests_journey"
ROUTE = '/v1/chat "quoted\\" %0A'


def text(accept):
    """(content type, text) that the library writes for this Accept field."""
    done = subprocess.run(
        [PROGRAM, "--gtest_also_run_disabled_tests",
         "--gtest_filter=MetricsText.DISABLED_WritesNumbersOfRequests"],
        env={**os.environ, "METRICS_FORMAT": accept}, capture_output=True, text=True, check=True)
    begin = done.stdout.index("BEGIN ")
    head, body = done.stdout[begin:].split("\n", 1)
    return head.removeprefix("BEGIN "), body[:body.index("END\n")]


class Text(unittest.TestCase):
    def check_histogram(self, family, labels, count, total):
        samples = [s for s in family.samples if labels.items() <= s.labels.items()]
        buckets = [s for s in samples if s.name == family.name + "_bucket"]
        self.assertEqual(buckets[-1].labels["le"], "+Inf")
        bounds = [float(s.labels["le"]) for s in buckets]
        self.assertEqual(bounds, sorted(set(bounds)))
        self.assertEqual([s.value for s in buckets], sorted(s.value for s in buckets))
        self.assertEqual(buckets[-1].value, count)
        values = {s.name: s.value for s in samples}
        self.assertEqual(values[family.name + "_count"], count)
        self.assertAlmostEqual(values[family.name + "_sum"], total, places=9)
        return buckets

    def families(self, parse, body):
        families = list(parse.text_string_to_metric_families(body))
        names = [family.name for family in families]
        self.assertEqual(len(names), len(set(names)), "no family stands twice")
        return {family.name: family for family in families}

    def check_common(self, families):
        labels = {"model_name": "m", "route": ROUTE}
        self.assertEqual(families["sglang:prompt_tokens"].type, "counter")
        self.assertEqual([s.value for s in families["sglang:prompt_tokens"].samples
                          if s.labels == labels and s.name.endswith("_total")], [12.0])
        self.check_histogram(families["vllm:request_queue_time_seconds"], labels, 1, 0.03)
        self.check_histogram(families["sglang:inter_token_latency_seconds"], labels, 2, 0.11)
        self.check_histogram(families["sglang:num_retractions"], labels, 1, 1)
        self.assertEqual(families["test_plain_counter"].samples[0].value, 5.0)

    def test_prometheus_text(self):
        kind, body = text("text/plain")
        self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
        self.check_common(self.families(prometheus, body))
        self.assertNotIn(" # {", body, "no exemplars: this format has none")

    def test_openmetrics_with_exemplars(self):
        kind, body = text("application/openmetrics-text;version=1.0.0")
        self.assertEqual(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        families = self.families(openmetrics, body)
        self.check_common(families)
        family = families["gen_ai_server_time_to_first_token_seconds"]
        self.assertEqual(family.unit, "seconds")
        buckets = self.check_histogram(
            family, {"gen_ai_request_model": "m", "route": ROUTE}, 1, 0.14)
        exemplars = [s.exemplar for s in buckets if s.exemplar is not None]
        self.assertEqual(len(exemplars), 1)
        self.assertEqual(len(exemplars[0].labels["trace_id"]), 32)
        self.assertEqual(len(exemplars[0].labels["span_id"]), 16)
        self.assertEqual(exemplars[0].value, 0.14)
        self.assertGreater(float(exemplars[0].timestamp), 0)


if __name__ == "__main__":
    unittest.main()
