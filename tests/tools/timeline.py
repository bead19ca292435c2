"""Reads what `spanwire convert` writes, by the formats' own rules, and refuses what an importer would.

Both formats become one Timeline, so that they can be compared.  Nothing here is shared with the writer: the
protobuf decoder knows the wire format and the numbers of the fields, no more."""

import collections
import dataclasses
import json
import struct


@dataclasses.dataclass
class Slice:
    track: int
    name: str
    start: int
    end: int
    args: dict
    categories: list
    flows_out: list
    flows_in: list


@dataclasses.dataclass
class Timeline:
    tracks: dict = dataclasses.field(default_factory=dict)  # id -> (kind, name, parent)
    slices: list = dataclasses.field(default_factory=list)
    instants: list = dataclasses.field(default_factory=list)  # (track, name, time, args)
    counters: dict = dataclasses.field(default_factory=lambda: collections.defaultdict(list))  # name -> values

    def named(self, name):
        return [s for s in self.slices if s.name == name]

    def track_name(self, item):
        return self.tracks[item.track][1]


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """{field: [values]} of one message; nested messages stay bytes."""
    found = collections.defaultdict(list)
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif kind == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            assert len(value) == size, "cut off"
        else:
            raise AssertionError(f"wire type {kind}")
        found[key >> 3].append(value)
    return found


def signed(value):
    return value - (1 << 64) if value >> 63 else value


class Native:
    """Packet by packet, as Perfetto's importer does."""

    def __init__(self, data):
        self.timeline = Timeline()
        self.interned = {}  # (field of InternedData, iid) -> text
        self.open = collections.defaultdict(list)  # track -> slices that have begun
        self.last = 0
        self.cleared = False
        self.counter_tracks = {}
        for packet in fields(data)[1]:
            self.packet(fields(packet))
        assert not any(self.open.values()), "a slice without an end"

    def packet(self, packet):
        if 12 in packet:
            assert packet[13] == [1]
            self.cleared = True
            for number, entries in fields(packet[12][0]).items():
                for entry in map(fields, entries):
                    assert (number, entry[1][0]) not in self.interned
                    self.interned[number, entry[1][0]] = entry[2][0].decode()
        if 60 in packet:
            self.descriptor(fields(packet[60][0]))
        if 11 in packet:
            assert packet[10] == [1] and packet[13] == [2] and self.cleared
            time = packet[8][0]
            assert time >= self.last, "time goes back"
            self.last = time
            self.event(time, fields(packet[11][0]))

    def descriptor(self, track):
        kind = "process" if 3 in track else "thread" if 4 in track else "counter" if 8 in track else "lane"
        parent = track.get(5, [0])[0]
        assert track[1][0] not in self.timeline.tracks, "a track twice"
        assert parent == 0 or parent in self.timeline.tracks, "a parent that is not known"
        self.timeline.tracks[track[1][0]] = (kind, track[2][0].decode(), parent)

    def text(self, item, inline, interned, table):
        if inline in item:
            return item[inline][0].decode()
        return self.interned[table, item[interned][0]]

    def event(self, time, event):
        track, kind = event[11][0], event[9][0]
        assert track in self.timeline.tracks, "a track that is not known"
        if kind == 1:
            made = Slice(track, self.text(event, 23, 10, 2), time, None, self.annotations(event[4]),
                         [self.interned[1, iid] for iid in event[3]] + [c.decode() for c in event[22]],
                         event[47], event[48])
            self.timeline.slices.append(made)
            self.open[track].append(made)
        elif kind == 2:
            self.open[track].pop().end = time
        elif kind == 3:
            self.timeline.instants.append((track, self.text(event, 23, 10, 2), time, self.annotations(event[4])))
        else:
            assert kind == 4
            self.timeline.counters[self.timeline.tracks[track][1]].append(signed(event[30][0]))

    def annotations(self, items):
        return {self.text(item, 10, 1, 3): self.value(item) for item in map(fields, items)}

    def value(self, item):
        if 2 in item:
            return bool(item[2][0])
        if 4 in item:
            return signed(item[4][0])
        if 5 in item:
            return struct.unpack("<d", struct.pack("<Q", item[5][0]))[0]
        if 6 in item:
            return item[6][0].decode()
        if 12 in item:
            return [self.value(fields(entry)) for entry in item[12]]
        return self.annotations(item[11])


def chrome(text):
    document = json.loads(text)
    base = document["baseTimeNanoseconds"]
    timeline = Timeline()

    def nanoseconds(number):
        return round(number * 1000)

    last = {}
    for event in document["traceEvents"]:
        place = event["pid"] << 32 | event["tid"]
        assert 0 < event["pid"] < 1 << 32 and 0 < event["tid"] < 1 << 32
        phase = event["ph"]
        start = base + nanoseconds(event.get("ts", 0))
        if phase == "M":
            if event["name"] in ("process_name", "thread_name"):
                kind = event["name"].removesuffix("_name")
                timeline.tracks[place] = (kind, event["args"]["name"], 0)
        elif phase == "X":
            assert place in timeline.tracks
            last[place] = Slice(place, event["name"], start, start + nanoseconds(event["dur"]), event["args"],
                                event["cat"].split(","), [], [])
            timeline.slices.append(last[place])
        elif phase in "sf":
            # It binds to the slice that is open there: the one that was written just before.
            assert start == last[place].start and (phase == "s" or event["bp"] == "e")
            (last[place].flows_out if phase == "s" else last[place].flows_in).append(event["id"])
        elif phase == "i":
            timeline.instants.append((place, event["name"], start, event["args"]))
        else:
            assert phase == "C"
            timeline.counters[event["name"]].append(event["args"]["value"])
    return timeline


def check(timeline):
    """Slices of a track nest, and every arrow leads from one slice to one that does not start before it."""
    stacks = collections.defaultdict(list)
    for item in timeline.slices:
        assert item.start <= item.end
        stack = stacks[item.track]
        while stack and stack[-1].end <= item.start:
            stack.pop()
        if stack:
            assert item.end <= stack[-1].end, f"{item.name} sticks out of {stack[-1].name}"
        assert len(stack) < 512
        stack.append(item)
    sources = {flow: item for item in timeline.slices for flow in item.flows_out}
    targets = {flow: item for item in timeline.slices for flow in item.flows_in}
    assert sources.keys() == targets.keys(), "an arrow with one end"
    assert len(sources) == sum(len(item.flows_out) for item in timeline.slices), "an arrow that starts twice"
    assert len(targets) == sum(len(item.flows_in) for item in timeline.slices), "an arrow that ends twice"
    for flow, source in sources.items():
        assert source.start <= targets[flow].start
    return timeline


def arrows(timeline):
    """{(name of the source, name of the target): count}"""
    targets = {flow: item for item in timeline.slices for flow in item.flows_in}
    return collections.Counter((item.name, targets[flow].name) for item in timeline.slices for flow in item.flows_out)


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    return check(chrome(data) if data.startswith(b"{") else Native(data).timeline)
