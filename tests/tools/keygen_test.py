"""spanwire keygen: files that are ours, pyzmq's and nobody else's."""

import os
import stat
import subprocess
import tempfile
import unittest

from tool import run

# Debian's Python, for which python3-zmq is installed.
PYTHON = "/usr/bin/python3"


class Keygen(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.name = os.path.join(self.folder.name, "worker")

    def content(self, suffix):
        with open(self.name + suffix, encoding="ascii") as file:
            return file.read()

    def test_writes_a_secret_and_a_public_file(self):
        done = run("keygen", self.name)
        self.assertEqual(done.returncode, 0, done.stderr)
        public = done.stdout.decode().strip()
        self.assertEqual(len(public), 40)
        self.assertEqual(sorted(os.listdir(self.folder.name)), ["worker.key", "worker.key_secret"])
        self.assertEqual(stat.S_IMODE(os.stat(self.name + ".key_secret").st_mode), 0o600)
        self.assertIn(f'public-key = "{public}"', self.content(".key"))
        self.assertNotIn("secret-key", self.content(".key"))
        self.assertIn("secret-key = ", self.content(".key_secret"))
        secret = self.content(".key_secret").split('secret-key = "')[1].split('"')[0]
        self.assertNotIn(secret.encode(), done.stdout + done.stderr)

    def test_refuses_to_overwrite(self):
        self.assertEqual(run("keygen", self.name).returncode, 0)
        before = self.content(".key_secret")
        second = run("keygen", self.name)
        self.assertEqual((second.returncode, second.stdout), (1, b""))
        self.assertIn(b"already_exists", second.stderr)
        self.assertIn(b"--force", second.stderr)
        self.assertEqual(self.content(".key_secret"), before)
        self.assertEqual(run("keygen", self.name, "--force").returncode, 0)
        self.assertNotEqual(self.content(".key_secret"), before)

    def test_says_what_it_could_not_do(self):
        done = run("keygen", os.path.join(self.folder.name, "no", "folder"))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"No such file or directory", done.stderr)
        self.assertEqual(run("keygen").returncode, 2)
        self.assertIn(b"Examples:", run("keygen", "--help").stdout)

    def test_pyzmq_reads_what_it_wrote(self):
        self.assertEqual(run("keygen", self.name).returncode, 0)
        script = (
            "import sys, zmq, zmq.auth\n"
            "public, secret = zmq.auth.load_certificate(sys.argv[1] + '.key_secret')\n"
            "assert zmq.curve_public(secret) == public\n"
            "assert zmq.auth.load_certificate(sys.argv[1] + '.key') == (public, None)\n"
            "print(public.decode())\n"
        )
        done = subprocess.run([PYTHON, "-c", script, self.name], capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(done.stdout.decode().strip(), self.content(".key"))


if __name__ == "__main__":
    unittest.main()
