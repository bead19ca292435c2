"""Spanwire as a user gets it: installed and found by CMake, by pkg-config, and added as a folder."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(os.environ["SPANWIRE_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["SPANWIRE_BINARY_DIR"])
COMPILER = os.environ["SPANWIRE_CXX"]
CONSUMER = ROOT / "tests/package/consumer"
# A sibling of the build folder, equally deep, so that a compiler cache knows the objects of a build
# as subfolder from our own build.
WORK = BUILD.with_name(BUILD.name + "-package")
PREFIX = WORK / "prefix"
# As the preset dev has them, for the same reason.
FLAGS = ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0 -g1", f"-DCMAKE_CXX_COMPILER={COMPILER}"]


def run(*command, **more):
    result = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit code {result.returncode}\n{result.stdout}")
    return result.stdout


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        run("cmake", "--install", BUILD, "--prefix", PREFIX)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)

    def no_flags_leak_into(self, folder):
        """A user's files are compiled with the user's flags."""
        for entry in json.loads((folder / "compile_commands.json").read_text()):
            if pathlib.Path(entry["file"]).parent == CONSUMER:
                for flag in ("-Werror", "-Wall", "-Wconversion", "-fvisibility", "-fsanitize"):
                    self.assertNotIn(flag, entry["command"])

    def configure_and_build(self, folder, *options):
        run("cmake", "-S", CONSUMER, "-B", folder, "-G", "Ninja", *FLAGS, *options)
        self.no_flags_leak_into(folder)
        return run("cmake", "--build", folder)

    def test_find_package(self):
        folder = WORK / "found"
        self.configure_and_build(folder, f"-DCMAKE_PREFIX_PATH={PREFIX}")
        self.assertEqual(run(folder / "codec"), "codec works\n")
        self.assertEqual(run(folder / "tracing"), "tracing works\n")
        self.assertEqual(run(folder / "call"), "call works\n")
        self.assert_python_can_open(folder / "libcall_library.so")

    def assert_python_can_open(self, library):
        """Its thread-locals find room in a process that began without them."""
        program = f"import ctypes, sys; sys.exit(ctypes.CDLL({str(library)!r}).main())"
        self.assertEqual(run(sys.executable, "-c", program), "call works\n")

    def test_an_unknown_component_is_named(self):
        project = WORK / "unknown"
        project.mkdir()
        (project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(X LANGUAGES CXX)\n"
            "find_package(Spanwire REQUIRED COMPONENTS teleport)\n")
        with self.assertRaisesRegex(AssertionError, "teleport"):
            run("cmake", "-S", project, "-B", project / "build", "-G", "Ninja",
                f"-DCMAKE_PREFIX_PATH={PREFIX}", f"-DCMAKE_CXX_COMPILER={COMPILER}")

    def test_pkg_config(self):
        folders = {str(path.parent) for path in PREFIX.rglob("spanwire.pc")}
        self.assertEqual(len(folders), 1)
        environment = dict(os.environ, PKG_CONFIG_PATH=folders.pop())
        flags = run("pkg-config", "--cflags", "--libs", "--static", "spanwire", env=environment).split()
        self.assertFalse([flag for flag in flags if flag.startswith(("-W", "-f"))], flags)
        program = WORK / "call_pkg_config"
        run(COMPILER, "-std=c++20", CONSUMER / "call.cpp", "-o", program, *flags)
        self.assertEqual(run(program), "call works\n")

    def test_add_subdirectory(self):
        folder = WORK.with_name(WORK.name + "-subfolder")
        shutil.rmtree(folder, ignore_errors=True)
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.configure_and_build(folder, f"-DSPANWIRE_TREE={ROOT}", "-DSPANWIRE_WERROR=ON")
        self.assertEqual(run(folder / "codec"), "codec works\n")
        self.assertEqual(run(folder / "tracing"), "tracing works\n")


if __name__ == "__main__":
    unittest.main()
