"""docs/rules.md lists every rule of spanwire verify as the command prints it, and every gate."""
import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(os.environ.get("SPANWIRE_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
TOOL = os.environ.get("SPANWIRE_TOOL")
TABLE = re.compile(r"(<!-- rules -->\n).*?(<!-- end -->)", re.DOTALL)


@unittest.skipUnless(TOOL, "the command is not built")
class Rules(unittest.TestCase):
    def test_the_page_has_the_table_of_the_command(self):
        page = ROOT / "docs/rules.md"
        text = page.read_text(encoding="utf-8")
        table = subprocess.run([TOOL, "verify", "--rules"], capture_output=True, text=True, check=True).stdout
        new = TABLE.sub(lambda match: match[1] + table + match[2], text)
        if "SPANWIRE_UPDATE_GOLDEN" in os.environ:
            page.write_text(new, encoding="utf-8")
        self.assertEqual(page.read_text(encoding="utf-8"), new, "run this test with SPANWIRE_UPDATE_GOLDEN=1")

    def test_the_gates_are_those_of_the_code(self):
        code = (ROOT / "lib/inspect/rules.cpp").read_text(encoding="utf-8")
        names = re.findall(r'"([^"]+)"', re.search(r"kGates = \{(.*?)\};", code, re.DOTALL)[1])
        page = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
        self.assertEqual(re.findall(r"^\| G\d+ \| (.*) \|$", page, re.M), names)

    def test_the_how_to_names_every_member_of_an_expectation_file(self):
        code = (ROOT / "lib/inspect/expectations.cpp").read_text(encoding="utf-8")
        page = (ROOT / "docs/how-to/gates-in-ci.md").read_text(encoding="utf-8")
        members = set(re.findall(r'[.>](?:text|flag|count|milliseconds|texts|list|object)\("(\w+)"', code))
        self.assertGreater(len(members), 15)
        for member in members - {"from", "to", "at_least", "at_most", "span", "order"}:
            self.assertIn(f"`{member}`", page)


if __name__ == "__main__":
    unittest.main()
