"""The HTTP side of the serving example, as chat clients see it."""
import json
import sys
import unittest

sys.dont_write_bytecode = True
from cluster import MODEL, Cluster, body  # noqa: E402


class Api(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster(decode=2))

    def test_a_whole_answer(self):
        status, answer = self.cluster.chat(max_tokens=20)
        self.assertEqual(status, 200)
        self.assertEqual(answer["object"], "chat.completion")
        self.assertEqual(answer["model"], MODEL)
        self.assertTrue(answer["id"].startswith("chatcmpl-"))
        choice = answer["choices"][0]
        self.assertEqual(choice["message"]["role"], "assistant")
        self.assertGreater(len(choice["message"]["content"]), 10)
        self.assertIn(choice["finish_reason"], ("stop", "length"))
        usage = answer["usage"]
        self.assertGreater(usage["prompt_tokens"], 3)
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])

    def test_a_streamed_answer_says_the_same(self):
        for tokens in (1, 2, 5, 40):
            _, whole = self.cluster.chat(max_tokens=tokens)
            stream = self.cluster.stream(max_tokens=tokens)
            self.assertEqual(stream.status, 200)
            self.assertTrue(stream.headers["Content-Type"].startswith("text/event-stream"))
            self.assertEqual(stream.text(), whole["choices"][0]["message"]["content"])

    def test_the_events_of_a_stream(self):
        stream = self.cluster.stream(max_tokens=5, stream_options={"include_usage": True})
        events = list(stream.events())
        stream.close()
        self.assertIsNone(events.pop())
        usage = events.pop()
        self.assertEqual(usage["choices"], [])
        self.assertLessEqual(usage["usage"]["completion_tokens"], 5)
        self.assertEqual({event["object"] for event in events}, {"chat.completion.chunk"})
        self.assertEqual(len({event["id"] for event in events}), 1)
        self.assertEqual(events[0]["choices"][0]["delta"]["role"], "assistant")
        self.assertIn(events[-1]["choices"][0]["finish_reason"], ("stop", "length"))
        for event in events[:-1]:
            self.assertIsNone(event["choices"][0]["finish_reason"])

    def test_a_conversation_is_longer_than_its_first_question(self):
        _, first = self.cluster.chat(max_tokens=20)
        messages = body()["messages"] + [first["choices"][0]["message"], {"role": "user", "content": "And then?"}]
        status, second = self.cluster.chat(messages=messages, max_tokens=5)
        self.assertEqual(status, 200)
        self.assertGreater(second["usage"]["prompt_tokens"], first["usage"]["total_tokens"])

    def test_several_requests_on_one_connection(self):
        connection = self.cluster.connect()
        for _ in range(5):
            connection.request("POST", "/v1/chat/completions", json.dumps(body(max_tokens=3)))
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            self.assertEqual(json.loads(response.read())["usage"]["completion_tokens"], 3)
        connection.close()

    def test_bad_requests_are_told_what_is_wrong(self):
        cases = [("", "not JSON"), ("{", "not JSON"), ("[1]", "not a JSON object"),
                 (json.dumps({"model": MODEL}), "messages is missing"),
                 (json.dumps(body(model="gpt-4")), "no model"), (json.dumps(body(messages=[])), "messages"),
                 (json.dumps(body(max_tokens=-3)), "max_tokens is -3"),
                 (json.dumps(body(temperature="hot")), "temperature"), (json.dumps(body(stream=3)), "stream"),
                 (json.dumps(body("long " * 30000)), "more than the 4096")]
        for data, reason in cases:
            with self.subTest(reason=reason):
                status, _, text = self.cluster.request("POST", "/v1/chat/completions", data)
                self.assertEqual(status, 400)
                error = json.loads(text)["error"]
                self.assertIn(reason, error["message"])
                self.assertEqual(error["type"], "invalid_request_error")

    def test_a_bad_request_for_a_stream_is_no_stream(self):
        stream = self.cluster.stream(text="long " * 30000)
        self.assertEqual(stream.status, 400)
        self.assertEqual(stream.headers["Content-Type"], "application/json")
        stream.close()

    def test_what_is_not_served(self):
        for method, path, expected in (("GET", "/", 404), ("POST", "/v1/models", 404), ("GET", "/v1/chat", 404)):
            status, _, text = self.cluster.request(method, path, "" if method == "POST" else None)
            self.assertEqual(status, expected)
            self.assertIn("not served", json.loads(text)["error"]["message"])

    def test_a_body_that_is_too_large(self):
        status, _, text = self.cluster.request("POST", "/v1/chat/completions", " " * ((1 << 20) + 1))
        self.assertEqual(status, 413)
        self.assertIn("error", json.loads(text))

    def test_models(self):
        status, _, text = self.cluster.request("GET", "/v1/models")
        self.assertEqual(status, 200)
        self.assertEqual([model["id"] for model in json.loads(text)["data"]], [MODEL])

    def test_health(self):
        health = self.cluster.health()
        self.assertEqual(health["status"], "ok")
        self.assertEqual([worker["role"] for worker in health["workers"]], ["prefill", "decode", "decode"])
        self.assertEqual(len({worker["instance"] for worker in health["workers"]}), 3)


