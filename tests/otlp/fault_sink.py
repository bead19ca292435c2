"""An OTLP receiver that misbehaves as it is told, for the tests of the exporter.

usage: fault_sink.py STEPS [--http2] [--unix PATH] [--tls FOLDER [--client]] [--connect STATUS]

STEPS is a JSON list: what to do with the first request, the second, and so on; the last one holds for all that
follow.  A step is an object; without anything, the request is answered with 200.
  status, headers, body, type   an HTTP answer; body as text, or as hex behind "hex:"; a header "in 2 s" is that date
  grpc, trailers, message       a gRPC answer: its status, more trailers, grpc-message; "bare": without a body
  spans_max, bytes_max          a larger request is answered by the step's answer, a smaller one with success
  cut                           "before" the answer or in the "middle" of it the connection is closed; "request": it is
                                broken while the request is still on its way (HTTP/1.1, told without its spans)
  after                         seconds until the answer
  hang                          no answer at all
With --connect it is a proxy and what lies behind it: each connection begins with a CONNECT, which is told as a
request and answered by STATUS.
Prints "ready PORT", then a JSON line for each request.  Ends when its standard input does.
"""
import argparse
import email.utils
import gzip
import http.server
import itertools
import json
import os
import re
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading
import time

lock = threading.Lock()
numbers = itertools.count(1)
connections = itertools.count(1)


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
        shift += 7


def fields(data):
    """(number, value) of each field of a protobuf message."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        else:
            size, at = varint(data, at) if tag & 7 == 2 else ({1: 8, 5: 4}[tag & 7], at)
            value, at = data[at:at + size], at + size
        yield tag >> 3, value


def spans_of(request):
    """The names of the spans in an ExportTraceServiceRequest."""
    return [dict(fields(span))[5].decode() for resource in (v for n, v in fields(request) if n == 1)
            for scope in (v for n, v in fields(resource) if n == 2) for span in (v for n, v in fields(scope) if n == 2)]


def json_spans_of(request):
    return [span["name"] for resource in json.loads(request)["resourceSpans"]
            for scope in resource["scopeSpans"] for span in scope["spans"]]


def next_step(steps):
    with lock:
        return steps[min(next(numbers), len(steps)) - 1]


def take(step, connection, path, headers, message, json_body=False):
    """Reports a request; returns its step, or an empty one when the request is as small as the step wants."""
    names = json_spans_of(message) if json_body else spans_of(message)
    with lock:
        print(json.dumps({"connection": connection, "path": path, "headers": headers, "bytes": len(message),
                          "spans": names}), flush=True)
    fits = len(names) <= step.get("spans_max", 1 << 60) and len(message) <= step.get("bytes_max", 1 << 60)
    bounded = "spans_max" in step or "bytes_max" in step
    return {} if bounded and fits else step


def body_of(step):
    body = step.get("body", "")
    return bytes.fromhex(body[4:]) if body.startswith("hex:") else body.encode()


class Http(http.server.BaseHTTPRequestHandler):
    """HTTP/1.1."""
    protocol_version = "HTTP/1.1"
    steps = []

    def setup(self):
        self.number = next(connections)
        super().setup()

    def do_POST(self):
        step = next_step(self.steps)
        if step.get("cut") == "request":
            return self.break_off()
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        step = take(step, self.number, self.path, headers, body, "json" in headers.get("content-type", ""))
        if step.get("hang"):
            threading.Event().wait()
        if step.get("cut") == "before":
            self.close_connection = True
            return
        threading.Event().wait(step.get("after", 0))
        self.answer(step)

    def break_off(self):
        """With a reset, as of a process that dies."""
        self.rfile.read(1)
        take({}, self.number, self.path, {}, b"")
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def answer(self, step):
        body = body_of(step)
        self.send_response(step.get("status", 200))
        self.send_header("Content-Type", step.get("type", "application/x-protobuf"))
        for name, value in step.get("headers", {}).items():
            seconds = re.fullmatch(r"in (\d+) s", value)
            self.send_header(name, email.utils.formatdate(time.time() + int(seconds[1]), usegmt=True) if seconds else value)
        cut = step.get("cut") == "middle"
        self.send_header("Content-Length", str(len(body) + (10 if cut else 0)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection |= cut

    def log_message(self, *_):
        pass


DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def hpack(pairs):
    """Header fields as literals without an index and without Huffman's code."""
    def text(value):
        data = value.encode()
        return (bytes([len(data)]) if len(data) < 127 else b"\x7f" + varint_of(len(data) - 127)) + data

    return b"".join(b"\0" + text(name) + text(value) for name, value in pairs)


