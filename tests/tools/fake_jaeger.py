"""A query server that plays the versions of Jaeger, and the ways in which a server can go wrong."""

import contextlib
import http.server
import json
import socket
import struct
import threading
import time
import urllib.parse

HTML = b"<!doctype html><html><body>This is not the Jaeger UI you are looking for!</body></html>"
MAX_TRACES = 100_000
POLL_S = 0.02  # how long the server's end may take


def error(code, message):
    return code, json.dumps({"error": {"httpCode": code, "message": message}}).encode()


class Jaeger:
    """`profile`: "2.13" reads num_traces only, "2.20" both names of the depth.  `spans` are dicts with
    service, traceId, spanId, start (nanoseconds), perhaps a name; each is a resource of its own, unless `one_resource`
    makes all of an answer one.  `fault` is one of the words in `Handler.broken`."""

    def __init__(self, spans=(), profile="2.20", fault=None, max_traces=MAX_TRACES, one_resource=False):
        self.one_resource = one_resource
        self.spans = list(spans)
        self.profile = profile
        self.fault = fault
        self.max_traces = max_traces
        self.asked = []
        self.release = threading.Event()
        handler = type("Bound", (Handler,), {"jaeger": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(POLL_S,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def services(self):
        return sorted({span["service"] for span in self.spans})

    def answer(self, path, query):
        """(status, body) as a server of this version gives them."""
        if path == "/api/v3/services":
            services = self.services()
            if not services and self.profile == "2.13":
                return 200, b"{}"
            return 200, json.dumps({"services": services}).encode()
        if path.startswith("/api/v3/traces/"):
            wanted = path.rsplit("/", 1)[1].lower().rjust(32, "0")
            found = [span for span in self.spans if span["traceId"] == wanted]
            return self.result(found) if found else error(404, "No traces found")
        if path == "/api/v3/traces":
            return self.search(query)
        if self.profile == "2.13":
            return 200, HTML
        return 404, b"404 page not found"

    def depth(self, query):
        names = ["query.num_traces"]
        if self.profile != "2.13":
            names = ["query.searchDepth", "query.search_depth", "query.num_traces"]
        for name in names:
            if name in query:
                return int(query[name])
        return 0 if self.profile == "2.13" else 100

    def search(self, query):
        if "query.start_time_min" not in query or "query.start_time_max" not in query:
            return error(400, "query.start_time_min and query.start_time_max are required")
        depth = self.depth(query)
        if depth <= 0 or depth > self.max_traces:
            return error(500, "search depth must be greater than 0 and less than max traces")
        low, high = (nanoseconds(query["query.start_time_" + end]) for end in ("min", "max"))
        service = query.get("query.service_name", "")
        hits = []
        for span in self.spans:
            if service in ("", span["service"]) and low <= span["start"] <= high:
                if span["traceId"] not in hits:
                    hits.append(span["traceId"])
        hits = hits[-depth:]
        found = [span for span in self.spans if span["traceId"] in hits]
        return self.result(found) if found else error(404, "No traces found")

    def result(self, spans):
        resources = []
        for span in spans:
            attribute = {"key": "service.name", "value": {"stringValue": span["service"]}}
            made = {
                "traceId": span["traceId"],
                "spanId": span["spanId"],
                "name": span.get("name", "work"),
                "kind": 2,
                "startTimeUnixNano": str(span["start"]),
                "endTimeUnixNano": str(span["start"] + 1000),
                "status": {},
            }
            if self.one_resource and resources:
                resources[0]["scopeSpans"][0]["spans"].append(made)
                continue
            scope = {"scope": {}, "spans": [made]}
            resources.append({"resource": {"attributes": [attribute]}, "scopeSpans": [scope]})
        return 200, json.dumps({"result": {"resourceSpans": resources}}).encode()


def nanoseconds(text):
    """Of the one form that every server takes."""
    whole, fraction = text.removesuffix("Z").split(".")
    assert len(fraction) == 9 and text.endswith("Z"), text
    return int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone) * 10**9 + int(fraction)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    jaeger = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, strict_parsing=bool(url.query)))
        self.jaeger.asked.append((url.path, query))
        if self.jaeger.fault and url.path != "/api/v3/services":
            self.broken(self.jaeger.fault)
            return
        status, body = self.jaeger.answer(url.path, query)
        self.send(status, body)

    def send(self, status, body, length=None):
        self.send_response(status)
        # As the real one: the type says little, and this header is empty.
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Traceresponse", "")
        self.send_header("Content-Length", str(length if length is not None else len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)
        self.close_connection = True

    def broken(self, fault):
        if fault == "hang":
            self.jaeger.release.wait(60)
            self.close_connection = True
        elif fault == "html":
            self.send(200, HTML)
        elif fault == "cut":
            self.send(200, b'{"result":{"resourceSpans":[', length=5000)
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.send(200, b'{"result":{"resourceSpans":[', length=5000)
        elif fault == "half":
            self.send(200, b'{"result":{"resourceSpans":[{"resource"')
        elif fault == "empty":
            self.send(200, b"")
        elif fault == "other":
            self.send(200, b'{"data":[]}')
        elif fault == "refused":
            self.send(*error(400, "malformed parameter query.start_time_min"))
        elif fault == "no answer":
            self.close_connection = True
            self.connection.close()
        elif fault == "foreign":
            spans = [dict(span, service="stranger") for span in self.jaeger.spans]
            self.send(*self.jaeger.result(spans))
        elif fault.startswith("huge "):
            self.stream(int(fault.split()[1]))

    def stream(self, megabytes):
        """One trace of so many megabytes, chunked, as the real server sends long answers."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

        def chunk(text):
            self.wfile.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")

        _, whole = self.jaeger.result(self.jaeger.spans)
        head, tail = whole.split(b'"spans": [', 1)
        span, tail = tail[: tail.index(b"]}]}")], tail[tail.index(b"]}]}") :]
        with contextlib.suppress(OSError):
            chunk(head + b'"spans": [' + span)
            many = (b"," + span) * (2**20 // (len(span) + 1))
            for _ in range(megabytes):
                chunk(many)
            chunk(tail)
            self.wfile.write(b"0\r\n\r\n")
