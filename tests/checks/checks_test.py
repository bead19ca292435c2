"""The checks in scripts/checks refuse what they are there to refuse, and accept what is right."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("SPANWIRE_SOURCE_DIR", pathlib.Path(__file__).parents[2]))


def run(check, tree):
    """Exit code and output of a check over a tree given as {path: text}."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in tree.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        result = subprocess.run([sys.executable, ROOT / "scripts/checks" / check, folder],
                                capture_output=True, text=True, check=False)
        return result.returncode, result.stdout


class Layers(unittest.TestCase):
    def refuses(self, tree, reason):
        code, output = run("layers", tree)
        self.assertEqual(code, 1, output)
        self.assertIn(reason, output)

    def test_accepts_an_edge_downwards(self):
        code, output = run("layers", {
            "include/spanwire/wire/a.hpp": '#include <asio_not.h>\n#include "spanwire/base/b.hpp"\n',
            "include/spanwire/base/b.hpp": "#include <cstdint>\n#include <tl/expected.hpp>\n",
            "lib/transport/c.cpp": '#include <asio/ip/tcp.hpp>\n#include "lib/transport/d.hpp"\n',
            "lib/transport/d.hpp": "",
        })
        self.assertEqual(code, 0, output)

    def test_refuses_an_edge_upwards(self):
        self.refuses({"lib/base/a.cpp": '#include "spanwire/wire/b.hpp"\n'}, "base must not include wire")

    def test_refuses_an_edge_sideways(self):
        self.refuses({"lib/session/a.cpp": '#include "lib/transport/b.hpp"\n'},
                     "session must not include transport")

    def test_refuses_wire_in_trace_but_for_carriers(self):
        include = '#include "spanwire/wire/headers.hpp"\n'
        self.refuses({"lib/trace/span.cpp": include}, "only carriers include wire")
        code, output = run("layers", {"lib/trace/carrier_block.cpp": include})
        self.assertEqual(code, 0, output)

    def test_refuses_asio_below_transport(self):
        self.refuses({"lib/session/a.cpp": "#include <asio.hpp>\n"}, "Asio is for")

    def test_refuses_third_party_in_a_public_header(self):
        self.refuses({"include/spanwire/base/a.hpp": "#include <spdlog/spdlog.h>\n"},
                     "a public header must not show")

    def test_refuses_a_heavy_standard_header(self):
        self.refuses({"include/spanwire/base/a.hpp": "#include <iostream>\n"}, "too heavy")

    def test_refuses_a_private_header_in_a_public_one(self):
        self.refuses({"include/spanwire/base/a.hpp": '#include "lib/base/b.hpp"\n'},
                     "must not include a private one")

    def test_refuses_a_relative_include(self):
        self.refuses({"lib/base/a.cpp": '#include "b.hpp"\n'}, "name the whole path")

    def test_refuses_a_cycle(self):
        self.refuses({
            "include/spanwire/base/a.hpp": '#include "spanwire/base/b.hpp"\n',
            "include/spanwire/base/b.hpp": '#include "spanwire/base/a.hpp"\n',
        }, "cycle: ")

    def test_refuses_an_unknown_layer(self):
        self.refuses({"lib/misc/a.cpp": ""}, "unknown layer misc")

    def test_refuses_an_empty_tree(self):
        self.assertEqual(run("layers", {})[0], 1)


def function(lines):
    return "void f() {\n" + "  g();\n" * (lines - 2) + "}\n"


class Files(unittest.TestCase):
    def refuses(self, tree, reason):
        code, output = run("files", tree)
        self.assertEqual(code, 1, output)
        self.assertIn(reason, output)

    def accepts(self, tree):
        code, output = run("files", tree)
        self.assertEqual(code, 0, output)

    def test_counts_lines_of_sources_but_not_of_documents(self):
        self.accepts({"lib/a.cpp": "\n" * 400, "docs/a.md": "\n" * 500, "x/vectors/a.py": "\n" * 500})
        self.refuses({"lib/a.cpp": "\n" * 401}, "401 lines, at most 400")

    def test_counts_lines_of_functions(self):
        self.accepts({"lib/a.cpp": function(60)})
        self.refuses({"lib/a.cpp": function(61)}, "a.cpp:1: a function of 61 lines")

    def test_finds_functions_in_classes_and_namespaces(self):
        text = "namespace a {\nstruct alignas(64) B {\n" + function(61) + "};\n}  // namespace a\n"
        self.refuses({"lib/a.cpp": text}, "a.cpp:3: a function of 61 lines")

    def test_a_class_or_a_table_may_be_longer(self):
        self.accepts({
            "lib/a.hpp": "class A : public B {\n" + "  int f();\n" * 80 + "};\n",
            "lib/b.hpp": "struct alignas(64) A {\n" + "  int f();\n" * 80 + "};\n",
            "lib/c.cpp": "constexpr int kTable[] = {\n" + "    1,\n" * 80 + "};\n",
            "lib/d.cpp": "namespace a {\n" + function(3) * 30 + "}  // namespace a\n",
        })

    def test_braces_in_text_are_no_blocks(self):
        tricky = 'const char* a = "{{{";  // {{{\nconst char b = \'{\';\nauto c = R"x({{{)x";\n#define D {{\n'
        self.accepts({"lib/a.cpp": tricky + function(10) * 10})

    def test_refuses_paths_of_one_machine(self):
        self.refuses({"README.md": "see " + "/ro" + "ot/notes\n"}, "a path of one machine")
        self.refuses({"README.md": "see " + "/ho" + "me/me/notes\n"}, "a path of one machine")
        self.accepts({"README.md": "see lib/wo" + "rk/a and http://host/ho" + "me\n"})

    def test_refuses_unfinished_marks(self):
        self.refuses({"lib/a.cpp": "// TO" + "DO: later\n"}, "an unfinished mark")

    def test_refuses_a_missing_line_end(self):
        self.refuses({"lib/a.cpp": "int a;"}, "no line end")


if __name__ == "__main__":
    unittest.main()
