"""spanwire convert: what it draws, in both formats, of which spans, and beside which profile."""

import json
import os
import random
import unittest

import timeline
import tool
from convert_case import START, Case, export, request, span


class Packed(Case):
    def setUp(self):
        super().setUp()
        self.lines = [json.dumps(item) + "\n" for item in request(1, 0)]
        self.plain = self.both(self.write("a.jsonl", *self.lines))

    def test_is_read_as_the_plain_file(self):
        self.assertEqual(self.both(self.pack("a.jsonl.gz", *(line.encode() for line in self.lines))).slices,
                         self.plain.slices)

    def test_from_standard_input(self):
        with open(self.pack("a.jsonl.gz", "".join(self.lines).encode()), "rb") as file:
            self.convert("-", "-o", self.path("o.pftrace"), input=file.read())
        self.assertEqual(timeline.read(self.path("o.pftrace")).slices, self.plain.slices)

    def test_damage_costs_what_is_behind_it(self):
        # Each line packed by itself, the second one cut off.
        packed = self.pack("a.jsonl.gz", *(line.encode() for line in self.lines))
        with open(packed, "r+b") as file:
            file.truncate(os.path.getsize(packed) - 100)
        done = self.convert(packed, "-o", self.path("o.pftrace"), code=1)
        self.assertRegex(done.stderr, packed.encode() + b":[12]: the gzip file is cut off")
        self.assertEqual(len(timeline.read(self.path("o.pftrace")).slices), 3)
        with open(packed, "r+b") as file:
            file.seek(30)
            file.write(b"\xff\xff\xff\xff")
        done = self.convert(packed, "-o", self.path("o.pftrace"), code=1)
        self.assertRegex(done.stderr, b"there are no spans; .*: gzip: ")


MS = 1_000_000


def call(trace, at, skew, length=80 * MS, answer=10 * MS):
    """A call of 100 ms, what the worker did for it (by its clock), and what that published to a third process."""
    begin = at + skew + answer
    return (export("front", span(trace, 1, 0, "ask", at, 100 * MS, kind=3), process_pid=1),
            export("worker", span(trace, 3, 2, "step", begin, MS),
                   span(trace, 2, 1, "answer", begin, length, kind=2,
                        events=[{"timeUnixNano": str(START + begin + MS), "name": "token"}]), process_pid=2),
            export("audit", span(trace, 4, 2, "note", begin + 2 * MS, 300 * MS, kind=5), process_pid=3))


