"""One request is one tree over all processes, whoever began it."""
import sys
import unittest

sys.dont_write_bytecode = True
from cluster import Cluster, edges, orphans  # noqa: E402

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
ROOT = "POST /v1/chat/completions"

# child, its parent: service and name of both, of threads the label
DISAGGREGATED = {
    ("frontend", ROOT, "", ""),
    ("frontend", "frontend Req", "frontend", ROOT),
    ("frontend", "tokenizer", "frontend", "frontend Req"),
    ("frontend", "tokenize", "frontend", "tokenizer"),
    ("frontend", "api_server_dispatch", "frontend", "tokenizer"),
    ("frontend", "kv_find_best_match", "frontend", "frontend Req"),
    ("frontend", "prefill_routing", "frontend", "frontend Req"),
    ("frontend", "llm/prefill/generate", "frontend", "prefill_routing"),
    ("prefill", "llm/prefill/generate", "frontend", "llm/prefill/generate"),
    ("prefill", "scheduler", "prefill", "llm/prefill/generate"),
    ("prefill", "prefill_waiting", "prefill", "scheduler"),
    ("prefill", "prefill_forward", "prefill", "scheduler"),
    ("prefill", "tp_worker [TP 0]", "prefill", "llm/prefill/generate"),
    ("prefill", "tp_worker [TP 1]", "prefill", "llm/prefill/generate"),
    ("prefill", "prefill_forward", "prefill", "tp_worker [TP 0]"),
    ("prefill", "prefill_forward", "prefill", "tp_worker [TP 1]"),
    ("prefill", "llm/decode/receive_state", "prefill", "llm/prefill/generate"),
    ("decode", "llm/decode/receive_state", "prefill", "llm/decode/receive_state"),
    ("frontend", "llm/decode/generate", "frontend", "frontend Req"),
    ("decode", "llm/decode/generate", "frontend", "llm/decode/generate"),
    ("decode", "scheduler", "decode", "llm/decode/generate"),
    ("decode", "decode_waiting", "decode", "scheduler"),
    ("decode", "decode_loop", "decode", "scheduler"),
    ("decode", "tp_worker [TP 0]", "decode", "llm/decode/generate"),
    ("decode", "tp_worker [TP 1]", "decode", "llm/decode/generate"),
    ("decode", "decode_forward", "decode", "tp_worker [TP 0]"),
    ("decode", "decode_forward", "decode", "tp_worker [TP 1]"),
    ("decode", "llm/detokenize", "decode", "llm/decode/generate"),
    ("decode", "llm/detokenize", "decode", "llm/detokenize"),
    ("decode", "detokenizer", "decode", "llm/decode/generate"),
    ("decode", "detokenize", "decode", "detokenizer"),
}
SOMETIMES = {("decode", "decode_transferred", "decode", "scheduler")}


def trace_of(stream):
    return stream.headers["traceresponse"].split("-")[1]


