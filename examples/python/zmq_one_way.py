#!/usr/bin/env python3
"""One-way messages to and from Spanwire programs over ZeroMQ, with pyzmq and nothing else.

usage: zmq_one_way.py push|pub|pull|sub ENDPOINT PATH [TEXT]...
push sends each TEXT to a Puller, pub to Subscribers.  pull and sub print what a Pusher or a Publisher
sends, a line a message: path, traceparent, messages missed before it, payload.  An ENDPOINT with a *
is bound, and printed.  TRACEPARENT, where set, is the context that sent messages belong to.
"""
import json
import os
import secrets
import sys

import zmq

KINDS = {"push": zmq.PUSH, "pub": zmq.XPUB, "pull": zmq.PULL, "sub": zmq.SUB}


def producer_headers(numbered_as=None):
    """The caller's context, with a span of our own as the parent of whoever receives."""
    trace_id, _, flags = os.environ.get("TRACEPARENT", f"00-{secrets.token_hex(16)}-0-01").split("-")[1:]
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"}
    return {"spanwire-sequence": numbered_as, **headers} if numbered_as else headers


def send(socket, kind, path, texts):
    if kind == "pub":
        socket.recv()  # an XPUB hears who subscribes; what is published before that goes to nobody
    row = secrets.token_hex(8)  # of one path's numbers, which begin at 1
    for number, text in enumerate(texts, 1):
        headers = producer_headers(f"{row}-{number:016x}" if kind == "pub" else None)
        print(path, headers["traceparent"], 0, text, flush=True)
        socket.send_multipart([path.encode(), json.dumps(headers).encode(), text.encode()])


def receive(socket):
    last = {}  # number by row
    while True:
        path, block, payload = socket.recv_multipart()
        headers = {name.lower(): value for name, value in json.loads(block or b"{}").items()}
        row, _, digits = headers.get("spanwire-sequence", "-0").partition("-")
        missed = int(digits, 16) - last.get(row, int(digits, 16) - 1) - 1 if row else 0
        last[row] = int(digits, 16)
        print(path.decode(), headers.get("traceparent"), missed, payload.decode(), flush=True)


def main():
    kind, endpoint, path, *texts = sys.argv[1:]
    socket = zmq.Context().socket(KINDS[kind])
    if kind == "sub":
        socket.subscribe(path)
    (socket.bind if "*" in endpoint else socket.connect)(endpoint)
    print(socket.last_endpoint.decode(), flush=True)
    receive(socket) if kind in ("pull", "sub") else send(socket, kind, path, texts)


if __name__ == "__main__":
    main()
