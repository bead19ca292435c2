"""spanwire receive and clients that are broken, slow or out for its memory."""
import ctypes
import gzip
import json
import os
import random
import unittest

from receiving import JSON, PROTOBUF, Peer, Receive, memory_kib, protobuf, request, span

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags=0, stream=0, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def header(name, value):
    """A literal of HPACK, without Huffman, never indexed."""
    def text(content):
        size = len(content)
        if size < 127:
            return bytes([size]) + content
        out, size = bytearray([127]), size - 127
        while size > 127:
            out.append(size & 127 | 128)
            size >>= 7
        return bytes(out + bytes([size])) + content
    return b"\x10" + text(name) + text(value)


CALL = b"".join(header(*field) for field in [
    (b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"),
    (b":path", b"/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
    (b"content-type", b"application/grpc"), (b"te", b"trailers")])


def message(body, packed=0):
    return bytes([packed]) + len(body).to_bytes(4, "big") + body


class Nv(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("value", ctypes.c_void_p), ("name_size", ctypes.c_size_t),
                ("value_size", ctypes.c_size_t), ("flags", ctypes.c_uint8)]


class GrpcPeer(Peer):
    """One that reads frames, their headers by nghttp2."""

    def __init__(self, port):
        super().__init__(port)
        self.hpack = ctypes.CDLL("libnghttp2.so.14")
        self.inflater = ctypes.c_void_p()
        self.hpack.nghttp2_hd_inflate_new(ctypes.byref(self.inflater))
        self.got = b""

    def frame(self):
        """(kind, stream, payload)"""
        while len(self.got) < 9 or len(self.got) < 9 + int.from_bytes(self.got[:3], "big"):
            block = self.socket.recv(65536)
            assert block, self.got
            self.got += block
        end = 9 + int.from_bytes(self.got[:3], "big")
        one, self.got = self.got[:end], self.got[end:]
        return one[3], int.from_bytes(one[5:9], "big"), one[9:]

    def headers(self, block):
        fields, nv, flags = {}, Nv(), ctypes.c_int()
        while True:
            taken = self.hpack.nghttp2_hd_inflate_hd2(self.inflater, ctypes.byref(nv), ctypes.byref(flags), block,
                                                      ctypes.c_size_t(len(block)), 1)
            assert taken >= 0
            block = block[taken:]
            if flags.value & 2:
                fields[ctypes.string_at(nv.name, nv.name_size).decode()] = ctypes.string_at(nv.value, nv.value_size)
            if flags.value & 1:
                self.hpack.nghttp2_hd_inflate_end_headers(self.inflater)
                return fields

    def answer(self, stream):
        """(grpc-status, grpc-message), None for a call that is reset."""
        while True:
            kind, number, payload = self.frame()
            if kind == HEADERS:
                fields = self.headers(payload)
                if number == stream and "grpc-status" in fields:
                    return int(fields["grpc-status"]), fields.get("grpc-message", b"")
            if kind == RST_STREAM and number == stream:
                return None

    def __exit__(self, *_):
        self.hpack.nghttp2_hd_inflate_del(self.inflater)
        super().__exit__()


def impatient(test):
    """One that soon cuts off who is slow; not for what is expected to be answered, which may be slow by chance."""
    receive = Receive("--request-time", "500ms", "--quiet")
    test.addCleanup(receive.__exit__)
    return receive


class OverHttp1(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.receive = Receive("--body-max", "64k", "--quiet")
        cls.addClassCleanup(cls.receive.__exit__)

    def answer_to(self, *parts):
        with Peer(self.receive.port) as peer:
            peer.say(*parts)
            return peer.rest()

    def test_what_is_no_request_of_http(self):
        post = b"POST /v1/traces HTTP/1.1\r\n"
        proto = b"Content-Type: application/x-protobuf\r\n"
        for name, said, status in [
                ("words", b"hello\r\n\r\n", 400),
                ("no target", b"GET HTTP/1.1\r\n\r\n", 400),
                ("no version", b"GET /v1/traces\r\n\r\n", 400),
                ("a header without a name", post + b": x\r\n\r\n", 400),
                ("a header without a colon", post + b"x\r\n\r\n", 400),
                ("a negative length", post + b"Content-Length: -1\r\n\r\n", 400),
                ("a length beyond 64 bits", post + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
                ("two lengths", post + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
                ("a length beside chunks", post + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
                ("another transfer encoding", post + b"Transfer-Encoding: gzip\r\n\r\n", 501),
                ("a length beyond the bound", post + proto + b"Content-Length: 65537\r\n\r\n", 413),
                ("a chunk without a size", post + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
                ("a chunk of a negative size", post + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
                ("a chunk that is longer than it says", post + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n", 400),
                ("a line of chunks without an end", post + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 2000, 400),
                ("trailers without an end",
                 post + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 5000, 431),
                ("chunks beyond the bound", post + proto + b"Transfer-Encoding: chunked\r\n\r\n11000\r\n" + b"x" * 0x11000,
                 413),
                ("a line without an end", b"GET /" + b"x" * 100_000, 431),
                ("headers without an end", post + b"a: b\r\n" * 20_000, 431)]:
            with self.subTest(name):
                answer = self.answer_to(said)
                self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), answer[:100])
                self.assertIn(b"Connection: close\r\n", answer)
        self.assertTrue(self.answer_to(bytes.fromhex("160301020001000102")).startswith(b"HTTP/1.1 400 "))

    def test_chunks_pipelines_and_a_client_that_asks_first(self):
        body = protobuf(1)
        head = b"POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf\r\n"
        chunks = b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\nt: u\r\n\r\n"
        with Peer(self.receive.port) as peer:
            for byte in head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks:
                peer.say(bytes([byte]))
            self.assertIn(b"200 OK", peer.until(b"\r\n\r\n"))
            plain = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
            peer.say(plain * 20 + plain.replace(b"HTTP/1.1", b"HTTP/1.0"))
            answers = peer.rest()
            self.assertEqual((answers.count(b"200 OK"), answers.count(b"Connection: close")), (21, 1))
        with Peer(self.receive.port) as peer:
            peer.say(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
            peer.until(b"HTTP/1.1 100 Continue\r\n\r\n")
            peer.say(body)
            self.assertIn(b"200 OK", peer.until(b"\r\n\r\n"))

    def test_one_that_is_slow_is_cut_off_and_others_are_served(self):
        receive = impatient(self)
        for begin in (b"P", b"POST /v1/traces HTTP/1.1\r\nContent-Length: 5\r\n\r\nx"):
            with self.subTest(begin), Peer(receive.port) as slow, Peer(receive.port) as idle:
                slow.say(begin)
                self.assertEqual(slow.rest(), b"")
                idle.say(b"GET /x HTTP/1.0\r\n\r\n")
                self.assertIn(b"404", idle.rest())

    def test_bombs_cost_no_memory(self):
        bomb = gzip.compress(b"\0" * 60_000_000)
        before = memory_kib(self.receive)
        for encoding, body in (("gzip", bomb), ("deflate", bomb)):
            self.assertEqual(self.receive.post(body, Content_Encoding=encoding)[0], 413)
        self.assertLess(memory_kib(self.receive) - before, 20_000)


class OverGrpc(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.receive = Receive("--body-max", "64k", "--quiet")
        cls.addClassCleanup(cls.receive.__exit__)

    def peer(self, receive=None):
        peer = GrpcPeer((receive or self.receive).grpc_port)
        peer.say(PREFACE + frame(SETTINGS))
        return peer

    def call(self, peer, stream, body):
        return peer.say(frame(HEADERS, END_HEADERS, stream, CALL) + frame(DATA, END_STREAM, stream, body))

    def test_a_good_call_by_hand(self):
        with self.peer() as peer:
            self.call(peer, 1, message(protobuf(1)))
            self.assertEqual(peer.answer(1), (0, b""))

    def test_what_is_no_message(self):
        bomb = gzip.compress(b"\0" * 60_000_000)
        before = memory_kib(self.receive)
        head = CALL + header(b"grpc-encoding", b"gzip")
        for name, body, code, words in [("nothing", b"", 13, b"not one whole message"),
                                        ("a longer length", message(b"x")[:-1], 13, b"not one whole message"),
                                        ("two messages", message(b"") * 2, 13, b"not one whole message"),
                                        ("no protobuf", message(b"\xff\xff"), 3, b""),
                                        ("no gzip", message(b"x", 1), 3, b"not gzip"),
                                        ("a bomb", message(bomb, 1), 8, b"larger than max"),
                                        ("too long", message(b"x" * 70_000), 8, b"larger than max")]:
            with self.subTest(name), self.peer() as peer:
                parts = [body[at:at + 16_384] for at in range(0, len(body), 16_384)] or [b""]
                peer.say(frame(HEADERS, END_HEADERS, 1, head))
                for part in parts:
                    peer.say(frame(DATA, END_STREAM if part is parts[-1] else 0, 1, part))
                got, why = peer.answer(1)
                self.assertEqual(got, code, why)
                self.assertIn(words, why)
        self.assertLess(memory_kib(self.receive) - before, 20_000)

    def test_what_is_no_http_2(self):
        for name, said in [("garbage behind the preface", b"\xff" * 1000),
                           ("a frame that is too long", frame(DATA, 0, 1)[3:].join([b"\xff\xff\xff", b""])),
                           ("data without a call", frame(SETTINGS) + frame(DATA, END_STREAM, 1, b"x")),
                           ("an even stream", frame(SETTINGS) + frame(HEADERS, END_HEADERS | END_STREAM, 2, CALL)),
                           ("headers that are no HPACK", frame(SETTINGS) + frame(HEADERS, END_HEADERS, 1, b"\xff" * 50)),
                           ("a continuation of nothing", frame(SETTINGS) + frame(CONTINUATION, 4, 1, CALL))]:
            with self.subTest(name), Peer(self.receive.grpc_port) as peer:
                peer.say(PREFACE, said)
                self.assertIn(bytes([GOAWAY]), peer.rest())

    def test_headers_without_an_end_cost_the_call_or_the_connection(self):
        before = memory_kib(self.receive)
        large = header(b"x", b"y" * 8000)
        with self.peer() as peer:
            peer.say(frame(HEADERS, 0, 1, CALL + large))
            for _ in range(1000):
                if not peer.say(frame(CONTINUATION, 0, 1, large)):
                    break
            answer = peer.rest()
            self.assertTrue(answer)
        with self.peer() as peer:
            peer.say(frame(HEADERS, END_STREAM, 1, CALL + large), frame(CONTINUATION, 0, 1, large),
                     frame(CONTINUATION, END_HEADERS, 1, large))
            self.assertIsNone(peer.answer(1))
            self.call(peer, 3, message(protobuf(3)))
            self.assertEqual(peer.answer(3)[0], 0)
        self.assertLess(memory_kib(self.receive) - before, 20_000)

    def test_a_flood_of_pings_that_nobody_reads_ends(self):
        receive = impatient(self)
        before = memory_kib(receive)
        with self.peer(receive) as peer:
            flood = frame(PING, 0, 0, b"12345678") * 1000
            for _ in range(2000):
                if not peer.say(flood):
                    break
            else:
                self.fail("34 MB of pings were taken without their answers being read")
        self.assertLess(memory_kib(receive) - before, 20_000)

    def test_calls_that_are_opened_and_reset(self):
        with self.peer() as peer:
            for stream in range(1, 20_000, 2):
                if not peer.say(frame(HEADERS, END_HEADERS, stream, CALL) + frame(RST_STREAM, 0, stream, bytes(4))):
                    break
        with self.peer() as peer:
            self.call(peer, 1, message(protobuf(4)))
            self.assertEqual(peer.answer(1)[0], 0)

    def test_one_that_is_slow_is_cut_off_and_one_that_is_idle_is_not(self):
        receive = impatient(self)
        with self.peer(receive) as idle:
            for begin in (PREFACE[:5], PREFACE + frame(SETTINGS) + frame(HEADERS, END_HEADERS, 1, CALL),
                          PREFACE + frame(SETTINGS) + frame(HEADERS, 0, 1, CALL)):
                with self.subTest(begin), Peer(receive.grpc_port) as slow:
                    slow.say(begin)
                    slow.rest()
            self.call(idle, 1, message(protobuf(5)))
            self.assertEqual(idle.answer(1)[0], 0)


class Anything(unittest.TestCase):
    def test_damaged_conversations_do_no_harm(self):
        seed = int(os.environ.get("SPANWIRE_TEST_SEED", random.randrange(1 << 32)))
        chance = random.Random(seed)
        head = b"POST /v1/traces HTTP/1.1\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
        body = protobuf(1)
        text = json.dumps(request(span(2, attributes=[{"key": "k", "value": {"arrayValue": {"values": [
            {"intValue": "7"}, {"doubleValue": 0.5}, {"bytesValue": "AAH/"}, {}]}}}]))).encode()
        good = [("grpc_port", PREFACE + frame(SETTINGS) + frame(HEADERS, END_HEADERS, 1, CALL) +
                 frame(DATA, END_STREAM, 1, message(body))),
                ("port", head % (PROTOBUF.encode(), len(body)) + body),
                ("port", head % (JSON.encode(), len(text)) + text)]
        # What is taken all the same is sent on, and must do no harm there either.
        with self.subTest(seed=seed), Receive("--quiet") as last, \
                Receive("--quiet", "--to", f"grpc://127.0.0.1:{last.grpc_port}") as receive:
            for _ in range(300):
                for port, whole in good:
                    said = bytearray(whole)
                    for _ in range(chance.randrange(1, 5)):
                        said[chance.randrange(len(said))] = chance.randrange(256)
                    with Peer(getattr(receive, port)) as peer:
                        peer.say(bytes(said[:len(said) - chance.choice((0, 0, chance.randrange(len(said))))]))
            receive.send(span(77, trace="7" * 32))
            code, out, _ = receive.stop()
            self.assertIn(code, (0, 1))
            self.assertRegex(out, r"forwarded [1-9]\d* of \d+ spans")
            self.assertEqual(last.stop()[0], 0)


if __name__ == "__main__":
    unittest.main()
