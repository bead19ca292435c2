"""spanwire receive and more clients, or more of their requests, than it has room for."""
import resource
import socket
import unittest

from receiving import PROTOBUF, Peer, Receive, memory_kib, protobuf, span, wait_until
from tool import GUARD_S, is_sanitized


class Many(unittest.TestCase):
    def allow_descriptors(self, needed):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
        if wanted < needed:
            self.skipTest(f"{hard} descriptors are allowed here, and {needed} needed")
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def test_thousands_of_idle_connections_keep_nobody_out(self):
        with Receive("--quiet") as receive:
            self.allow_descriptors(1600)
            for port in (receive.port, receive.grpc_port):
                idle = []
                try:
                    for _ in range(1500):
                        idle.append(socket.create_connection(("127.0.0.1", port), timeout=GUARD_S))
                    receive.send(span(1, trace=f"{port:032x}"))
                    # The first ones have made room.
                    self.assertEqual(idle[0].recv(1), b"")
                finally:
                    for one in idle:
                        one.close()
            self.assertLess(memory_kib(receive), 200_000)
            self.assertEqual(receive.stop()[0], 0)

    @unittest.skipIf(is_sanitized(), "UBSan looks at memory through a pipe")
    def test_with_few_descriptors_too(self):
        with Receive("--quiet", descriptors=64) as receive:
            idle = [socket.create_connection(("127.0.0.1", receive.port), timeout=GUARD_S) for _ in range(200)]
            receive.send(span(1))
            for one in idle:
                one.close()
            self.assertEqual(receive.stop()[0], 0)

    def test_large_requests_at_one_time_are_bounded_together(self):
        with Receive("--quiet", "--file-max", "1k") as receive:
            halves = []
            try:
                head = b"POST /v1/traces HTTP/1.1\r\nContent-Type: %s\r\nContent-Length: 16000000\r\n\r\n" % \
                    PROTOBUF.encode()
                for _ in range(12):
                    halves.append(Peer(receive.port))
                    halves[-1].say(head, b"x" * 15_999_000)
                self.assertEqual(receive.post(protobuf(1, b"x" * 1_000_000))[0], 503)
                self.assertLess(memory_kib(receive), 500_000)
            finally:
                for half in halves:
                    half.socket.close()
            wait_until(lambda: receive.post(protobuf(1, b"x" * 1_000_000))[0] == 200)


if __name__ == "__main__":
    unittest.main()
