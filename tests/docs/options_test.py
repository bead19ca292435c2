"""docs/options.md lists every option, limit and environment variable that the code has, with its default."""
import os
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(os.environ.get("SPANWIRE_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
sys.path.insert(0, str(ROOT / "scripts"))
import reference  # noqa: E402  pylint: disable=wrong-import-position

VARIABLE = re.compile(r"\b(?:OTEL|SPANWIRE|NO)_[A-Z][A-Z_]*[A-Z]\b")
QUOTED = re.compile(r'"((?:OTEL|SPANWIRE|NO)_[A-Z][A-Z_]*[A-Z])"')


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


class Options(unittest.TestCase):
    def setUp(self):
        self.page = text("docs/options.md")
        self.tables = {match["what"] for match in reference.TABLE.finditer(self.page)}

    def test_every_table_says_what_the_headers_say(self):
        self.assertEqual(reference.renewed(ROOT, self.page), self.page, "run scripts/reference.py --fix")

    def test_every_struct_of_options_has_a_table(self):
        structs = reference.structs(ROOT)
        self.assertGreater(len(structs), 4)
        for name, struct in structs:
            self.assertIn(f"struct {name} {struct}", self.tables)

    def test_the_limits_have_a_table(self):
        self.assertIn("constants wire/limits.hpp", self.tables)

    def test_no_table_is_empty_and_no_meaning_is_missing(self):
        for match in reference.TABLE.finditer(self.page):
            rows = [line for line in match[0].splitlines() if line.startswith("| `")]
            self.assertTrue(rows, match["what"])
            for row in rows:
                self.assertFalse(row.endswith("|  |"), f"{match['what']}: no meaning in: {row}")

    def test_every_environment_variable_is_listed_and_exists(self):
        read = {match[1] for top in ("lib", "tools")
                for path in (ROOT / top).rglob("*.[ch]pp")
                for match in QUOTED.finditer(path.read_text(encoding="utf-8"))}
        self.assertEqual(sorted(read - set(VARIABLE.findall(self.page))), [], "read by the code, not in the page")
        section = self.page.split("\n## Environment variables\n", 1)[1].split("\n## ", 1)[0]
        listed = set(re.findall(r"^\| `(\w+)` \|", section, re.M))
        self.assertEqual(sorted(listed - read), [], "in the page, not read by the code")


class Reference(unittest.TestCase):
    """The generator itself, on expressions as headers have them."""

    def test_shows_defaults_as_people_read_them(self):
        for expression, name, shown in [
                ("4u << 10", "path_bytes_max", "4 KiB"), ("65'535", "path_bytes_max", "65,535"),
                ("std::chrono::seconds(5)", "timeout", "5 s"), ("std::chrono::minutes{5}", "timeout", "5 min"),
                ("true", "colour", "on"), ("", "names", "empty"), ("0.5", "ratio", "0.5"),
                ("Balancing::random", "balancing", "`Balancing::random`"), ("kLimit", "limit", "7 (`kLimit`)")]:
            self.assertEqual(reference.show(expression, name, {"kLimit": ("int", "7")}), shown)

    def test_keeps_a_meaning_that_only_the_page_has(self):
        old = "| `a` | 1 | of old |\n| `b` | 1 | of old |"
        new = "| `a` | 2 |  |\n| `b` | 2 | of new |"
        self.assertEqual(reference.with_meanings(old, new), "| `a` | 2 | of old |\n| `b` | 2 | of new |")


if __name__ == "__main__":
    unittest.main()
