"""Requests as engines write them, and a folder to convert them in: for the tests beside this file."""

import gzip
import json
import os
import tempfile
import unittest

import timeline
import tool

START = 1_795_254_000_000_000_000


def value(item):
    if isinstance(item, bool):
        return {"boolValue": item}
    if isinstance(item, int):
        return {"intValue": str(item)}
    if isinstance(item, float):
        return {"doubleValue": item}
    if isinstance(item, list):
        return {"arrayValue": {"values": [value(i) for i in item]}}
    if isinstance(item, dict):
        return {"kvlistValue": {"values": attributes(item)}}
    return {"stringValue": item}


def attributes(items):
    return [{"key": key, "value": value(item)} for key, item in items.items()]


def span(trace, number, parent, name, start, length, kind=1, links=(), **extra):
    """Times in nanoseconds behind START; links as (trace, number)."""
    made = {"traceId": f"{trace:032x}", "spanId": f"{number:016x}", "name": name, "kind": kind,
            "startTimeUnixNano": str(START + start), "endTimeUnixNano": str(START + start + length)}
    if parent:
        made["parentSpanId"] = f"{parent:016x}"
    if links:
        made["links"] = [{"traceId": f"{t:032x}", "spanId": f"{n:016x}"} for t, n in links]
    if "attributes" in extra:
        extra["attributes"] = attributes(extra["attributes"])
    return {**made, **extra}


def export(service, *spans, **resource_attributes):
    facts = attributes({"service.name": service, **{k.replace("_", "."): v for k, v in resource_attributes.items()}})
    return {"resourceSpans": [{"resource": {"attributes": facts},
                               "scopeSpans": [{"scope": {"name": "s"}, "spans": list(spans)}]}]}


def thread(label, number, **ranks):
    return {"host_id": "0123456789abcdef", "pid": number, "thread_label": label, **ranks}


def request(trace, at):
    """One request as SGLang's tracing and the journey layer write it: the exports of two processes."""
    decode = [span(trace, 20 + i, 6, "decode_loop", at + 5_000 + 1_000 * i, 1_000,
                   links=[(trace, 19 + i if i else 8)], attributes={"decode_ct": i}) for i in range(3)]
    return (export("tokenizer",
                   span(trace, 3, 2, "tokenize", at + 100, 900),
                   span(trace, 2, 1, "tokenizer", at + 100, 9_000, attributes=thread("tokenizer", 71)),
                   span(trace, 1, 0, "unified Req req-1", at, 10_000, kind=2, attributes={"rid": f"req-{trace}"}),
                   process_pid=71),
            export("scheduler",
                   span(trace, 7, 6, "prefill_waiting", at + 2_000, 1_000, links=[(trace, 3)]),
                   span(trace, 8, 6, "prefill_forward", at + 3_000, 2_000, links=[(trace, 7)],
                        events=[{"timeUnixNano": str(START + at + 3_500), "name": "schedule"}]),
                   *decode,
                   span(trace, 6, 1, "scheduler [TP 0]", at + 2_000, 7_000,
                        attributes=thread("scheduler", 72, tp_rank=0)),
                   process_pid=72))


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, *lines):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.writelines(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
        return self.path(name)

    def pack(self, name, *members):
        """Each by itself, one behind the other, as what is appended to a packed file stands there."""
        with open(self.path(name), "wb") as file:
            file.writelines(gzip.compress(member) for member in members)
        return self.path(name)

    def convert(self, *arguments, code=0, **extra):
        """The finished process; nothing but whole files may be left."""
        before = set(os.listdir(self.folder.name))
        done = tool.run("convert", *arguments, **extra)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        for name in set(os.listdir(self.folder.name)) - before:
            self.assertIn(os.path.splitext(name)[1], (".pftrace", ".json"), "left over")
        return done

    def both(self, *arguments, code=0):
        """The same timeline from both formats."""
        self.convert(*arguments, "-o", self.path("out.pftrace"), code=code)
        self.convert(*arguments, "--to", "chrome", "-o", self.path("out.json"), code=code)
        native, chrome = timeline.read(self.path("out.pftrace")), timeline.read(self.path("out.json"))
        self.assertEqual([(s.name, s.start, s.end, s.args, s.categories, s.flows_out, s.flows_in)
                          for s in native.slices],
                         [(s.name, s.start, s.end, s.args, s.categories, s.flows_out, s.flows_in)
                          for s in chrome.slices])
        self.assertEqual([i[1:] for i in native.instants], [i[1:] for i in chrome.instants])
        return native
