"""Keys from files, end to end: keygen, a server, clients that it lets in and clients that it does not."""

import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from tool import GUARD_S, EchoServer, run

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples/python"


class Curve(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.public = {name: self.make(name) for name in ("server", "known", "stranger", "other")}
        self.allow("known")

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, name):
        done = run("keygen", self.path(name))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode().strip()

    def allow(self, name):
        # Replaced in one step, as a deployment would.
        with open(self.path("new"), "w", encoding="ascii") as file:
            file.write(f"{self.public[name]} {name}\n")
        os.rename(self.path("new"), self.path("allowed"))

    def serve(self):
        server = EchoServer("zmq+tcp://127.0.0.1:0", "--keys", self.path("server.key_secret"), "--allow",
                            self.path("allowed"))
        self.addCleanup(server.__exit__)
        return server.addresses[0]

    def call(self, address, own, server="server"):
        return run("call", address, "echo", "--data", "hello", "--keys", self.path(own + ".key_secret"),
                   "--server-key", self.path(server + ".key"))

    def refused(self, done, code):
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(code, done.stderr)

    def test_who_is_on_the_list_is_served_and_nobody_else(self):
        address = self.serve()
        done = self.call(address, "known")
        self.assertEqual((done.returncode, done.stdout), (0, b"hello"), done.stderr)
        self.refused(self.call(address, "stranger"), b"refused by the authenticator with status 400")
        self.refused(self.call(address, "known", server="other"), b"is its key the one that is named here")
        plain = run("call", address, "echo")
        self.assertEqual((plain.returncode, plain.stdout), (1, b""))
        # Or "does it want CURVE": who hangs up first decides.
        self.assertRegex(plain.stderr, b"wants? CURVE")
        self.assertEqual(self.call(address, "known").stdout, b"hello")

    def test_a_script_with_a_key_on_the_list_is_served(self):
        script = (
            "import sys, zmq, zmq.auth\n"
            f"sys.path.append({str(EXAMPLES)!r})\n"
            "from zmq_client import call\n"
            "endpoint, own, server = sys.argv[1:]\n"
            "with zmq.Context() as context, context.socket(zmq.DEALER) as socket:\n"
            "    socket.linger = 0\n"
            "    socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(own)\n"
            "    socket.curve_serverkey, _ = zmq.auth.load_certificate(server)\n"
            "    socket.connect(endpoint)\n"
            "    print(call(socket, 'echo', b'hello', {})[1].decode())\n"
        )
        done = subprocess.run(
            ["/usr/bin/python3", "-c", script, self.serve().removeprefix("zmq+"),
             self.path("known.key_secret"), self.path("server.key")],
            capture_output=True, timeout=GUARD_S, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, b"hello\n"), done.stderr)

    def test_load_has_keys_too(self):
        done = run("load", self.serve(), "echo", "--seconds", "0.1", "--quiet", "--keys",
                   self.path("known.key_secret"), "--server-key", self.path("server.key"))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_list_is_read_again_while_the_server_runs(self):
        address = self.serve()
        self.assertEqual(self.call(address, "known").stdout, b"hello")
        self.allow("stranger")
        # It looks once a second, when somebody comes.
        give_up = time.monotonic() + GUARD_S
        done = self.call(address, "known")
        while done.returncode == 0 and time.monotonic() < give_up:
            done = self.call(address, "known")
        self.refused(done, b"security_refused")
        self.assertEqual(self.call(address, "stranger").stdout, b"hello")

    def test_keys_for_an_address_that_has_none_are_refused(self):
        listening = run("echo", "tcp://127.0.0.1:0", "--keys", self.path("server.key_secret"), "--allow",
                        self.path("allowed"))
        self.refused(listening, b"tcp://127.0.0.1:0: keys were given, and only zmq+tcp and zmq+ipc encrypt")
        self.refused(self.call("tcp://127.0.0.1:1", "known"), b"only zmq+tcp and zmq+ipc encrypt")

    def test_half_of_the_keys_is_a_mistake_of_the_line(self):
        keys = ("--keys", self.path("known.key_secret"))
        self.assertEqual(run("call", "zmq+tcp://127.0.0.1:1", "echo", *keys).returncode, 2)
        self.assertEqual(run("echo", "zmq+tcp://127.0.0.1:0", *keys).returncode, 2)
        missing = run("echo", "zmq+tcp://127.0.0.1:0", *keys, "--allow", self.path("nobody"))
        self.assertEqual(missing.returncode, 1)
        self.assertIn(b"file_open_failed", missing.stderr)


if __name__ == "__main__":
    unittest.main()