def varint_of(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


class Http2(socketserver.StreamRequestHandler):
    """HTTP/2 with prior knowledge, as much of it as one exporter uses; gRPC's answers."""
    steps = []

    def frame(self, kind, flags, stream, payload=b""):
        self.wfile.write(struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload)

    def handle(self):
        number = next(connections)
        largest = (1 << 31) - 1
        self.frame(SETTINGS, 0, 0, struct.pack(">HI", 4, largest))
        self.frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", largest - 65535))
        if self.rfile.read(24) != b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
            return
        bodies = {}
        while True:
            head = self.rfile.read(9)
            if len(head) < 9:
                return
            size, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
            payload = self.rfile.read(size)
            if kind == SETTINGS and not flags & ACK:
                self.frame(SETTINGS, ACK, 0)
            elif kind == PING and not flags & ACK:
                self.frame(PING, ACK, 0, payload)
            elif kind == DATA:
                bodies[stream] = bodies.get(stream, b"") + payload
                if flags & END_STREAM and not self.answer(number, stream, bodies.pop(stream)):
                    return

    def answer(self, number, stream, body):
        """False when the connection is to be closed."""
        compressed, size = body[0], int.from_bytes(body[1:5], "big")
        assert size == len(body) - 5, "gRPC's prefix"
        message = gzip.decompress(body[5:]) if compressed else body[5:]
        step = take(next_step(self.steps), number, "grpc", {"compressed": str(compressed)}, message)
        if step.get("hang"):
            threading.Event().wait()
        if step.get("cut") == "before":
            return False
        threading.Event().wait(step.get("after", 0))
        status = str(step.get("status", 200))
        head = [(":status", status), ("content-type", step.get("type", "application/grpc"))]
        trailers = list(step.get("trailers", {}).items())
        if "grpc" in step or status == "200":
            trailers.append(("grpc-status", str(step.get("grpc", 0))))
        if "message" in step:
            trailers.append(("grpc-message", step["message"]))
        if step.get("bare"):
            self.frame(HEADERS, END_HEADERS | END_STREAM, stream, hpack(head + trailers))
            return True
        self.frame(HEADERS, END_HEADERS, stream, hpack(head))
        answer = body_of(step)
        self.frame(DATA, 0, stream, struct.pack(">BI", 0, len(answer)) + answer)
        if step.get("cut") == "middle":
            return False
        self.frame(HEADERS, END_HEADERS | END_STREAM, stream, hpack(trailers))
        return True


def make_certificates(folder):
    """An authority, and by it a server for localhost and a client."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "2")
    for name in ("localhost", "client"):
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}",
                "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", f"{name}.pem",
                "-days", "2", "-copy_extensions", "copy", "-CAcreateserial")


def tls_context(folder, client, http2):
    make_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/localhost.pem", f"{folder}/localhost.key")
    context.set_alpn_protocols(["h2"] if http2 else ["http/1.1"])
    if client:
        context.load_verify_locations(f"{folder}/ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    context = None
    connect = None

    def get_request(self):
        connection, address = super().get_request()
        if self.connect is not None:
            self.begin_tunnel(connection)
        if self.context is not None:
            connection = self.context.wrap_socket(connection, server_side=True)
        return connection, address if address else ("unix", 0)

    def begin_tunnel(self, connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)  # not one that belongs to the tunnel
            if not byte:
                raise OSError("no CONNECT")
            head += byte
        words = head.decode().split()
        with lock:
            print(json.dumps({"connection": 0, "path": " ".join(words[:2]), "headers": {}, "bytes": 0, "spans": []}),
                  flush=True)
        connection.sendall(b"HTTP/1.1 %d Told\r\nContent-Length: 0\r\n\r\n" % self.connect if self.connect != 200
                           else b"HTTP/1.1 200 Told\r\n\r\n")

    def handle_error(self, *_):
        """A client that goes away, or a handshake that fails, is what some tests are about."""


class UnixServer(Server):
    address_family = socket.AF_UNIX


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", type=json.loads)
    parser.add_argument("--http2", action="store_true")
    parser.add_argument("--unix", metavar="PATH")
    parser.add_argument("--tls", metavar="FOLDER")
    parser.add_argument("--client", action="store_true")
    parser.add_argument("--connect", type=int, metavar="STATUS")
    options = parser.parse_args()
    handler = Http2 if options.http2 else Http
    handler.steps = options.steps
    server = UnixServer(options.unix, handler) if options.unix else Server(("127.0.0.1", 0), handler)
    server.connect = options.connect
    if options.tls:
        server.context = tls_context(options.tls, options.client, options.http2)
    print("ready", 0 if options.unix else server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
