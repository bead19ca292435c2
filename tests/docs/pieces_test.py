"""The pieces of code in the documents compile: what they name exists, and takes what they give it."""

import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(os.environ.get("SPANWIRE_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
COMPILER = os.environ.get("SPANWIRE_CXX", "g++")
FLAGS = ["-std=c++20", "-Wall", "-Werror", "-Wno-unused", "-Wno-return-type", "-fsyntax-only", "-DASIO_STANDALONE"]
# What a page's pieces find there beside the stage, as they do in the engine that the page speaks of.
USUAL = "journey::Request& request, const trace::Context& context"
GIVEN = {
    "from-vllm-tracing.md": "journey::VllmRequest& request",
    "follow-a-request.md": "journey::Request& request, journey::PropagateContext& context, rpc::CallOptions& options, "
                           "const journey::PropagateText& text",
}


def pieces():
    """Page and code of what is no whole program."""
    for page in [*sorted((ROOT / "docs/how-to").glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]:
        for code in re.findall(r"```cpp\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            if "int main()" not in code:
                yield page, code


def program(page, code, number):
    """A translation unit: left out lines are left out, and statements get a function."""
    code = re.sub(r"^\s*(?:…|\.\.\.)$", "", code, flags=re.M)
    code = re.sub(r"\) \.\.\.$", ") {}", code, flags=re.M)
    if re.match(r"(?:void|Task<[\w:]+>) \w+\(|constexpr ", code):
        return code
    given = GIVEN.get(page.name, USUAL)
    # Names of the piece's own come first; and two parts of it may use one name, as two processes do.
    parts = re.split(r"\n\n", code) if "attach_request" in code else [code]
    body = "".join("{\n" + part + "\n}\n" for part in parts)
    return f"Task<void> piece_{number}({given}) {{\n{body}co_return;\n}}\n"


class Pieces(unittest.TestCase):
    def test_all_compile(self):
        found = list(pieces())
        self.assertGreaterEqual(len(found), 12)
        text = f'#include "{ROOT / "tests/docs/stage.hpp"}"\n'
        for number, (page, code) in enumerate(found):
            text += f'\nnamespace {re.sub("[^a-z]", "_", page.stem)} {{\n#line 1 "{page.name}"\n{program(page, code, number)}\n}}\n'
        done = subprocess.run([COMPILER, *FLAGS, f"-I{ROOT / 'include'}", "-x", "c++", "-"],
                              input=text, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
