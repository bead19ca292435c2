"""What longer input costs: no memory.  (Not under a sanitizer, which keeps what is freed.)"""

import json
import os
import unittest

import tool
from convert_case import START, Case, request
from fake_jaeger import Jaeger
from fetch_test import span as fetched_span
from view_test import span

MIB = 1 << 20
# SPANWIRE_HUGE_MB=500 for the whole truth: a debug build takes a minute for it.
HUGE_MB = int(os.environ.get("SPANWIRE_HUGE_MB", "48"))


class Memory(Case):
    def test_convert(self):
        block = "".join(json.dumps(line) + "\n" for n in range(1, 400) for line in request(n, 700 * n))
        seconds = str(START)[:10]

        def copies(count):
            for copy in range(count):
                # Other ids and times: the same spans again would be dropped, or open at one time.
                text = block.replace('"0000000000000000', f'"{copy:08x}00000000')
                yield text.replace(seconds, str(int(seconds) + copy)).encode()

        def peak(count):
            words = ["convert", "-", "-o", self.path("o.pftrace"), "--memory", "4M"]
            return tool.peak_of(*words, feed=copies(count))[0]

        few, many = peak(8), peak(30)
        self.assertLess(many, few + 6 * MIB)

    def fetching(self, megabytes):
        run = self.path("run")
        with Jaeger([fetched_span(1)], fault=f"huge {megabytes}") as server:
            words = ["--service", "sglang", "--start", "5m", "--timeout", "250s", "--run", run]
            peak, _ = tool.peak_of("probe", server.url, *words)
        size = os.path.getsize(os.path.join(run, "telemetry/jaeger_probe.json"))
        self.assertGreaterEqual(size, megabytes * (MIB - 1000))
        return peak

    def test_fetching_a_long_answer(self):
        self.assertLess(self.fetching(HUGE_MB) - self.fetching(1), 16 * MIB)

    def judging(self, megabytes):
        """An answer of one line that long: the same few spans again and again."""
        some = (span(1, number, 0 if number == 1 else 1, "w" * 500, 0, 9) for number in range(1, 101))
        spans = ",".join(json.dumps(one) for one in some)
        path = self.path("long.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write('{"result":{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[' + spans)
            for _ in range((megabytes << 20) // len(spans)):
                file.write("," + spans)
            file.write("]}]}]}}")
        peak, report = tool.peak_of("verify", path, "--format", "json", code=1)  # 100 spans, many times
        self.assertEqual(json.loads(report)["spans"], 100)
        return peak

    def test_judging_a_long_line(self):
        self.assertLess(self.judging(HUGE_MB) - self.judging(1), 24 * MIB)


if __name__ == "__main__":
    unittest.main()
