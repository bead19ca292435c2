#!/usr/bin/env python3
"""Calls a Spanwire server over ZeroMQ, with pyzmq and nothing else.  Prints the reply.

usage: zmq_client.py tcp://HOST:PORT PATH [TEXT]
The variables TRACEPARENT and TRACESTATE, where set, are the context that the call belongs to.
"""
import json
import os
import secrets
import struct
import sys

import zmq

HEADER = ">IIBBH"  # bytes of the other parts, id, type, flags, 0
REQUEST, REPLY, END = 2, 5, 1
CALL_ID = 1 << 11  # one call at a time may always use the same


def child_context():
    """Headers that carry the caller's context on, with a span of our own as the parent."""
    parent = os.environ.get("TRACEPARENT")
    trace_id, flags = (parent.split("-")[1], parent.split("-")[3]) if parent else (secrets.token_hex(16), "01")
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"}
    if parent and os.environ.get("TRACESTATE"):
        headers["tracestate"] = os.environ["TRACESTATE"]
    return headers


def call(socket, path, payload, headers, timeout_ms=30_000):
    """The reply's headers and payload.  Raises RuntimeError with the status when it is not ok."""
    parts = [path.encode(), json.dumps(headers).encode(), payload]
    socket.send_multipart([struct.pack(HEADER, sum(map(len, parts)), CALL_ID, REQUEST, END, 0), *parts])
    if not socket.poll(timeout_ms):
        raise RuntimeError("no reply in time")
    control, *rest = socket.recv_multipart()
    _, call_id, kind, _, _ = struct.unpack(HEADER, control)
    if (call_id, kind) != (CALL_ID, REPLY):
        raise RuntimeError("the server does not take this message and has closed")
    fixed, block, payload = rest
    if fixed and fixed[0] != 0:
        raise RuntimeError(f"status {fixed[0]}: {fixed[19:].decode()}")
    return json.loads(block or b"{}"), payload


def main():
    endpoint, path, text = (sys.argv[1:] + [""])[:3]
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(endpoint)
    headers = child_context()
    _, payload = call(socket, path, text.encode(), headers)
    print(headers["traceparent"], payload.decode())


if __name__ == "__main__":
    main()
