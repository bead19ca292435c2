"""SGLang's dicts go to the library and come back, written and read by Python's own json, base64 and msgpack."""
import base64
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import msgpack

PROGRAM = pathlib.Path(os.environ["SPANWIRE_BINARY_DIR"]) / "tests/tests_journey"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def exchange(of_json, of_msgpack, rooms):
    """What the library makes of a dict in each form: (json, msgpack, rooms, header, state)."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "in.json").write_text(json.dumps(of_json), encoding="utf-8")
        (folder / "in.msgpack").write_bytes(msgpack.packb(of_msgpack))
        text = json.dumps(rooms, ensure_ascii=False)
        (folder / "in.base64").write_bytes(base64.b64encode(text.encode("utf-8")))
        subprocess.run([PROGRAM, "--gtest_also_run_disabled_tests", "--gtest_filter=SglangDict.DISABLED_Exchange"],
                       env={**os.environ, "JOURNEY_EXCHANGE": name}, stdout=subprocess.DEVNULL, check=True)
        decoded = base64.b64decode((folder / "out.base64").read_bytes()).decode("utf-8")
        return (json.loads((folder / "out.json").read_text(encoding="utf-8")),
                msgpack.unpackb((folder / "out.msgpack").read_bytes()),
                json.loads(decoded), (folder / "out.text").read_text(encoding="ascii"),
                json.loads((folder / "out.state").read_text(encoding="utf-8")))


def context(span_id, trace_id):
    return {"root_span": {"traceparent": PARENT, "tracestate": "vendor=x", "baggage": "k=v"},
            "prev_span": {"span_id": span_id, "trace_id": trace_id}}


class Exchange(unittest.TestCase):
    def test_ids_of_64_bits(self):
        sent = context(0xb7ad6b7169203331, 0xfedcba9876543210)
        for received in exchange(sent, sent, {"17": sent})[:2]:
            self.assertEqual(received, sent)
        self.assertEqual(exchange(sent, sent, {"17": sent})[2], {"17": sent})

    def test_ids_of_128_bits(self):
        sent = context(1, 0x4bf92f3577b34da6a3ce929d0e0e4736)
        packed = context(1, str(0x4bf92f3577b34da6a3ce929d0e0e4736))
        of_json, of_msgpack, rooms, _, _ = exchange(sent, packed, {"1": sent, "2": sent})
        self.assertEqual(of_json, sent)
        self.assertEqual(of_msgpack, packed)
        self.assertEqual(int(of_msgpack["prev_span"]["trace_id"]), sent["prev_span"]["trace_id"])
        self.assertEqual(rooms, {"1": sent, "2": sent})

    def test_no_previous_slice(self):
        sent = {"root_span": {"traceparent": PARENT}, "prev_span": "None"}
        of_json, of_msgpack, rooms, _, _ = exchange(sent, sent, {})
        self.assertEqual((of_json, of_msgpack, rooms), (sent, sent, {}))

    def test_the_state_of_a_pickled_context(self):
        state = {"tracing_enable": True, "rid": "r", "bootstrap_room": None, "start_time_ns": 1, "role": "unified",
                 "trace_level": 3, "module_name": "", "is_copy": False, "pid": 1, "thread_context": None,
                 "root_span": None, "root_span_context": {"traceparent": PARENT},
                 "last_span_context": {"span_id": 7, "trace_id": 9}}
        wanted = {"root_span": {"traceparent": PARENT}, "prev_span": {"span_id": 7, "trace_id": 9}}
        of_json, of_msgpack, _, _, _ = exchange(state, state, {})
        self.assertEqual((of_json, of_msgpack), (wanted, wanted))

    def test_the_state_that_a_newer_process_sets(self):
        sent = context(7, 0x4bf92f3577b34da6a3ce929d0e0e4736)
        written = exchange(sent, context(7, 9), {})[4]
        pid = written.pop("pid")
        self.assertIsInstance(pid, int)
        self.assertEqual(written, {
            "tracing_enable": True, "rid": "r", "bootstrap_room": 17, "start_time_ns": 1_700_000_000_000_000_000,
            "role": "unified", "trace_level": 3, "module_name": "request", "is_copy": True, "thread_context": None,
            "root_span": None, "root_span_context": sent["root_span"], "last_span_context": sent["prev_span"]})

    def test_the_header_is_pythons_base_85(self):
        header = exchange(context(2, 0x0af7651916cd43dd8448eb211c80319c), context(2, 3), {})[3]
        raw = base64.b85decode(header)
        self.assertEqual(raw[0], 1 << 5 | 4 | 1)
        self.assertEqual(raw[1:25].hex(), PARENT[3:35] + PARENT[36:52])
        self.assertEqual(raw[25:], (2).to_bytes(8, "big"))


if __name__ == "__main__":
    unittest.main()
