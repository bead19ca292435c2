"""An OTLP receiver of the official protobuf classes and gRPC: what arrives here, somebody else has understood."""
import gzip
import http.server
import threading
from concurrent import futures

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc


class Request:
    """One export: its message, or its body where that is JSON, and how it came."""

    def __init__(self, via, headers, message, body=b""):
        self.via = via
        self.headers = headers
        self.message = message
        self.body = body


class Receiver:
    """Takes OTLP by HTTP and gRPC on free ports until it is closed."""

    def __init__(self):
        self.requests = []
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()
        self.grpc = grpc.server(futures.ThreadPoolExecutor(4))
        rpc.add_TraceServiceServicer_to_server(self.servicer(), self.grpc)
        self.grpc_port = self.grpc.add_insecure_port("127.0.0.1:0")
        self.grpc.start()

    @property
    def http_endpoint(self):
        return f"http://127.0.0.1:{self.http.server_port}"

    @property
    def grpc_endpoint(self):
        return f"http://127.0.0.1:{self.grpc_port}"

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.grpc.stop(None).wait()

    def handler(self):
        requests = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                kind = headers["content-type"]
                message = None
                if kind == "application/x-protobuf":
                    message = service.ExportTraceServiceRequest.FromString(body)
                requests.append(Request(self.path, headers, message, body))
                answer = b"{}" if kind == "application/json" else service.ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        return Handler

    def servicer(self):
        requests = self.requests

        class Servicer(rpc.TraceServiceServicer):
            def Export(self, request, context):
                requests.append(Request("grpc", dict(context.invocation_metadata()), request))
                return service.ExportTraceServiceResponse()

        return Servicer()
