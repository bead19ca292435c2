"""A serving system for one test: real processes on free ports, stopped and checked at its end."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import selectors
import subprocess
import tempfile
import time

ROOT = pathlib.Path(os.environ.get("SPANWIRE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2])).resolve()
BUILD = pathlib.Path(os.environ.get("SPANWIRE_BINARY_DIR", ROOT / "build" / "dev")).resolve()
MODEL = "spanwire-ngram"
GUARD = 120  # seconds after which a wait is a failure; nothing is timed


def body(text="What is a trace?", **more):
    return {"model": MODEL, "seed": 7, "messages": [{"role": "user", "content": text}], **more}


class Stream:
    """An answer as it comes: events() until the server has said [DONE]."""

    def __init__(self, connection, response):
        self.connection = connection
        self.response = response
        self.status = response.status
        self.headers = response.headers

    def events(self):
        for line in self.response:
            line = line.strip()
            if line == b"data: [DONE]":
                yield None
            elif line:
                assert line.startswith(b"data: "), line
                yield json.loads(line[6:])

    def text(self):
        """Reads to the end; fails if the end is missing or told wrongly."""
        events = list(self.events())
        self.close()
        assert events and events[-1] is None, events[-1:]
        deltas = [choice["delta"] for event in events[:-1] for choice in event["choices"]]
        return "".join(delta.get("content", "") for delta in deltas)

    def close(self):
        self.response.close()
        self.connection.close()


class Cluster:
    """with Cluster(...) as cluster: the processes; at its end they stop, and each has to end with 0."""

    def __init__(self, decode=1, prefill=1, worker=(), frontend=(), zmq=False):
        self.folder = tempfile.TemporaryDirectory(prefix="spanwire-serving-")
        self.path = pathlib.Path(self.folder.name)
        self.processes = {}
        self.killed = set()
        self.counts = decode, prefill
        self.zmq = zmq
        self.worker_arguments = ["--step-ms=1", "--prefill-us-per-token=0", *worker]
        self.frontend_arguments = list(frontend)
        self.address = None

    def __enter__(self):
        try:
            decode, prefill = self.counts
            role = "decode" if prefill else "both"
            workers = [self.start_worker(f"decode-{n}", role) for n in range(decode)]
            first = [self.start_worker(f"prefill-{n}", "prefill") for n in range(prefill)]
            arguments = ["--decode", ",".join(self.ready(name) for name in workers)]
            if first:
                arguments += ["--prefill", ",".join(self.ready(name) for name in first)]
            self.address = self.ready(self.start("frontend", "serving_frontend", *arguments,
                                                 *self.frontend_arguments)).removeprefix("http://")
        except BaseException:
            self.kill_all()
            raise
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        self.kill_all()
        self.folder.cleanup()

    def start_worker(self, name, role):
        over_zmq = ["--listen=zmq+tcp://127.0.0.1:0", f"--detokenizer=zmq+ipc://{self.path}/{name}.ipc"]
        return self.start(name, "serving_worker", f"--role={role}", *self.worker_arguments,
                          *(over_zmq if self.zmq else []))

    def start(self, name, program, *arguments):
        environment = dict(os.environ, SPANWIRE_TRACES_FILE=str(self.path / "traces-%p.jsonl"))
        with open(self.path / f"{name}.log", "wb") as log:
            self.processes[name] = subprocess.Popen(
                [str(BUILD / "bin" / program), "--corpus", str(ROOT), *arguments], env=environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        return name

    def log(self, name):
        return (self.path / f"{name}.log").read_text(errors="replace")

    def ready(self, name):
        process = self.processes[name]
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            line = process.stdout.readline().decode() if selector.select(GUARD) else ""
        assert line.startswith("ready "), f"{name}: {self.log(name)}"
        return line.split()[1]

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()
        self.killed.add(name)

    def stop(self):
        """Ends all in order, as an operator would."""
        for name in sorted(self.processes, key=lambda name: name != "frontend"):
            process = self.processes[name]
            process.terminate()
            code = process.wait(GUARD)
            assert name in self.killed or code == 0, f"{name} ended with {code}: {self.log(name)}"

    def kill_all(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
            process.stdout.close()

    # Requests

    def connect(self):
        return http.client.HTTPConnection(self.address, timeout=GUARD)

    def request(self, method, path, data=None, headers=None):
        """(status, headers, body) of a whole answer."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()

    def chat(self, headers=None, **fields):
        """A whole answer: (status, JSON)."""
        status, _, text = self.request("POST", "/v1/chat/completions", json.dumps(body(**fields)), headers)
        return status, json.loads(text)

    def stream(self, headers=None, **fields):
        """A streamed one, once its first bytes are there."""
        connection = self.connect()
        connection.request("POST", "/v1/chat/completions", json.dumps(body(stream=True, **fields)), headers or {})
        return Stream(connection, connection.getresponse())

    def metrics(self, of=""):
        """{name with labels: value} of the frontend, or of the worker "/0", "/1"."""
        status, headers, text = self.request("GET", "/metrics" + of)
        assert status == 200 and headers["Content-Type"].startswith("text/plain"), (status, text)
        return dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))

    def send(self, **fields):
        """Only sends: the connection."""
        connection = self.connect()
        connection.request("POST", "/v1/chat/completions", json.dumps(body(**fields)))
        return connection

    def health(self):
        return json.loads(self.request("GET", "/health")[2])

    def until(self, what, holds):
        """Asks for the health until `holds` of it; returns it."""
        limit = time.monotonic() + GUARD
        while True:
            health = self.health()
            if holds(health):
                return health
            assert time.monotonic() < limit, f"never: {what}: {json.dumps(health)}"
            time.sleep(0.02)

    # Traces, once stopped

    def spans(self):
        """Of all processes, in the order of their start: see span_of()."""
        found = []
        for path in sorted(self.path.glob("traces-*.jsonl")):
            for line in path.read_text().splitlines():
                for resource in json.loads(line)["resourceSpans"]:
                    attributes = plain(resource["resource"]["attributes"])
                    for scope in resource["scopeSpans"]:
                        found += [span_of(span, attributes) for span in scope["spans"]]
        return sorted(found, key=lambda span: span["start"])


def plain(attributes):
    def value(item):
        kind, content = next(iter(item.items()))
        return int(content) if kind == "intValue" else content
    return {attribute["key"]: value(attribute["value"]) for attribute in attributes}


def label(name):
    """Without what differs from run to run: a thread's host and number, a request's id."""
    return re.sub(r" ?\(host:.*|(?<= Req) [0-9a-f]{8}$", "", name)


def span_of(span, resource):
    return {"service": resource["service.name"], "instance": resource["service.instance.id"],
            "name": label(span["name"]), "trace": span["traceId"], "id": span["spanId"],
            "parent": span.get("parentSpanId", ""), "start": int(span["startTimeUnixNano"]),
            "attributes": plain(span.get("attributes", [])),
            "events": [event["name"] for event in span.get("events", [])],
            "links": [link["spanId"] for link in span.get("links", [])],
            "status": span.get("status", {}).get("code", 0)}


def orphans(spans, outside=()):
    """Spans whose parent nobody recorded."""
    known = {span["id"] for span in spans} | {"", *outside}
    return [span["name"] for span in spans if span["parent"] not in known]


def edges(spans):
    """{(service, name, parent's service, parent's name)}"""
    by_id = {span["id"]: span for span in spans}
    found = set()
    for span in spans:
        parent = by_id.get(span["parent"], {"service": "", "name": ""})
        found.add((span["service"], span["name"], parent["service"], parent["name"]))
    return found
