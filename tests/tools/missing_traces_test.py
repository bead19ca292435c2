"""Each line that docs/how-to/missing-traces.md quotes from the log is what the log says in that case."""
import http.server
import os
import pathlib
import re
import socket
import threading
import unittest

from receiving import Receive
from tool import closed_port, run

ROOT = pathlib.Path(os.environ.get("SPANWIRE_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
PAGE = (ROOT / "docs/how-to/missing-traces.md").read_text(encoding="utf-8")


class NotThere(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"<html>not here</html>"
        self.send_response(404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class MissingTraces(unittest.TestCase):
    def check(self, quoted, **variables):
        """The quotation stands in the page, and its parts, in order, in one line of the log."""
        self.assertIn(f"`{quoted}`", PAGE)
        done = run("call", "tcp://127.0.0.1:1", "echo", OTEL_LOG_LEVEL="info", OTEL_SERVICE_NAME="s",
                   OTEL_BSP_SCHEDULE_DELAY="10", **variables)
        log = done.stderr.decode()
        pattern = ".*".join(re.escape(part.strip()) for part in quoted.split("…"))
        self.assertRegex(log, pattern)

    def endpoint(self, port, scheme="http", timeout_ms=30_000):
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{scheme}://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_TIMEOUT": str(timeout_ms)}

    def test_every_row_has_what_is_seen_what_it_means_and_what_to_do(self):
        rows = [line for line in PAGE.splitlines() if line.startswith("|") and not line.startswith("|---")]
        self.assertGreater(len(rows), 25)
        for row in rows:
            self.assertTrue(all(cell.strip() for cell in row.replace(r"\|", "").strip("|").split("|")), row)

    def test_nothing_is_configured(self):
        self.check("tracing is off: set OTEL_EXPORTER_OTLP_ENDPOINT or SPANWIRE_TRACES_FILE; contexts are passed on")
        self.check("tracing is off (OTEL_SDK_DISABLED): contexts are passed on", OTEL_SDK_DISABLED="true", **self.endpoint(1))
        self.check("spans are not exported (OTEL_TRACES_EXPORTER=none)", OTEL_TRACES_EXPORTER="none")

    def test_a_sampler_that_is_off_or_not_known(self):
        self.check("sampler AlwaysOffSampler", OTEL_TRACES_SAMPLER="always_off", **self.endpoint(1))
        self.check("an environment variable is not used as it stands variable=\"OTEL_TRACES_SAMPLER='allways_on': not a known "
                   "sampler: using parentbased_always_on\"", OTEL_TRACES_SAMPLER="allways_on", **self.endpoint(1))

    def test_nobody_is_there(self):
        with closed_port() as port:
            self.check("an exporter failed … connect_failed … Couldn't connect to server",
                       **self.endpoint(port, timeout_ms=2_000))
        self.check("… resolve_failed", OTEL_EXPORTER_OTLP_ENDPOINT="http://collector.invalid.:4318")

    def test_somebody_else_is_there(self):
        with Receive() as receive:
            self.check("… export_tls_failed … wrong version number", **self.endpoint(receive.port, "https"))
            self.check("… if this is the port of OTLP over HTTP, set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
                       OTEL_EXPORTER_OTLP_PROTOCOL="grpc", **self.endpoint(receive.port))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), NotThere) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            self.check("… export_refused … HTTP 404", **self.endpoint(server.server_port))
            server.shutdown()
            thread.join()

    def test_somebody_who_does_not_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as mute:
            self.check("spans were lost … by_reason=\"export_timeout …\"", **self.endpoint(mute.getsockname()[1], timeout_ms=300))

    def test_a_file_in_a_folder_that_is_not_there(self):
        self.check("… file_open_failed … No such file or directory", SPANWIRE_TRACES_FILE="/nonexistent/traces.jsonl")


if __name__ == "__main__":
    unittest.main()
