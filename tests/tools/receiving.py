"""`spanwire receive` on free ports, spans to send to it, and what it needs."""
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import tempfile
import time

from tool import GUARD_S, TOOL, clean_environment, is_sanitized

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PROTOBUF, JSON = "application/x-protobuf", "application/json"


def span(number, parent=0, name="work", trace=TRACE, **extra):
    start = time.time_ns()
    made = {"traceId": trace, "spanId": f"{number:016x}", "name": name, "kind": 2, "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + 1_000_000), **extra}
    if parent:
        made["parentSpanId"] = f"{parent:016x}"
    return made


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def field(tag, content):
    return varint(tag << 3 | 2) + varint(len(content)) + content


def protobuf(number=1, name=b"by protobuf", trace=TRACE):
    """A request with one span, by hand."""
    now = time.time_ns()
    one = (field(1, bytes.fromhex(trace)) + field(2, number.to_bytes(8, "big")) + field(5, name) + b"\x30\x02" +
           b"\x39" + now.to_bytes(8, "little") + b"\x41" + (now + 1000).to_bytes(8, "little"))
    service = field(1, field(1, b"service.name") + field(2, field(1, b"shop")))
    return field(1, field(1, service) + field(2, field(2, one)))


def request(*spans, service="shop"):
    return {"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
        "scopeSpans": [{"scope": {"name": "t"}, "spans": list(spans)}]}]}


def wait_until(true):
    deadline = time.monotonic() + GUARD_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Receive:
    """The command on free ports, from `with` to its end."""

    def __init__(self, *options, settle="20ms", patience="60ms", descriptors=None, **variables):
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [TOOL, "receive", "--grpc-port", "0", "--http-port", "0", "--output", self.folder.name, "--settle", settle,
             "--patience", patience, *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment(**variables),
            text=True, preexec_fn=descriptors and (
                lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))))
        self.seen = ""
        self.until("writing to")
        self.grpc_port, self.port = (int(re.search(rf"http://\S+:(\d+) for OTLP over {name}", self.seen)[1])
                                     for name in ("gRPC", "HTTP"))

    def until(self, wanted):
        """All that was printed, once `wanted` is."""
        while wanted not in self.seen:
            line = self.process.stdout.readline()
            assert line, self.seen + self.process.stderr.read()
            self.seen += line
        return self.seen

    def post(self, body, kind=PROTOBUF, path="/v1/traces", method="POST", **headers):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=GUARD_S)
        names = {"Content-Type": kind} if kind else {}
        names.update({name.replace("_", "-"): value for name, value in headers.items()})
        connection.request(method, path, body, names)
        answer = connection.getresponse()
        result = (answer.status, answer.headers, answer.read())
        connection.close()
        return result

    def send(self, *spans, **extra):
        status, _, body = self.post(json.dumps(request(*spans, **extra)), JSON)
        assert status == 200, body
        return json.loads(body)

    def stop(self, sign=signal.SIGINT):
        """(exit code, all output, all errors)"""
        self.process.send_signal(sign)
        out, err = self.process.communicate(timeout=GUARD_S)
        self.seen += out
        return self.process.returncode, self.seen, err

    def file(self, name):
        with open(os.path.join(self.folder.name, name), encoding="utf-8") as file:
            return file.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.folder.cleanup()


def memory_kib(receive):
    """The most that it ever had; not to be asked of a sanitizer, which keeps what is freed."""
    if is_sanitized():
        return 0
    with open(f"/proc/{receive.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


class Peer:
    """A socket to one of the ports."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=GUARD_S)

    def say(self, *parts):
        """False when the other side has closed."""
        try:
            for part in parts:
                self.socket.sendall(part)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def rest(self):
        """All that comes until the other side closes."""
        got = b""
        try:
            while block := self.socket.recv(65536):
                got += block
        except ConnectionResetError:
            pass
        return got

    def until(self, wanted):
        got = b""
        while wanted not in got:
            block = self.socket.recv(65536)
            assert block, got
            got += block
        return got

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
