"""The demo's spans in a Jaeger v2: one that is there, or one of the run's own; read back and judged.

Where one comes from, in this order: one that answers already, `jaeger` on the PATH, a container, a build from Go
modules.
"""
import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGE = "docker.io/jaegertracing/jaeger:2.20.0"
QUERY = "http://127.0.0.1:16686"
ANSWER_MAX = 5  # seconds for one that is there
OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class NoJaeger(Exception):
    """None is to be had, and why."""


def answers(query):
    """There is a Jaeger that can be asked."""
    try:
        with urllib.request.urlopen(f"{query}/api/v3/services", timeout=ANSWER_MAX) as answer:
            return "services" in json.load(answer)
    except (OSError, ValueError, urllib.error.URLError):
        return False


def container_tool():
    """docker or podman, where it works and not only is there."""
    for name in ("docker", "podman"):
        if shutil.which(name) and subprocess.run([name, "info"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                                 check=False).returncode == 0:
            return name
    return None


def has_image(tool, say):
    """Jaeger's image is here, now if not before."""
    if subprocess.run([tool, "image", "inspect", IMAGE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                      check=False).returncode == 0:
        return True
    say(f"{tool} pull {IMAGE}, once")
    return subprocess.run([tool, "pull", IMAGE], stdin=subprocess.DEVNULL, check=False).returncode == 0


def in_container(tool, folder):
    """A program that is Jaeger in a container, with the run's folder and the host's ports."""
    command = [tool, "run", "--rm", "--network", "host", "--user", f"{os.getuid()}:{os.getgid()}"]
    if tool == "podman" and os.getuid() != 0:
        command += ["--userns", "keep-id"]  # else the user in there is another one outside
    command += ["--volume", f"{folder}:{folder}", IMAGE]
    program = folder / "jaeger-in-container"
    program.write_text(f"#!/bin/sh\nexec {shlex.join(command)} \"$@\"\n")
    program.chmod(0o755)
    return program


def built(say):
    """One from Go modules; kept, so that it is built once."""
    say("no Jaeger here: building one from Go modules, once; this takes some minutes")
    done = subprocess.run([str(ROOT / "scripts" / "peers"), "jaeger"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True, check=False)
    path = re.search(r"SPANWIRE_PEER_JAEGER='(.+)'", done.stdout)
    if done.returncode != 0 or path is None:
        raise NoJaeger("no Jaeger could be built: start one, or put `jaeger` on the PATH")
    return path[1]


class Jaeger:
    """`with Jaeger(...) as jaeger`: its address in the environment of what is started inside."""

    def __init__(self, tool, folder, say):
        self.tool = tool
        self.folder = folder
        self.run = folder / "jaeger-run"
        self.say = say
        self.ours = False
        self.has_ui = True
        self.query = os.environ.get("SPANWIRE_JAEGER_URL", QUERY)

    def __enter__(self):
        if any(os.environ.get(name) for name in OTLP_ENDPOINTS) or \
                ("JAEGER_UI_PORT" not in os.environ and answers(self.query)):
            os.environ.setdefault("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
            self.say(f"Jaeger at {self.query}, spans to {os.environ['OTEL_EXPORTER_OTLP_ENDPOINT']}")
            return self
        self.start(self.program())
        return self

    def __exit__(self, *_):
        if self.ours:
            subprocess.run([self.tool, "jaeger", "down", "--run", str(self.run)], check=False)

    def program(self):
        found = shutil.which("jaeger")
        if found:
            return found
        tool = container_tool()
        if tool and has_image(tool, self.say):
            self.folder.mkdir(parents=True, exist_ok=True)
            return str(in_container(tool, self.folder))
        self.has_ui = False
        return built(self.say)

    def start(self, program):
        command = [self.tool, "jaeger", "up", "--run", str(self.run), "--jaeger", program, "--timeout", "2m"]
        up = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
        ready = re.search(r"UI http://localhost:(\d+),.*OTLP HTTP (\S+)", up.stdout)
        if up.returncode != 0 or ready is None:
            raise NoJaeger("Jaeger does not start; JAEGER_UI_PORT, JAEGER_OTLP_GRPC_PORT, JAEGER_OTLP_HTTP_PORT, "
                           "JAEGER_QUERY_GRPC_PORT and JAEGER_HEALTH_PORT choose its ports, 0 is any free one")
        self.ours = True
        self.query = f"http://127.0.0.1:{ready[1]}"
        os.environ.update(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{ready[2]}",
                          OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
        self.say(f"Jaeger ({program}) at {self.query}, its store in {self.run}")
        if not self.has_ui:
            self.say("this one was built without Jaeger's own pages: the page below is ours")

    def judge(self, files, trace):
        """Fetches what it has of this run, and judges it against the files; the exit code of `spanwire verify`."""
        services = sorted(set(self.services(files)))
        asked = [word for name in services for word in ("--service", name)]
        code = subprocess.run([self.tool, "fetch", self.query, "--run", str(self.run), "--start", "1h",
                               "--settle", "2m", *asked],
                              stdout=subprocess.DEVNULL, check=False).returncode
        if code != 0:
            raise NoJaeger(f"spanwire fetch {self.query} ended with {code}")
        mine = self.folder / "files"
        mine.mkdir(exist_ok=True)
        for file in files:
            with contextlib.suppress(FileExistsError):
                os.link(file, mine / os.path.basename(file))
        command = [self.tool, "verify", str(self.run), "--findings", "2", *asked]
        if self.ours:
            command += ["--against", str(mine)]
        self.say("")
        code = subprocess.run(command, check=False).returncode
        self.say(f"What was read back: {self.run}")
        if self.has_ui and not self.ours:
            self.say(f"In Jaeger: {self.query}/trace/{trace}")
        elif self.has_ui:
            self.say(f"In Jaeger: spanwire jaeger up --run {self.run}, then {self.query}/trace/{trace}")
        return code

    @staticmethod
    def services(files):
        for file in files:
            with open(file, encoding="utf-8") as lines:
                for line in lines:
                    for entry in json.loads(line)["resourceSpans"]:
                        for pair in entry["resource"]["attributes"]:
                            if pair["key"] == "service.name":
                                yield pair["value"]["stringValue"]
