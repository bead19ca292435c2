"""The programs in docs/how-to compile, their links lead somewhere, and the commands' subcommands exist."""

import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(os.environ.get("SPANWIRE_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
COMPILER = os.environ.get("SPANWIRE_CXX", "g++")
PAGES = sorted((ROOT / "docs/how-to").glob("*.md"))


class HowTo(unittest.TestCase):
    def test_whole_programs_compile(self):
        programs = [(page.name, code) for page in PAGES
                    for code in re.findall(r"```cpp\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
                    if "int main()" in code]
        self.assertGreaterEqual(len(programs), 2)
        for name, code in programs:
            with self.subTest(name):
                done = subprocess.run(
                    [COMPILER, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-DASIO_STANDALONE",
                     f"-I{ROOT / 'include'}", "-x", "c++", "-"],
                    input=code, capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_every_page_is_listed(self):
        index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
        for page in PAGES:
            self.assertIn(f"(how-to/{page.name})", index)

    def test_links_lead_somewhere(self):
        for page in PAGES:
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
                self.assertTrue((page.parent / target).exists(), f"{page.name}: {target}")

    def test_subcommands_exist(self):
        known = {path.stem for path in (ROOT / "tools").glob("*.cpp")}
        for page in PAGES:
            for block in re.findall(r"```\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
                for name in re.findall(r"^(?:\w+=\S+ )*\\?\s*spanwire (\w+)", block, re.M):
                    self.assertIn(name, known, page.name)


if __name__ == "__main__":
    unittest.main()