class Clocks(Case):
    """The worker's clock and that of what it publishes to are off."""

    def test_that_contradict_each_other_are_moved(self):
        drawn = self.both(self.write("a.jsonl", *call(1, 0, -500 * MS), *call(2, 200 * MS, -500 * MS)))
        for n in (0, 1):
            ask, answer, step, note = (drawn.named(name)[n] for name in ("ask", "answer", "step", "note"))
            self.assertEqual(ask.start, START + n * 200 * MS)
            self.assertEqual(answer.start - ask.start, 10 * MS)
            self.assertEqual((step.start, note.start), (answer.start, answer.start + 2 * MS))
            self.assertEqual(ask.flows_out, answer.flows_in)
            self.assertEqual(len(answer.flows_in), 1)
        self.assertEqual([i[2] - START for i in drawn.instants], [11 * MS, 211 * MS])
        self.assertEqual({t[1] for t in drawn.tracks.values() if t[0] == "process"},
                         {"front (pid 1)", "worker (pid 2), clock moved by 500 ms",
                          "audit (pid 3), clock moved by 500 ms"})

    def test_are_told_by_process(self):
        path = self.write("a.jsonl", *call(1, 0, 500 * MS))
        done = self.convert(path, "-o", self.path("out.pftrace"))
        self.assertEqual(done.stderr.decode().splitlines(), [
            "spanwire: the clock of worker (pid 2) does not agree with its callers': moved by -500 ms "
            "(--as-recorded: not)",
            "spanwire: the clock of audit (pid 3) does not agree with its callers': moved by -500 ms "
            "(--as-recorded: not)"])

    def test_as_recorded(self):
        path = self.write("a.jsonl", *call(1, 0, -500 * MS))
        drawn = self.both(path, "--as-recorded")
        ask, answer = drawn.named("ask")[0], drawn.named("answer")[0]
        self.assertEqual(answer.start - START, -490 * MS)
        self.assertEqual(len(ask.flows_in), 1, "the arrow starts at what starts first")
        self.assertIn(ask.flows_in[0], answer.flows_out)
        self.assertEqual(self.convert(path, "--as-recorded", "-o", self.path("o.json")).stderr, b"")

    def test_that_agree_are_left_alone(self):
        for skew in (0, 5 * MS, -5 * MS):  # anywhere within the call
            path = self.write("a.jsonl", *call(1, 0, skew))
            drawn = self.both(path)
            self.assertEqual(drawn.named("answer")[0].start - START, 10 * MS + skew)
            self.assertEqual(self.convert(path, "-o", self.path("out.json")).stderr, b"")

    def test_a_server_that_goes_on_is_no_other_clock(self):
        drawn = self.both(self.write("a.jsonl", *call(1, 0, 0, length=500 * MS)))
        self.assertEqual(drawn.named("answer")[0].start - START, 10 * MS)

    def test_a_request_is_drawn_by_all_that_is_known(self):
        """The one call of the request allows for much; the other one for less."""
        lines = call(1, 0, 500 * MS, length=20 * MS, answer=40 * MS)
        lines[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] = [
            {"key": "rid", "value": {"stringValue": "req-1"}}]
        drawn = self.both(self.write("a.jsonl", *lines, *call(2, 200 * MS, 500 * MS, length=90 * MS, answer=5 * MS)),
                          "--request", "req-1")
        self.assertEqual(drawn.named("answer")[0].start - START, 40 * MS)
        self.assertEqual(len(drawn.slices), 4)

    def test_beyond_memory(self):
        """What is sorted twice comes out as what fits into memory."""
        lines = [line for n in range(4_000) for line in call(n + 1, 200 * MS * n, -500 * MS)]
        path = self.write("a.jsonl", *lines)
        much = self.both(path)
        self.assertEqual(self.both(path, "--memory", "4M").slices, much.slices)
        starts = {s.args["otel.trace_id"]: s.start for s in much.named("ask")}
        for item in much.named("answer"):
            self.assertEqual(item.start - starts[item.args["otel.trace_id"]], 10 * MS)


class Folders(Case):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("traces"))
        self.lines = request(1, 0)
        for name, line in zip(("a.jsonl", "b.json"), self.lines):
            self.write(f"traces/{name}", line)
        self.whole = self.both(self.path("traces/a.jsonl"), self.path("traces/b.json"))

    def test_stand_for_the_files_in_them(self):
        self.write("traces/notes.txt", "nothing of ours")
        self.assertEqual(self.both(self.path("traces")).slices, self.whole.slices)

    def test_hold_what_an_earlier_run_wrote(self):
        for _ in range(2):
            self.convert(self.path("traces"), "--to", "chrome", "-o", self.path("traces/trace.json"))
        self.assertEqual([(s.name, s.start) for s in timeline.read(self.path("traces/trace.json")).slices],
                         [(s.name, s.start) for s in self.whole.slices])

    def test_of_a_run(self):
        run = self.path("run")
        done = tool.run("fetch", self.path("traces"), "--run", run)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.both(run).slices, self.whole.slices)

    def test_without_traces(self):
        os.mkdir(self.path("empty"))
        done = self.convert(self.path("empty"), "-o", self.path("o.pftrace"), code=1)
        self.assertIn(b"empty: no *.jsonl and no *.json in it", done.stderr)

    def test_are_no_addresses(self):
        done = self.convert("http://127.0.0.1:16686", "-o", self.path("o.pftrace"), code=2)
        self.assertIn(b"http://127.0.0.1:16686: not a file or folder; spanwire fetch makes one", done.stderr)


