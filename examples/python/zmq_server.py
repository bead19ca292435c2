#!/usr/bin/env python3
"""Serves Spanwire clients over ZeroMQ, with pyzmq and nothing else: the path `upper`.

usage: zmq_server.py tcp://127.0.0.1:*
A client of Spanwire dials it as naive+zmq+tcp://HOST:PORT.  Prints the address, then a line for
each call: its path, and the traceparent and tracestate that came with it.
"""
import json
import struct
import sys

import zmq

HEADER = ">IIBBH"  # bytes of the other parts, id, type, flags, 0
REPLY = 5
OK, UNIMPLEMENTED = 0, 12


def fixed_part(status, message=""):
    """What stands before a reply's headers; no bytes say that all is well."""
    text = message.encode()
    return b"" if status == OK else bytes([status]) + bytes(16) + struct.pack(">H", len(text)) + text


def serve(path, headers, payload):
    """Status, message, headers and payload of the reply."""
    if path != "upper":
        return UNIMPLEMENTED, f"no handler for the path '{path}'", {}, b""
    # Whatever is called from here belongs to the same trace: pass these two on.
    context = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
    return OK, "", context, payload.upper()


def main():
    context = zmq.Context()
    socket = context.socket(zmq.REP)
    socket.linger = 1000
    socket.bind(sys.argv[1])
    print("naive+zmq+" + socket.last_endpoint.decode(), flush=True)
    while True:
        control, path, block, payload = socket.recv_multipart()
        call_id = struct.unpack(HEADER, control)[1]
        headers = {name.lower(): value for name, value in json.loads(block or b"{}").items()}
        print(path.decode(), headers.get("traceparent"), headers.get("tracestate"), flush=True)
        status, message, reply_headers, result = serve(path.decode(), headers, payload)
        parts = [fixed_part(status, message), json.dumps(reply_headers).encode(), result]
        socket.send_multipart([struct.pack(HEADER, sum(map(len, parts)), call_id, REPLY, 0, 0), *parts])


if __name__ == "__main__":
    main()
