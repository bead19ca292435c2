"""Each bug of other systems that the demo can be given is found by spanwire verify, which names the hop."""
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
from cluster import BUILD, GUARD, ROOT  # noqa: E402

SCRIPT = ROOT / "examples" / "serving" / "run_demo.py"


class Break(unittest.TestCase):
    def demo(self, *words):
        with tempfile.TemporaryDirectory(prefix="spanwire-demo-") as folder:
            return subprocess.run(
                [sys.executable, str(SCRIPT), "--build", str(BUILD), "--output", folder, "--step-ms=2",
                 "--prefill-us-per-token=10", *words],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=GUARD, check=False)

    def assert_found(self, bug, rule, hop):
        done = self.demo("--break", bug)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        verdict = done.stdout.split("spanwire verify\n", 1)[1]
        self.assertRegex(verdict, rf"\nFAIL {rule} ")
        self.assertRegex(verdict, rf"\n  - {hop}")
        self.assertRegex(verdict, r"\nFAIL: ")

    def test_headers(self):
        self.assert_found("headers", r"propagation\.lost", r"\w+ 'llm/.*' .* from (frontend to (prefill|decode)|prefill to decode): ")

    def test_flags(self):
        self.assert_found("flags", r"propagation\.flags", "frontend 'llm/.*' .*: 01 from frontend .*; expected: 03")

    def test_relay(self):
        self.assert_found("relay", r"propagation\.server_missing", "frontend 'llm/prefill/generate' .* answered, and no span")

    def test_fork(self):
        self.assert_found("fork", r"propagation\.server_missing", r"\w+ 'llm/decode/\w+' .* from \w+ to \S+: answered, and no span")


if __name__ == "__main__":
    unittest.main()
