"""What `spanwire convert` writes, as Perfetto's own classes read it; and its importer, where there is one.

SPANWIRE_TRACE_PROCESSOR names a trace_processor_shell; the package would download one, which tests do not."""
import os
import pathlib
import sys
import tempfile
import unittest

import peers

peers.use_python()
sys.path.append(str(pathlib.Path(__file__).parents[1] / "tools"))

# pylint: disable=wrong-import-position
from google.protobuf.unknown_fields import UnknownFieldSet  # noqa: E402
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent  # noqa: E402
import convert_case  # noqa: E402
import timeline  # noqa: E402
import tool  # noqa: E402


def unknown(message, where="Trace"):
    """The fields, anywhere in a message, that its definition does not have."""
    found = [f"{where}.{field.field_number}" for field in UnknownFieldSet(message)]
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in value if hasattr(value, "add") else [value]:
                found += unknown(item, f"{where}.{field.name}")
    return found


def sample():
    """Requests that overlap, a batch, every kind of value, an event outside of its span."""
    facts = {"a": [1, "two", {"b": True}], "c": -0.5, "big": 2**62, "no": False}
    return [line for n in range(1, 30) for line in convert_case.request(n, 3_000 * n)] + [
        convert_case.export(
            "scheduler",
            convert_case.span(90, 1, 0, "batch", 50_000, 500, links=[(n, 8) for n in range(1, 30)], attributes=facts),
            convert_case.span(91, 1, 0, "", 7, 0, status={"code": 2, "message": "no"},
                              events=[{"timeUnixNano": "5", "name": "early"}]))]


class Native(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        case = convert_case.Case()
        case.folder = cls.folder
        cls.path = case.path("out.pftrace")
        done = tool.run("convert", case.write("in.jsonl", *sample()), "-o", cls.path)
        assert done.returncode == 0, done.stderr
        cls.trace = Trace()
        with open(cls.path, "rb") as file:
            cls.trace.ParseFromString(file.read())
        cls.ours = timeline.read(cls.path)

    def events(self, kind):
        return [p for p in self.trace.packet if p.HasField("track_event") and p.track_event.type == kind]

    def test_no_field_is_unknown(self):
        self.assertEqual(unknown(self.trace), [])

    def test_the_fields_mean_what_we_take_them_for(self):
        names = {}
        for packet in self.trace.packet:
            names.update({entry.iid: entry.name for entry in packet.interned_data.event_names})
        begins = self.events(TrackEvent.TYPE_SLICE_BEGIN)
        self.assertEqual([(names[p.track_event.name_iid], p.timestamp, p.track_event.track_uuid,
                           list(p.track_event.flow_ids), list(p.track_event.terminating_flow_ids)) for p in begins],
                         [(s.name, s.start, s.track, s.flows_out, s.flows_in) for s in self.ours.slices])
        self.assertEqual(len(self.events(TrackEvent.TYPE_SLICE_END)), len(begins))
        self.assertEqual(len(self.events(TrackEvent.TYPE_INSTANT)), len(self.ours.instants))
        self.assertEqual(len(self.events(TrackEvent.TYPE_COUNTER)), sum(map(len, self.ours.counters.values())))

    def test_times_lie_within_the_input(self):
        times = [p.timestamp for p in self.trace.packet if p.HasField("track_event")]
        self.assertEqual(times, sorted(times))
        self.assertGreaterEqual(times[0], convert_case.START)
        self.assertLessEqual(times[-1], convert_case.START + 100_000)
        clocks = self.trace.packet[0].clock_snapshot
        self.assertEqual({clock.timestamp for clock in clocks.clocks}, {times[0]})

    def test_processes_and_threads_are_told_apart(self):
        tracks = [p.track_descriptor for p in self.trace.packet if p.HasField("track_descriptor")]
        processes = {t.process.pid: t.name for t in tracks if t.HasField("process")}
        threads = [(t.thread.pid, t.thread.tid, t.thread.thread_name) for t in tracks if t.HasField("thread")]
        self.assertEqual({71: "tokenizer (pid 71)", 72: "scheduler (pid 72)"},
                         {pid: processes[pid] for pid in (71, 72)})
        self.assertEqual(len(set(threads)), 2)
        for pid, _, _ in threads:
            self.assertIn(pid, processes)

    @unittest.skipUnless(os.environ.get("SPANWIRE_TRACE_PROCESSOR"), "no trace_processor_shell given")
    def test_the_importer_finds_no_fault(self):
        from perfetto.trace_processor import TraceProcessor, TraceProcessorConfig  # pylint: disable=import-outside-toplevel
        config = TraceProcessorConfig(bin_path=os.environ["SPANWIRE_TRACE_PROCESSOR"])
        with TraceProcessor(trace=self.path, config=config) as processor:
            faults = list(processor.query("select name from stats where severity = 'error' and value > 0"))
            self.assertEqual([row.name for row in faults], [])
            counts = next(iter(processor.query(
                "select (select count(1) from slice) as slices, (select count(1) from flow) as flows")))
            self.assertEqual(counts.slices, len(self.ours.slices) + len(self.ours.instants))
            self.assertEqual(counts.flows, sum(timeline.arrows(self.ours).values()))


if __name__ == "__main__":
    unittest.main()