class Draws(Case):
    def test_a_request_over_threads_and_processes(self):
        drawn = self.both(self.write("a.jsonl", *request(1, 0)))
        self.assertEqual(len(drawn.slices), 9)
        self.assertEqual(timeline.arrows(drawn), {
            ("unified Req req-1", "tokenizer"): 1, ("unified Req req-1", "scheduler [TP 0]"): 1,
            ("tokenize", "prefill_waiting"): 1, ("prefill_waiting", "prefill_forward"): 1,
            ("prefill_forward", "decode_loop"): 1, ("decode_loop", "decode_loop"): 2})
        names = {drawn.track_name(s) for s in drawn.slices}
        self.assertEqual(names, {"spans", "tokenizer (pid 71, host 01234567)",
                                 "scheduler [TP 0] (pid 72, host 01234567)"})
        self.assertEqual({t[1] for t in drawn.tracks.values() if t[0] == "process"},
                         {"tokenizer (pid 71)", "scheduler (pid 72)"})
        self.assertEqual(drawn.named("prefill_forward")[0].end, START + 5_000)
        self.assertEqual([(i[1], i[2]) for i in drawn.instants], [("schedule", START + 3_500)])
        self.assertEqual(drawn.counters["prefill_waiting depth"], [1, 0])
        self.assertEqual(drawn.counters["calls in progress"], [1, 0])

    def test_requests_that_overlap_have_lanes_of_their_own(self):
        drawn = self.both(self.write("a.jsonl", *request(1, 0), *request(2, 4_000), *request(3, 20_000)))
        self.assertEqual(len(drawn.slices), 27)
        lanes = {s.args["otel.trace_id"]: s.track for s in drawn.named("prefill_forward")}
        first, second, third = (lanes[f"{n:032x}"] for n in (1, 2, 3))
        self.assertNotEqual(first, second)
        self.assertEqual(first, third)
        for item in drawn.named("decode_loop"):
            self.assertEqual(item.track, lanes[item.args["otel.trace_id"]])

    def test_a_batch_is_one_slice_with_arrows_from_its_members(self):
        members = [(n, 8) for n in range(1, 41)]
        batch = span(99, 1, 0, "batch", 8_000, 500, links=members, attributes={"batch_size": 40})
        drawn = self.both(self.write("a.jsonl", *[line for n, _ in members for line in request(n, 10 * n)],
                                     export("scheduler", batch, process_pid=72)))
        batch = drawn.named("batch")
        self.assertEqual(len(batch), 1)
        self.assertEqual(len(batch[0].flows_in), 40)
        self.assertEqual(batch[0].args["otel.links"], 40)
        self.assertEqual(batch[0].args["otel.linked"][0], f"{1:032x}:{8:016x}")
        self.assertEqual(timeline.arrows(drawn)["prefill_forward", "batch"], 40)

    def test_a_call_between_processes(self):
        drawn = self.both(self.write("a.jsonl", export("front", span(1, 1, 0, "call", 0, 900, kind=3))),
                          self.write("b.jsonl", export("back", span(1, 2, 1, "call", 100, 700, kind=2))))
        client, server = drawn.slices
        self.assertEqual(client.flows_out, server.flows_in)
        self.assertEqual(len(client.flows_out), 1)
        self.assertEqual([client.categories, server.categories], [["client"], ["server"]])

    def test_every_kind_of_attribute(self):
        facts = {"text": 'quote " slash \\ line\n umlaut ä', "yes": True, "no": False, "int": -5,
                 "big": 2**60, "real": 0.25, "list": [1, "two", [3]], "map": {"a": 1, "b": {"c": "d"}}}
        self.convert(self.write("a.jsonl", export("s", span(1, 1, 0, "n", 0, 5, attributes=facts))),
                     "-o", self.path("out.pftrace"))
        args = timeline.read(self.path("out.pftrace")).slices[0].args
        self.assertEqual({key: args[key] for key in facts}, facts)
        self.convert(self.path("a.jsonl"), "--to", "chrome", "-o", self.path("out.json"))
        args = timeline.read(self.path("out.json")).slices[0].args
        self.assertEqual({key: args[key] for key in facts}, {**facts, "big": str(2**60)})

    def test_tracks_by_request(self):
        files = self.write("a.jsonl", *request(1, 0), *request(2, 4_000))
        drawn = self.both(files, "--tracks", "request")
        for item in drawn.slices:
            parent = drawn.tracks[item.track][2]
            self.assertEqual(drawn.tracks[parent][1], "trace " + item.args["otel.trace_id"])
        self.assertEqual({s.args["service.name"] for s in drawn.slices}, {"tokenizer", "scheduler"})

    def test_random_spans_are_all_there_and_nest(self):
        chance = random.Random(4)
        for _ in range(10):
            spans = []
            for number in range(1, 300):
                start = chance.randrange(2_000)
                spans.append(span(chance.randrange(1, 5), number, chance.choice([0, chance.randrange(1, 300)]),
                                  f"n{number}", start, chance.choice([0, 1, chance.randrange(2_000)]),
                                  links=[(chance.randrange(1, 5), chance.randrange(1, 300))],
                                  kind=chance.randrange(6)))
            drawn = self.both(self.write("a.jsonl", *[export(f"s{n % 3}", item) for n, item in enumerate(spans)]))
            self.assertEqual(sorted(s.name for s in drawn.slices), sorted(s["name"] for s in spans))


