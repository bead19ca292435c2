#!/usr/bin/env python3
"""Keeps the tables of docs/errors.md and docs/options.md equal to the headers they speak of.

usage: scripts/reference.py [--fix]
Tables stand between `<!-- table: WHAT -->` and `<!-- end -->`; WHAT is `errors`, `constants FILE`, or
`struct FILE NAME`, files below include/spanwire.  --fix writes them anew; without it, differences are
printed and the exit code is 1.  A meaning that the header leaves out may be written into the table:
it stays.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
TABLE = re.compile(r"<!-- table: (?P<what>[^>]+?) -->\n.*?<!-- end -->", re.DOTALL)
CONSTANT = re.compile(r"^inline constexpr (?P<type>[\w:<>, ]+?) (?P<name>k\w+)\s*=\s*(?P<value>[^;]+);", re.M)
STRUCT = re.compile(r"^(?:struct|class) (?P<name>\w*(?:Options|Limits)) \{\n(?P<body>.*?)^\};", re.M | re.DOTALL)
MEMBER = re.compile(r"^  (?P<type>\w[\w:<>,*& ]*?) (?P<name>[a-z]\w*?)(?:\s*=\s*(?P<value>[^;]+)|\{(?P<braced>[^;]*)\})?;"
                    r"(?:\s*// ?(?P<trailing>.*))?$")
ERROR = re.compile(r"^  (?P<name>\w+) = (?P<number>\d+),(?:\s*// ?(?P<text>.*))?$")
CHRONO = re.compile(r"^(?:std::chrono::)?(?P<unit>hours|minutes|seconds|milliseconds|microseconds|nanoseconds)"
                    r"(?:\((?P<count>[^()]*)\)|\{(?P<braced>[^{}]*)\})$")
UNITS = {"hours": "h", "minutes": "min", "seconds": "s", "milliseconds": "ms", "microseconds": "µs",
         "nanoseconds": "ns"}


def headers(root):
    return sorted((root / "include/spanwire").rglob("*.hpp"))


def all_constants(root):
    """{name: (type, expression)} over all public headers."""
    return {match["name"]: (match["type"], " ".join(match["value"].split()))
            for path in headers(root) for match in CONSTANT.finditer(path.read_text(encoding="utf-8"))}


def number(text):
    """The value of an integer expression of literals, shifts and products, or None."""
    text = re.sub(r"(?<=\d)'(?=\d)", "", text)
    text = re.sub(r"(?<=[\da-fA-F])(u|U|l|L|ul|UL|ull|ULL|z|uz)\b", "", text)
    if not re.fullmatch(r"[\dxXa-fA-F\s()*+<.-]+", text):
        return None
    try:
        return eval(text, {"__builtins__": {}})  # pylint: disable=eval-used
    except (SyntaxError, NameError, TypeError):
        return None


def in_words(value, name):
    """A number for people: bytes in KiB and its like where the name says that they are bytes."""
    if isinstance(value, int) and "byte" in name.lower() or name.endswith("Below"):
        for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
            if value >= size and value % size == 0:
                return f"{value // size} {unit}"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def show(expression, name, constants, kind=""):
    """A default as the documents write it."""
    expression = " ".join((expression or "").split())
    if expression in ("", "{}"):
        return "its own" if re.search(r"(Options|Limits)$", kind) else "empty"
    short = expression.split("::")[-1]
    if short in constants:
        return f"{show(constants[short][1], short, constants)} (`{short}`)"
    chrono = CHRONO.match(expression)
    if chrono:
        return f"{chrono['count'] or chrono['braced'] or 0} {UNITS[chrono['unit']]}"
    if re.fullmatch(r"(std::chrono::)?\w+::zero\(\)", expression):
        return "0"
    value = number(expression)
    if value is not None:
        return in_words(value, name)
    if expression in ("true", "false"):
        return "on" if expression == "true" else "off"
    if expression in ('""', "nullptr", "std::nullopt"):
        return "none"
    return f"`{expression.replace('|', chr(92) + '|')}`"


def commented(lines, pattern):
    """(match, comment) of each line that matches; the comment stands above it or behind it."""
    above = []
    last = None
    for line in lines:
        stripped = line.strip()
        match = pattern.match(line)
        if match:
            comment = " ".join(above) or (match.groupdict().get("trailing") or match.groupdict().get("text") or "")
            last = [match, comment.strip()]
            yield last
            above = []
        elif stripped.startswith("//"):
            if above or not line.startswith(" " * 8) or last is None:
                above.append(stripped.lstrip("/ "))
            else:
                last[1] += " " + stripped.lstrip("/ ")
        else:
            above = []


def cell(text):
    return text.replace("|", "\\|").strip()


def errors_table(root):
    text = (root / "include/spanwire/base/errc.hpp").read_text(encoding="utf-8")
    body = re.search(r"enum class Errc[^{]*\{\n(.*?)^\};", text, re.M | re.DOTALL)[1]
    known = descriptions(root)
    status = statuses(root)
    rows = ["| number | code | told as | meaning |", "|---:|---|---|---|"]
    for line in body.splitlines():
        match = ERROR.match(line)
        if match:
            meaning = known.get(match["name"]) or match["text"] or ""
            told = status.get(match["name"], status["default"]).upper()
            rows.append(f"| {match['number']} | `{match['name']}` | {told} | {cell(meaning)} |")
    return "\n".join(rows)


def statuses(root):
    """{code: the gRPC status that it is told as}, with a "default"."""
    text = (root / "lib/rpc/status.cpp").read_text(encoding="utf-8")
    body = re.search(r"StatusCode status_code_of\(Errc code\).*?^\}", text, re.M | re.DOTALL)[0]
    found = {}
    for match in re.finditer(r"((?:case Errc::\w+:\s*|default:\s*(?://[^\n]*\s*)*)+)return StatusCode::(\w+);", body):
        for name in re.findall(r"case Errc::(\w+):", match[1]) or ["default"]:
            found[name] = match[2]
    return found


def descriptions(root):
    """{code: sentence} as the library says them."""
    text = (root / "lib/base/errc.cpp").read_text(encoding="utf-8")
    literals = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
    return {match[1]: "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match[2]))
            for match in re.finditer(r'\{Errc::(\w+),\s*"\w+",\s*' + literals, text)}


def constants_table(root, name):
    text = (root / "include/spanwire" / name).read_text(encoding="utf-8")
    constants = all_constants(root)
    rows = ["| constant | value | meaning |", "|---|---|---|"]
    flat = re.sub(r"=\n\s+", "= ", text)
    pattern = re.compile(CONSTANT.pattern + r"(?:\s*// ?(?P<trailing>.*))?$")
    for match, comment in commented(flat.splitlines(), pattern):
        rows.append(f"| `{match['name']}` | {show(match['value'], match['name'], constants)} | {cell(comment)} |")
    return "\n".join(rows)


def structs(root):
    """{(file, name): body} of every struct that holds options."""
    return {(path.relative_to(root / "include/spanwire").as_posix(), match["name"]): match["body"]
            for path in headers(root) for match in STRUCT.finditer(path.read_text(encoding="utf-8"))}


def struct_table(root, name, struct):
    body = re.sub(r"=\n\s+", "= ", structs(root)[(name, struct)])
    # Members of nested types and bodies of functions are deeper and do not match.
    constants = all_constants(root)
    rows = ["| option | type | default | meaning |", "|---|---|---|---|"]
    for match, comment in commented(body.splitlines(), MEMBER):
        if match["type"].split()[0] in ("return", "using", "static", "friend"):
            continue
        default = show(match["value"] or match["braced"], match["name"], constants, match["type"])
        rows.append(f"| `{match['name']}` | `{cell(match['type'])}` | {default} | {cell(comment)} |")
    return "\n".join(rows)


def table(root, what):
    words = what.split()
    if words == ["errors"]:
        return errors_table(root)
    if words[0] == "constants":
        return constants_table(root, words[1])
    return struct_table(root, words[1], words[2])


def with_meanings(old, new):
    """The rows of `new`; where the last cell is empty, that of the row of `old` with the same name."""
    row = re.compile(r"^\| `(?P<name>\w+)` \|.*\| (?P<meaning>.*?) ?\|$", re.M)
    meanings = {match["name"]: match["meaning"] for match in row.finditer(old)}

    def fill(match):
        meaning = match["meaning"] or meanings.get(match["name"], "")
        return match[0][:match.start("meaning") - match.start()] + meaning + " |"

    return row.sub(fill, new)


def renewed(root, text):
    def renew(match):
        new = with_meanings(match[0], table(root, match["what"]))
        return f"<!-- table: {match['what']} -->\n{new}\n<!-- end -->"

    return TABLE.sub(renew, text)


def main():
    fix = sys.argv[1:] == ["--fix"]
    status = 0
    for name in ("docs/errors.md", "docs/options.md"):
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = renewed(ROOT, before)
        if before != after and fix:
            path.write_text(after, encoding="utf-8")
        elif before != after:
            print(f"{name} differs from the headers: run scripts/reference.py --fix")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
