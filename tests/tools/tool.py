"""Runs the spanwire command for the tests beside this file."""

import contextlib
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile

TOOL = os.environ.get("SPANWIRE_TOOL") or sys.exit("SPANWIRE_TOOL is not set")
GUARD_S = 60


def is_sanitized():
    """Whether the command is built with a sanitizer, which has memory and descriptors of its own."""
    with open(TOOL, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(name) >= 0 for name in (b"__asan_init", b"__tsan_init"))


def clean_environment(**extra):
    """The caller's environment without what changes the command's behaviour."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "SPANWIRE_")) and name not in ("NO_COLOR", "COLUMNS")
    }
    # Also where no server of names answers is a name that nobody has given up soon.
    kept.update(LC_ALL="C.UTF-8", OTEL_LOG_LEVEL="error", RES_OPTIONS="timeout:1 attempts:1")
    kept.update(extra)
    return kept


@contextlib.contextmanager
def closed_port():
    """A port at which nobody listens, and which nobody else gets meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def run(*arguments, input=b"", **extra):
    """The finished process, its output as bytes."""
    return subprocess.run(
        [TOOL, *arguments],
        input=input,
        capture_output=True,
        timeout=GUARD_S,
        env=clean_environment(**extra),
        check=False,
    )


def peak_of(*arguments, feed=(), code=0):
    """Of a run that ends with this code: its peak memory in bytes, and its standard output."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [TOOL, *arguments], stdin=subprocess.PIPE, stdout=output, env=clean_environment()
        )
        for part in feed:
            process.stdin.write(part)
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        assert process.returncode == code, (arguments, process.returncode)
        return usage.ru_maxrss << 10, output.read()


class EchoServer:
    """`spanwire echo` on free ports, from `with` to its end; addresses as it printed them."""

    def __init__(self, *arguments, **extra):
        self.process = subprocess.Popen(
            [TOOL, "echo", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(**extra),
        )
        self.addresses = []
        for _ in [a for a in arguments if "://" in a]:
            line = self.process.stdout.readline().decode()
            assert line.startswith("listening on "), line
            self.addresses.append(line.removeprefix("listening on ").strip())

    def stop(self):
        """Its exit code after SIGTERM."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.said = self.process.communicate(timeout=GUARD_S)[1]
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