class Golden(Case):
    """Byte for byte; made by `spanwire convert request.jsonl -o request.pftrace`, and `--to chrome`."""

    VECTORS = os.path.join(os.path.dirname(__file__), "vectors")

    def test_both_formats(self):
        source = os.path.join(self.VECTORS, "request.jsonl")
        for name, flags in (("request.pftrace", []), ("request.json", ["--to", "chrome"])):
            self.convert(source, *flags, "-o", self.path(name))
            with open(self.path(name), "rb") as ours, open(os.path.join(self.VECTORS, name), "rb") as golden:
                self.assertEqual(ours.read(), golden.read(), name)


class Chooses(Case):
    def names(self, *arguments):
        return {s.name for s in self.both(self.path("a.jsonl"), *arguments).slices}

    def setUp(self):
        super().setUp()
        self.write("a.jsonl", *request(1, 0), *request(2, 40_000),
                   export("scheduler", span(9, 1, 0, "batch", 43_000, 100, links=[(2, 8)])))

    def test_by_trace(self):
        drawn = self.both(self.path("a.jsonl"), "--trace", f"{2:032X}")
        self.assertEqual({s.args["otel.trace_id"] for s in drawn.slices}, {f"{2:032x}"})
        self.assertEqual(len(drawn.slices), 9)

    def test_by_request_with_its_batches(self):
        drawn = self.both(self.path("a.jsonl"), "--request", "req-2")
        self.assertEqual(len(drawn.slices), 10)
        self.assertEqual(timeline.arrows(drawn)["prefill_forward", "batch"], 1)

    def test_by_service_and_time(self):
        self.assertNotIn("tokenize", self.names("--service", "scheduler"))
        since = START + 30_000
        self.assertIn("batch", self.names("--since", str(since)))
        self.assertNotIn("batch", self.names("--until", str(since)))
        self.assertEqual(self.names("--since", str(START + 3_100), "--until", str(START + 3_200)),
                         {"unified Req req-1", "tokenizer", "scheduler [TP 0]", "prefill_forward"})

    def test_times_as_people_write_them(self):
        for text in ("2026-11-21 09:40:00", "2026-11-21T09:40:00.5Z", "1"):
            self.convert(self.path("a.jsonl"), "--since", "1970-01-01 00:00:00", "--until", "2026-11-22 00:00:00",
                         "-o", self.path("o.pftrace"))
            self.convert(self.path("a.jsonl"), "--since", text, "-o", self.path("o.pftrace"),
                         code=1 if "." in text else 0)
        for text in ("yesterday", "2026-13-01 00:00:00", "2026-11-21", "-1", "2026-11-21 25:00:00"):
            self.convert(self.path("a.jsonl"), "--since", text, code=2)

    def test_nothing_that_passes_leaves_no_file(self):
        done = self.convert(self.path("a.jsonl"), "--service", "nobody", "-o", self.path("o.pftrace"), code=1)
        self.assertIn(b"no span passes the filters", done.stderr)
        self.assertFalse(os.path.exists(self.path("o.pftrace")))


