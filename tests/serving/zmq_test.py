"""The same answers and the same tree over ZeroMQ as over TCP: frontend to workers, scheduler to detokenizer."""
import collections
import sys
import unittest

sys.dont_write_bytecode = True
from cluster import Cluster, orphans  # noqa: E402

QUESTIONS = ("What is a trace?", "How does a call end?", "And then?")
# A state that comes after there is room for it is waited for: the threads decide.
RACED = {"decode_transferred": "decode_waiting"}


def shape(spans):
    """The tree, without times: {(names from the root down, the name behind the link): how often}."""
    by_id = {span["id"]: span for span in spans}

    def path(span):
        above = by_id.get(span["parent"])
        return (*path(above), span["name"]) if above else (span["name"],)

    def linked(span):
        names = [by_id[link]["name"] for link in span["links"]]
        return tuple(RACED.get(name, name) for name in names)

    return collections.Counter((path(span), linked(span)) for span in spans if span["name"] not in RACED)


class OverZeroMq(unittest.TestCase):
    def run_on(self, **how):
        """Answers, the shape of each request's tree, and the addresses that workers were called at."""
        with Cluster(worker=["--blocks=64"], **how) as cluster:
            answers, traces = [], []
            for question in QUESTIONS:
                stream = cluster.stream(text=question, max_tokens=20)
                traces.append(stream.headers["traceresponse"].split("-")[1])
                answers.append(stream.text())
            health = cluster.health()
            cluster.stop()
            spans = cluster.spans()
        self.assertEqual(orphans(spans), [])
        trees = [shape([span for span in spans if span["trace"] == trace]) for trace in traces]
        return answers, trees, [worker["address"] for worker in health["workers"]]

    def compare(self, **how):
        answers, trees, addresses = self.run_on(**how)
        over_zmq = self.run_on(zmq=True, **how)
        self.assertEqual(over_zmq[0], answers)
        self.assertEqual(over_zmq[1], trees)
        self.assertTrue(all(address.startswith("tcp://") for address in addresses), addresses)
        self.assertTrue(all(address.startswith("zmq+tcp://") for address in over_zmq[2]), over_zmq[2])

    def test_with_a_prefill_worker(self):
        self.compare(decode=1)

    def test_with_one_worker_for_both_phases(self):
        self.compare(decode=1, prefill=0)


if __name__ == "__main__":
    unittest.main()
