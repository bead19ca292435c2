"""Tracing switched on with the command lines of SGLang and vLLM: the spans arrive where those say."""
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
from cluster import ROOT, Cluster, label  # noqa: E402

sys.path += [str(ROOT / "tests" / "tools"), str(ROOT / "tests" / "support")]
from otlp_files import resource_spans  # noqa: E402
from receiving import Receive  # noqa: E402

BATCHED = "decode_loop"  # of each token: a detail
HELD = "something held a loop that must not block"  # which any machine with too much to do may say


def received(receive):
    """[(service, name)] of what it has written; ended before."""
    found = []
    for one in resource_spans(pathlib.Path(receive.folder.name, "traces.jsonl")):
        service, = (pair["value"]["stringValue"] for pair in one["resource"]["attributes"]
                    if pair["key"] == "service.name")
        found += [(service, label(span["name"])) for scope in one["scopeSpans"] for span in scope["spans"]]
    return found


class EngineFlags(unittest.TestCase):
    def run_with(self, receive, *flags):
        """One chat through processes with these flags; the spans that came, which are all that were made."""
        with Cluster(prefill=0, worker=flags, frontend=flags) as cluster:
            self.assertEqual(cluster.chat(max_tokens=4)[0], 200)
            cluster.stop()
            made = [(span["service"], span["name"]) for span in cluster.spans()]
            self.assertEqual([], [line for line in cluster.log("decode-0").splitlines()
                                  if "warning" in line and HELD not in line])
        code, out, err = receive.stop()
        self.assertEqual((code, err), (0, ""), out)
        came = received(receive)
        self.assertEqual(sorted(came), sorted(made))
        self.assertEqual({service for service, _ in came}, {"frontend", "worker"})
        return {name for _, name in came}

    def test_as_sglang_is_started(self):
        for spelling in ("--oltp-traces-endpoint", "--otlp-traces-endpoint"):
            with self.subTest(spelling), Receive("--quiet") as receive:
                names = self.run_with(receive, "--enable-trace", spelling, f"127.0.0.1:{receive.grpc_port}")
                self.assertIn(BATCHED, names)

    def test_as_vllm_is_started(self):
        with Receive("--quiet") as receive:
            endpoint = f"--otlp-traces-endpoint=http://127.0.0.1:{receive.grpc_port}"
            names = self.run_with(receive, "--enable-journey-tracing", endpoint)
            self.assertNotIn(BATCHED, names)
        with Receive("--quiet") as receive:
            names = self.run_with(receive, f"--otlp-traces-endpoint=http://127.0.0.1:{receive.port}/v1/traces",
                                  "--collect-detailed-traces=model,worker")
            self.assertIn(BATCHED, names)


if __name__ == "__main__":
    unittest.main()
