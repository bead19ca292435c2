"""SPANWIRE_METRICS_LISTEN: what a process serves is what a scraper reads."""

import re
import unittest
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tool import EchoServer, run

NEEDED = {"SPANWIRE_METRICS_LISTEN": "127.0.0.1:0", "OTEL_LOG_LEVEL": "info"}


def address_of(server):
    """Where it says in its log that metrics are served."""
    for line in server.process.stderr:
        found = re.search(r"metrics are served at=(\S+)/metrics", line.decode())
        if found:
            return found[1]
    raise AssertionError("no line says where")


def get(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


class Metrics(unittest.TestCase):
    def serve(self, **extra):
        server = EchoServer("tcp://127.0.0.1:0", **{**NEEDED, **extra})
        self.addCleanup(server.__exit__)
        return server, address_of(server)

    def test_a_scrape_has_calls_by_path_and_status(self):
        server, url = self.serve()
        for path in ("echo", "echo", "invented"):
            run("call", server.addresses[0], path, "--data", "x")
        kind, text = get(url + "/metrics")
        self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
        families = {family.name: family for family in text_string_to_metric_families(text)}
        family = families["rpc_server_call_duration_seconds"]
        self.assertEqual(family.type, "histogram")
        counts = {(one.labels["rpc_method"], one.labels["rpc_status_code"], one.labels.get("error_type")): one.value
                  for one in family.samples if one.name.endswith("_count")}
        self.assertEqual(counts[("echo", "OK", None)], 2)
        self.assertEqual(counts[("_OTHER", "UNIMPLEMENTED", "UNIMPLEMENTED")], 1)
        self.assertNotIn("invented", text)
        bounds = [one.labels["le"] for one in family.samples
                  if one.name.endswith("_bucket") and one.labels["rpc_method"] == "echo"]
        self.assertEqual([float(bound) for bound in bounds],
                         [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, float("inf")])

    def test_what_alerts_watch_is_there_before_anything_goes_wrong(self):
        """A counter whose first value is not 0 has not increased, as Prometheus sees it."""
        _, url = self.serve(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
        zeros = {one.name for family in text_string_to_metric_families(get(url + "/metrics")[1])
                 for one in family.samples if one.value == 0}
        for name in ("spans_lost_ring_full", "spans_lost_export_failed", "spans_lost_refused", "spans_lost_exporter_full",
                     "refused_traceparent_malformed", "refused_tracestate_too_long"):
            self.assertIn("spanwire_trace_" + name, zeros)
        self.assertIn("spanwire_otlp_spans_rejected", zeros)
        self.assertIn("spanwire_otlp_requests_repeated", zeros)

    def test_openmetrics_leads_from_a_bucket_to_its_trace(self):
        server, url = self.serve(OTEL_TRACES_EXPORTER="none")
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        run("call", server.addresses[0], "echo", "--header", f"traceparent=00-{trace}-00f067aa0ba902b7-01")
        kind, text = get(url + "/metrics", Accept="application/openmetrics-text; version=1.0.0")
        self.assertTrue(kind.startswith("application/openmetrics-text"))
        self.assertRegex(text, r'rpc_server_call_duration_seconds_bucket\{.*\} 1 # \{trace_id="' + trace)

    def test_health_and_what_is_not_there(self):
        _, url = self.serve()
        self.assertEqual(get(url + "/healthz")[1], "ok\n")
        with self.assertRaises(urllib.error.HTTPError) as failed:
            get(url + "/other")
        self.assertEqual(failed.exception.code, 404)

    def test_a_bad_address_is_said_and_costs_nothing_else(self):
        server = EchoServer("tcp://127.0.0.1:0", SPANWIRE_METRICS_LISTEN="nowhere", OTEL_LOG_LEVEL="warn")
        self.addCleanup(server.__exit__)
        self.assertEqual(run("call", server.addresses[0], "echo", "--data", "x").stdout, b"x")
        server.process.terminate()
        said = server.process.communicate(timeout=60)[1].decode()
        self.assertIn("metrics are not served", said)
        self.assertIn("nowhere", said)


if __name__ == "__main__":
    unittest.main()
