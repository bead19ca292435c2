"""What the tests against other implementations share: where those are, and the programs of ours that meet them.

A test starts with `import peers; peers.use_python()`: it then runs in the Python that has OpenTelemetry."""
import os
import pathlib
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from otlp_files import resource_spans, spans  # noqa: E402,F401  pylint: disable=wrong-import-position,unused-import

BUILD = pathlib.Path(os.environ["SPANWIRE_BINARY_DIR"])
ROOT = pathlib.Path(os.environ["SPANWIRE_SOURCE_DIR"])
# A guard against hanging, not a wait.
TIMEOUT = 120


def peer(name):
    """The path of a peer that scripts/peers has made."""
    path = os.environ.get(f"SPANWIRE_PEER_{name}")
    if not path or not os.access(path, os.X_OK):
        sys.exit(f"no peer {name}: run scripts/test --peers")
    return path


def use_python():
    python = peer("PYTHON")
    if os.path.dirname(sys.executable) != os.path.dirname(python):
        os.execv(python, [python, *sys.argv])


def environment(**variables):
    """Ours, without what the caller's machine says of tracing."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SPANWIRE_TRACES"))}
    return {**clean, **{name: str(value) for name, value in variables.items()}}


def run(program, *arguments, **variables):
    """One of our programs; its standard output.  Fails with what it said when it does not end with 0."""
    done = subprocess.run([str(BUILD / "tests" / f"peer_{program}"), *arguments], env=environment(**variables),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{program} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
