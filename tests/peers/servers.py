"""Jaeger and the OpenTelemetry Collector as processes on free ports, for as long as a test needs them."""
import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import peers

JAEGER = """
service:
  extensions: [jaeger_storage, jaeger_query, healthcheckv2]
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [jaeger_storage_exporter]}}
  telemetry: {{metrics: {{level: none}}}}
extensions:
  healthcheckv2: {{use_v2: true, http: {{endpoint: "127.0.0.1:{health}"}}}}
  jaeger_query:
    storage: {{traces: store}}
    enable_tracing: false
    http: {{endpoint: "127.0.0.1:{query}"}}
    grpc: {{endpoint: "127.0.0.1:{query_grpc}"}}
  jaeger_storage: {{backends: {{store: {store}}}}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{grpc}"}}, http: {{endpoint: "127.0.0.1:{http}"}}}}}}
processors: {{batch: {{timeout: 50ms}}}}
exporters: {{jaeger_storage_exporter: {{trace_storage: store}}}}
"""

STORES = {
    "memory": "{memory: {max_traces: 1000}}",
    "badger": "{badger: {directories: {keys: FOLDER/keys, values: FOLDER/values}, ephemeral: false}}",
}

# As llm-d deploys it, and a file beside: noise filter, batch, OTLP to a backend over gRPC and over HTTP.
COLLECTOR = """
extensions: {{health_check: {{endpoint: "127.0.0.1:{health}"}}}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{grpc}"}}, http: {{endpoint: "127.0.0.1:{http}"}}}}}}
processors:
  filter/drop-metrics-scraping:
    error_mode: ignore
    traces:
      span:
        - attributes["url.path"] == "/metrics"
        - attributes["http.route"] == "/metrics"
        - name == "GET /metrics"
        - name == "GET"
  batch: {{timeout: 50ms, send_batch_size: 1024}}
exporters:
  file: {{path: "{folder}/traces.jsonl", flush_interval: 50ms}}
  otlp_grpc: {{endpoint: "{to_grpc}", tls: {{insecure: true}}}}
  otlp_http: {{endpoint: "{to_http}", compression: gzip}}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces:
      receivers: [otlp]
      processors: [filter/drop-metrics-scraping, batch]
      exporters: [{exporters}]
"""


@contextlib.contextmanager
def held_ports(count):
    """Nobody else is given them meanwhile; programs of Go, which set SO_REUSEADDR, can listen on them all the same."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", 0))
        yield [one.getsockname()[1] for one in sockets]


def until(what, found):
    """Asks again until there is an answer; a guard ends it."""
    give_up = time.monotonic() + peers.TIMEOUT
    while time.monotonic() < give_up:
        answer = found()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen in {peers.TIMEOUT} s")


class Server:
    """A program with a configuration of ours."""
    kept = None

    def __init__(self, program, template, health_path, **more):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="spanwire-peer-"))
        names = ("health", "query", "query_grpc", "grpc", "http")
        config = self.folder / "config.yaml"
        self.log = open(self.folder / "log", "wb")
        with held_ports(len(names)) as ports:
            self.ports = dict(zip(names, ports))
            text = template.format(folder=self.folder, **self.ports, **more)
            config.write_text(text.replace("FOLDER", str(self.folder)))
            self.process = subprocess.Popen([program, "--config", str(config)], stdin=subprocess.DEVNULL,
                                            stdout=self.log, stderr=self.log)
            until(f"{program} ready", lambda: self.get("health", health_path) is not None)

    def get(self, port, path):
        """The body; None when there is no good answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=10) as answer:
                return answer.read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def endpoint(self, protocol):
        return f"http://127.0.0.1:{self.ports['grpc' if protocol == 'grpc' else 'http']}"

    def close(self):
        self.process.terminate()
        self.process.wait(peers.TIMEOUT)
        self.log.close()
        shutil.rmtree(self.folder)


class Jaeger(Server):
    """`store`: a key of STORES; `kept`: makes of a span what is left of it there; None: it is whole."""

    def __init__(self, store="memory", kept=None):
        self.kept = kept
        super().__init__(peers.peer("JAEGER"), JAEGER, "/status", store=STORES[store])

    def trace(self, trace_id, spans):
        """The ResourceSpans of a trace as they were sent, once it has so many spans."""
        def found():
            body = self.get("query", f"/api/v3/traces/{trace_id}?raw_traces=true")
            resources = json.loads(body)["result"]["resourceSpans"] if body else []
            count = sum(len(scope["spans"]) for one in resources for scope in one["scopeSpans"])
            return resources if count >= spans else None

        return until(f"trace {trace_id} in Jaeger", found)


class Collector(Server):
    """`backend`, if there is one, gets everything by gRPC; `protocol` http/protobuf: by HTTP."""

    def __init__(self, backend=None, protocol="grpc"):
        grpc, http = (backend.endpoint(p) if backend else "http://127.0.0.1:1" for p in ("grpc", "http/protobuf"))
        forward = ["otlp_grpc" if protocol == "grpc" else "otlp_http"] if backend else []
        super().__init__(peers.peer("COLLECTOR"), COLLECTOR, "/", to_grpc=grpc.removeprefix("http://"), to_http=http,
                         exporters=", ".join(["file", *forward]))

    def validate(self):
        """What `otelcol validate` ends with, and says."""
        done = subprocess.run([peers.peer("COLLECTOR"), "validate", "--config", str(self.folder / "config.yaml")],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=peers.TIMEOUT,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    def trace(self, trace_id, spans):
        def found():
            lines = (self.folder / "traces.jsonl").read_text().splitlines()
            resources = [one for line in lines for one in json.loads(line)["resourceSpans"]
                         if any(span["traceId"] == trace_id for scope in one["scopeSpans"] for span in scope["spans"])]
            count = sum(len(scope["spans"]) for one in resources for scope in one["scopeSpans"])
            return resources if count >= spans else None

        return until(f"trace {trace_id} in the collector's file", found)
