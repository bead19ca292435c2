"""The first program of README.md compiles, and README shows a tree as the command prints it."""
import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(os.environ.get("SPANWIRE_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
COMPILER = os.environ.get("SPANWIRE_CXX", "g++")


class Readme(unittest.TestCase):
    def setUp(self):
        self.text = (ROOT / "README.md").read_text(encoding="utf-8")

    def test_the_first_program_compiles(self):
        programs = re.findall(r"```cpp\n(.*?)```", self.text, re.DOTALL)
        self.assertEqual(len(programs), 1)
        result = subprocess.run(
            [COMPILER, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-DASIO_STANDALONE",
             f"-I{ROOT / 'include'}", "-x", "c++", "-"],
            input=programs[0], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_the_tree_is_one_that_the_command_prints(self):
        golden = (ROOT / "tests/inspect/golden/serving_80.txt").read_text(encoding="utf-8")
        self.assertIn(golden.rstrip("\n"), self.text)

    def test_the_commands_exist(self):
        for name in re.findall(r"\bscripts/\w+\b", self.text):
            self.assertTrue((ROOT / name).exists(), name)


if __name__ == "__main__":
    unittest.main()