class Traces(unittest.TestCase):
    def test_one_request_is_one_tree_over_all_processes(self):
        with Cluster(decode=2) as cluster:
            stream = cluster.stream(max_tokens=10)
            trace = trace_of(stream)
            stream.text()
            cluster.stop()
            spans = [span for span in cluster.spans() if span["trace"] == trace]
        self.assertEqual(orphans(spans), [])
        self.assertEqual(edges(spans) - SOMETIMES, DISAGGREGATED)
        self.check_links(spans)
        self.assertEqual(len({span["instance"] for span in spans}), 3)
        root = next(span for span in spans if span["name"] == ROOT)
        self.assertEqual(root["attributes"]["http.response.status_code"], 200)
        self.assertEqual(root["attributes"]["request.outcome"], "success")
        self.assertIn("first token", root["events"])
        worker = next(span for span in spans
                      if span["service"] == "decode" and span["name"] == "llm/decode/generate")
        self.assertEqual(worker["attributes"]["gen_ai.usage.output_tokens"],
                         root["attributes"]["gen_ai.usage.output_tokens"])
        steps = [span for span in spans if span["name"] == "decode_loop"]
        self.assertEqual(len(steps), worker["attributes"]["serving.steps"])
        self.assertEqual({step["attributes"]["batch.size"] for step in steps}, {1})
        self.assertGreater(steps[0]["attributes"]["kv.blocks_in_use"], 0)

    def check_links(self, spans):
        """From slice to slice: on over threads and processes, and never to another trace."""
        by_id = {span["id"]: span for span in spans}
        found = {(span["name"], by_id[link]["name"]) for span in spans for link in span["links"]}
        first = "decode_transferred" if ("decode_transferred", "decode_waiting") in found else "decode_waiting"
        self.assertLessEqual({
            ("api_server_dispatch", "tokenize"), ("prefill_waiting", "api_server_dispatch"),
            ("prefill_forward", "prefill_waiting"), ("decode_waiting", "api_server_dispatch"),
            ("decode_loop", first), ("decode_loop", "decode_loop"), ("decode_forward", first),
            ("decode_forward", "decode_forward"), ("detokenize", first), ("detokenize", "detokenize")}, found)

    def test_every_request_is_whole_also_when_some_fail_or_vanish(self):
        with Cluster(decode=2, worker=["--step-ms=5"]) as cluster:
            for n in range(6):
                cluster.chat(text=f"{n}?", max_tokens=5)
            cluster.chat(text="long " * 30000)
            streams = [cluster.stream(text=f"{n}?", max_tokens=4096, ignore_eos=True) for n in range(4)]
            for stream in streams:
                stream.close()
            cluster.until("all are given up", lambda health: health["in_flight"] == 0)
            cluster.stop()
            spans = cluster.spans()
        self.assertEqual(orphans(spans), [])
        self.assertEqual(sum(span["name"] == ROOT for span in spans), 11)

    def test_a_clients_trace_goes_on(self):
        with Cluster() as cluster:
            headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=opaque"}
            stream = cluster.stream(headers, max_tokens=3)
            self.assertEqual(trace_of(stream), TRACE)
            stream.text()
            cluster.stop()
            spans = [span for span in cluster.spans() if span["trace"] == TRACE]
        self.assertEqual(orphans(spans, [PARENT]), [])
        self.assertEqual([span["name"] for span in spans if span["parent"] == PARENT], [ROOT])
        self.assertEqual({span["service"] for span in spans}, {"frontend", "prefill", "decode"})

    def test_a_client_that_does_not_sample_is_not_recorded_anywhere(self):
        with Cluster() as cluster:
            stream = cluster.stream({"traceparent": f"00-{TRACE}-{PARENT}-00"}, max_tokens=3)
            self.assertTrue(stream.headers["traceresponse"].endswith("-00"))
            stream.text()
            cluster.stop()
            self.assertEqual([span["name"] for span in cluster.spans() if span["trace"] == TRACE], [])

    def test_a_bad_traceparent_is_a_new_root_and_no_error(self):
        bad = ["", "xx", f"00-{TRACE}-{PARENT}", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01"]
        with Cluster() as cluster:
            traces = []
            for value in bad:
                stream = cluster.stream({"traceparent": value}, max_tokens=2)
                self.assertEqual(stream.status, 200)
                traces.append(trace_of(stream))
                stream.text()
            self.assertNotIn(TRACE, traces)
            self.assertEqual(len(set(traces)), len(bad))
            cluster.stop()
            self.assertEqual(orphans(cluster.spans()), [])

    def test_one_worker_for_both_phases(self):
        with Cluster(prefill=0) as cluster:
            cluster.stream(max_tokens=5).text()
            cluster.stop()
            spans = [span for span in cluster.spans() if span["name"] != "llm/worker/info"]
        self.assertEqual(orphans(spans), [])
        self.assertEqual({span["service"] for span in spans}, {"frontend", "worker"})
        self.assertLess({("worker", "scheduler", "worker", "llm/decode/generate"),
                         ("worker", "prefill_waiting", "worker", "scheduler"),
                         ("worker", "prefill_forward", "worker", "scheduler"),
                         ("worker", "prefill_forward", "worker", "tp_worker [TP 1]"),
                         ("worker", "decode_loop", "worker", "scheduler")}, edges(spans))


class Routing(unittest.TestCase):
    def test_the_longest_known_prefix_decides(self):
        long = "{}. " + "What is a trace? " * 40
        with Cluster(decode=2) as cluster:
            for n in (1, 2):
                cluster.stream(text=long.format(n), max_tokens=3).text()
            for n in (1, 2):
                _, answer = cluster.chat(text=long.format(n) + "And then?", max_tokens=3)
                self.assertGreater(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 50)
            cluster.stop()
            spans = cluster.spans()
        matches = [span["attributes"] for span in spans if span["name"] == "kv_find_best_match"]
        self.assertEqual([match["kv.matched_blocks"] > 0 for match in matches], [False, False, True, True])
        workers = [match["serving.worker"] for match in matches]
        self.assertNotEqual(workers[0], workers[1])
        self.assertEqual(workers[:2], workers[2:])


if __name__ == "__main__":
    unittest.main()
