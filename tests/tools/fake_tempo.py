"""A query server that answers as Grafana Tempo does: whole seconds, a limit, ids in base64."""

import base64
import http.server
import json
import threading
import urllib.parse

SECOND = 10**9
POLL_S = 0.02  # how long the server's end may take


class Tempo:
    """`traces`: id (an integer) -> (service, start in ns).  `broken`: what every answer is instead, (status, body).
    `tenant`: the only one that has them.  `later`: traces that are there from the second search on."""

    def __init__(self, traces, broken=None, tenant=None, later=None):
        self.traces = traces
        self.tenant = tenant
        self.later = later or {}
        self.broken = broken
        self.asked = []
        handler = type("Bound", (Handler,), {"tempo": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"tempo+http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(POLL_S,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def search(self, query):
        low, high, limit = int(query["start"]), int(query["end"]), int(query["limit"])
        wanted = query.get("tags")
        found = [{"traceID": f"{number:x}", "rootServiceName": service, "startTimeUnixNano": str(start)}
                 for number, (service, start) in self.traces.items()
                 if low <= start // SECOND <= high and wanted in (None, f'service.name="{service}"')]
        return {"traces": found[:limit], "metrics": {}} if found else {"metrics": {}}

    def trace(self, number):
        service, start = self.traces[number]
        spans = [{"traceId": base64.b64encode(number.to_bytes(16, "big")).decode(),
                  "spanId": base64.b64encode((number * 16 + place).to_bytes(8, "big")).decode(),
                  **({"parentSpanId": base64.b64encode((number * 16).to_bytes(8, "big")).decode()} if place else {}),
                  "name": f"work {place}", "kind": "SPAN_KIND_SERVER",
                  "startTimeUnixNano": str(start + place), "endTimeUnixNano": str(start + 100)} for place in (0, 1)]
        attribute = {"key": "service.name", "value": {"stringValue": service}}
        return {"batches": [{"resource": {"attributes": [attribute]}, "scopeSpans": [{"scope": {"name": "s"}, "spans": spans}]}]}


class Handler(http.server.BaseHTTPRequestHandler):
    tempo = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        self.tempo.asked.append((url.path, query))
        status, body = 200, None
        if self.tempo.tenant and self.headers["X-Scope-OrgID"] != self.tempo.tenant:
            status, body = 401, "no org id"
        elif self.tempo.broken:
            status, body = self.tempo.broken
        elif url.path == "/api/search":
            body = json.dumps(self.tempo.search(query))
            self.tempo.traces.update(self.tempo.later)
        elif url.path.startswith("/api/traces/"):
            number = int(url.path.rsplit("/", 1)[1], 16)
            if number in self.tempo.traces:
                body = json.dumps(self.tempo.trace(number), indent=1)
            else:
                status, body = 404, "trace not found"
        else:
            status, body = 404, "404 page not found"
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())