class Merges(Case):
    EVENTS = [
        {"ph": "X", "name": "late", "pid": 9, "tid": 9, "ts": 50.0, "dur": 1, "cat": "cpu_op"},
        {"ph": "X", "name": "cudaLaunchKernel", "cat": "cuda_runtime", "pid": 9, "tid": 9, "ts": 2.5, "dur": 3,
         "args": {"correlation": 7, "External id": 3}},
        {"ph": "X", "name": "matmul", "cat": "kernel", "pid": 0, "tid": "stream 7", "ts": 4, "dur": 2.25,
         "args": {"correlation": 7, "grid": [1, 2, 3], "more than 64 bits": 100000000000000000000}},
        {"ph": "X", "name": "across", "cat": "kernel", "pid": 0, "tid": "stream 7", "ts": 5, "dur": 9},
        {"ph": "s", "id": 7, "pid": 9, "tid": 9, "ts": 2.5, "cat": "ac2g", "name": "ac2g"},
        {"ph": "M", "name": "process_name", "pid": 0, "args": {"name": "GPU 0"}},
        {"ph": "B", "name": "not drawn", "pid": 9, "tid": 9, "ts": 1},
    ]

    def setUp(self):
        super().setUp()
        self.spans = self.write("a.jsonl", *request(1, 0))

    def profile(self, **members):
        with open(self.path("torch.json"), "w", encoding="utf-8") as file:
            json.dump({"schemaVersion": 1, "traceEvents": self.EVENTS, **members}, file, indent=1)
        return self.path("torch.json")

    def test_by_its_own_base(self):
        drawn = self.both(self.spans, "--merge", self.profile(baseTimeNanoseconds=START))
        kernel = drawn.named("matmul")[0]
        self.assertEqual((kernel.start, kernel.end), (START + 4_000, START + 6_250))
        self.assertEqual(timeline.arrows(drawn)["cudaLaunchKernel", "matmul"], 1)
        self.assertNotEqual(kernel.track, drawn.named("across")[0].track)
        self.assertIn("GPU 0 (profile, pid 0)", {t[1] for t in drawn.tracks.values()})
        self.assertEqual(len(drawn.slices), 9 + 4)

    def test_packed_as_torch_and_sglang_write_it(self):
        with open(self.profile(baseTimeNanoseconds=START), "rb") as plain:
            packed = self.pack("torch.json.gz", plain.read())
        drawn = self.both(self.spans, "--merge", packed)
        self.assertEqual(drawn.named("matmul")[0].start, START + 4_000)
        with open(packed, "r+b") as file:
            file.truncate(os.path.getsize(packed) - 12)
        done = self.convert(self.spans, "--merge", packed, "-o", self.path("o.pftrace"), code=1)
        self.assertIn(b"the gzip file is cut off", done.stderr)

    def test_with_an_offset(self):
        for text in (str(START + 1_000), f"{START + 1_000}"):
            drawn = self.both(self.spans, "--merge", self.profile(), "--merge-offset", text)
            self.assertEqual(drawn.named("matmul")[0].start, START + 5_000)

    def test_without_a_clock(self):
        done = self.convert(self.spans, "--merge", self.profile(), "-o", self.path("o.json"), code=2)
        self.assertIn(b"--merge-offset", done.stderr)

    def test_what_is_no_profile(self):
        for text in ("", "{", "[1, 2", '{"traceEvents": 3}', "hello", '{"a": [}'):
            bad = self.write("bad.json", text)
            done = self.convert(self.spans, "--merge", bad, "-o", self.path("o.pftrace"), code=1)
            self.assertRegex(done.stderr, b"not a profile|has no traceEvents|has no events", text)
        self.convert(self.spans, "--merge", self.path("absent"), "-o", self.path("o.pftrace"), code=1)

if __name__ == "__main__":
    unittest.main()