class Metrics(unittest.TestCase):
    """The numbers of requests, under SGLang's names: the frontend's, and through it each worker's."""

    def test_each_process_counts_its_part(self):
        labels = '{model_name="spanwire-ngram",route="%s"}'
        with Cluster(decode=1, frontend=["--requests=1"]) as cluster:
            tokens = [cluster.chat(text=text, max_tokens=6)[1]["usage"] for text in ("What is a trace?", "And then?")]
            chat = labels % "/v1/chat/completions"
            frontend = cluster.metrics()
            self.assertEqual(frontend["sglang:time_to_first_token_seconds_count" + chat], "2")
            self.assertEqual(frontend["sglang:e2e_request_latency_seconds_count" + chat], "2")
            self.assertEqual(frontend["sglang:num_requests_total" + chat], "2")
            for name, member in (("prompt", "prompt_tokens"), ("generation", "completion_tokens")):
                self.assertEqual(int(frontend[f"sglang:{name}_tokens_total{chat}"]),
                                 sum(usage[member] for usage in tokens))
            prefill, decode = cluster.metrics("/0"), cluster.metrics("/1")
            self.assertEqual(prefill["sglang:queue_time_seconds_count" + labels % "llm/prefill/generate"], "2")
            generate = labels % "llm/decode/generate"
            self.assertEqual(decode["sglang:queue_time_seconds_count" + generate], "2")
            self.assertEqual(int(decode["sglang:inter_token_latency_seconds_count" + generate]),
                             sum(usage["completion_tokens"] - 1 for usage in tokens))
            self.assertEqual(cluster.request("GET", "/metrics/2")[0], 404)

    def test_openmetrics_leads_to_the_trace(self):
        with Cluster(decode=1) as cluster:
            stream = cluster.stream(max_tokens=3)
            trace = stream.headers["traceresponse"].split("-")[1]
            stream.text()
            accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
            status, headers, text = cluster.request("GET", "/metrics", headers=accept)
            self.assertEqual((status, headers["Content-Type"].split(";")[0]), (200, accept["Accept"].split(";")[0]))
            self.assertRegex(text, rf'(?m)^sglang:time_to_first_token_seconds_bucket.* # {{trace_id="{trace}"')


class Aggregated(unittest.TestCase):
    def test_one_worker_says_the_same_as_three(self):
        with Cluster(decode=1, prefill=0) as one, Cluster(decode=2) as three:
            for question in ("What is a trace?", "How does a call end?"):
                self.assertEqual(one.stream(text=question).text(), three.stream(text=question).text())


if __name__ == "__main__":
    unittest.main()
