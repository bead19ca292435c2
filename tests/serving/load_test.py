"""Many clients at once, clients that vanish, workers that die, memory that runs out."""
import collections
import concurrent.futures
import json
import sys
import unittest

sys.dont_write_bytecode = True
from cluster import Cluster, body  # noqa: E402

STREAMS = 200
FOR_EVER = {"worker": ["--step-ms=50", "--batch=512", "--blocks=8192"]}  # with 4,096 tokens: minutes


# A worker that does not answer in time has no numbers.
def idle(health):
    return health["in_flight"] == 0 and all(w.get("running", 1) + w.get("waiting", 1) == 0 for w in health["workers"])


def cancelled(health):
    return sum(worker.get("cancelled", 0) for worker in health["workers"] if worker["role"] != "prefill")


class Load(unittest.TestCase):
    def test_two_hundred_streams_at_once_each_get_their_own_answer(self):
        questions = [f"{n % 7}. What is a {word}?" for n, word in
                     zip(range(STREAMS), ["trace", "call", "stream", "deadline", "handler"] * STREAMS)]
        with Cluster(decode=2) as cluster:
            expected = {question: cluster.stream(text=question, max_tokens=12).text() for question in set(questions)}
            with concurrent.futures.ThreadPoolExecutor(STREAMS) as pool:
                answers = list(pool.map(lambda q: cluster.stream(text=q, max_tokens=12).text(), questions))
            self.assertEqual(answers, [expected[question] for question in questions])
            self.assertEqual(cluster.until("idle", idle)["refused"], 0)

    # Steps so long that all are there before one of them can have come to the end of its text.
    def test_two_hundred_streams_run_at_once(self):
        slow = ["--step-ms=2000", "--batch=512", "--blocks=8192"]
        with Cluster(decode=2, frontend=[f"--requests={STREAMS}"], worker=slow) as cluster:
            with concurrent.futures.ThreadPoolExecutor(STREAMS) as pool:
                streams = list(pool.map(
                    lambda n: cluster.stream(text=f"{n}?", max_tokens=4096, ignore_eos=True), range(STREAMS)))
            self.assertEqual({stream.status for stream in streams}, {200})
            self.assertEqual(cluster.health()["in_flight"], STREAMS)
            for stream in streams:
                stream.close()
            cluster.until("idle", idle)

    # The places are held by answers that do not end, so that nothing depends on who is faster.
    def test_beyond_its_limit_it_answers_503_and_recovers(self):
        with Cluster(frontend=["--requests=3"], **FOR_EVER) as cluster:
            streams = [cluster.stream(text=f"{n}?", max_tokens=4096, ignore_eos=True) for n in range(3)]
            self.assertEqual([stream.status for stream in streams], [200] * 3)
            for _ in range(2):
                status, headers, text = cluster.request("POST", "/v1/chat/completions", json.dumps(body()))
                self.assertEqual(status, 503)
                self.assertEqual(headers["Retry-After"], "1")
                self.assertEqual(json.loads(text)["error"]["type"], "overloaded_error")
            self.assertEqual(cluster.health()["refused"], 2)
            for stream in streams:
                stream.close()
            cluster.until("idle", idle)
            self.assertEqual(cluster.chat(max_tokens=2)[0], 200)

    def vanish(self, **fields):
        with Cluster(**FOR_EVER) as cluster:
            connection = cluster.send(max_tokens=4096, ignore_eos=True, **fields)
            cluster.until("it generates", lambda health: health["workers"][1]["steps"] > 2)
            connection.close()
            health = cluster.until("the worker has dropped it", lambda health: cancelled(health) == 1)
            self.assertEqual(health["vanished"], 1)
            cluster.until("nothing runs", idle)
            cluster.stop()
            spans = cluster.spans()
            worker = [span for span in spans if span["service"] == "decode" and "cancelled" in span["events"]]
            self.assertEqual([span["name"] for span in worker], ["llm/decode/generate"])
            root = [span for span in spans if span["name"] == "POST /v1/chat/completions"]
            self.assertEqual(root[0]["attributes"]["http.response.status_code"], 499)
            self.assertIn("client vanished", root[0]["events"])

    def test_a_client_of_a_stream_that_vanishes_cancels_down_to_the_worker(self):
        self.vanish(stream=True)

    def test_a_client_of_a_whole_answer_that_vanishes_too(self):
        self.vanish()

    def test_a_client_that_vanishes_while_it_waits_for_its_prompt(self):
        with Cluster(worker=["--prefill-us-per-token=20000000"]) as cluster:
            connection = cluster.send(stream=True)
            cluster.until("it is on its way", lambda health: health["workers"][1]["running"] == 1)
            connection.close()
            cluster.until("the decode worker has dropped it", lambda health: cancelled(health) == 1)

    def test_memory_that_runs_out_preempts_and_changes_no_answer(self):
        questions = [f"Question {n} about a trace?" for n in range(8)]
        with Cluster(decode=1, prefill=0) as roomy, \
                Cluster(decode=1, prefill=0, worker=["--blocks=10"]) as tight:
            expected = [roomy.stream(text=q, max_tokens=60, temperature=1.2).text() for q in questions]
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(
                    lambda q: tight.stream(text=q, max_tokens=60, temperature=1.2).text(), questions))
            self.assertEqual(answers, expected)
            health = tight.health()
            tight.stop()
            events = collections.Counter(event for span in tight.spans() for event in span["events"])
            preempted = health["workers"][0]["preempted"]
            self.assertGreater(preempted, 0)
            self.assertEqual(events["retract"], preempted)
            # Each request is scheduled once, and again after each time.
            self.assertEqual(events["schedule"], preempted + len(questions))

    def test_a_worker_that_dies_costs_its_own_requests_only(self):
        with Cluster(decode=2, **FOR_EVER) as cluster:
            streams = [cluster.stream(text=f"{n}?", max_tokens=4096, ignore_eos=True) for n in range(2)]
            cluster.until("one each", lambda health: [w.get("running") for w in health["workers"][1:]] == [1, 1])
            cluster.kill("decode-0")
            end = [event for event in streams[0].events() if event is None or "error" in event]
            self.assertIn("error", end[0])
            for stream in streams:
                stream.close()
            # At the same time: the frontend leaves the dead one alone for a second only.
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                answers = list(pool.map(lambda _: cluster.chat(max_tokens=2), range(4)))
            self.assertEqual([status for status, _ in answers], [200] * 4)
            self.assertEqual(cluster.health()["status"], "degraded")


if __name__ == "__main__":
    unittest.main()
