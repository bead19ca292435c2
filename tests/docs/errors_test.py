"""docs/errors.md lists every error code, as the library describes it."""
import os
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(os.environ.get("SPANWIRE_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
sys.path.insert(0, str(ROOT / "scripts"))
import reference  # noqa: E402  pylint: disable=wrong-import-position


class Errors(unittest.TestCase):
    def test_the_table_says_what_the_code_says(self):
        page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
        self.assertEqual(reference.renewed(ROOT, page), page, "run scripts/reference.py --fix")

    def test_every_code_is_described(self):
        rows = re.findall(r"^\| (\d+) \| `(\w+)` \| [A-Z_]+ \| (.*?) \|$", reference.errors_table(ROOT), re.M)
        self.assertGreater(len(rows), 90)
        self.assertEqual([name for _, name, meaning in rows if not meaning], [])
        numbers = [int(number) for number, _, _ in rows]
        self.assertEqual(numbers, sorted(set(numbers)), "numbers rise and none stands twice")


class Links(unittest.TestCase):
    """A link of a document to a file of the tree leads to one."""

    def test_every_relative_link_leads_somewhere(self):
        pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "proto-spec").glob("*.md")]
        self.assertGreater(len(pages), 5)
        for page in pages:
            for target in re.findall(r"\]\((?!\w+:)([^)#\s]+)", page.read_text(encoding="utf-8")):
                self.assertTrue((page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}")


if __name__ == "__main__":
    unittest.main()
