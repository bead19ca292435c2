#!/usr/bin/env python3
"""Runs the demo: a frontend, a prefill and two decode workers as processes of their own; asks them over HTTP
and streams the answers; then shows one request's spans, over all processes, as a tree and as a page.
"""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

import demo_jaeger
from demo_terminal import Interrupted, Signals, Style

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = "spanwire-ngram"
START_MAX = 120  # seconds until a process must be ready; a guard, not a wait
STOP_MAX = 20
QUESTIONS = ["What happens to a trace that cannot be exported?",
             "And what does a handler do with its context?",
             "How does a server refuse a call?"]
BACKGROUND = 6  # requests beside the last question, so that the engines have something to batch

EXAMPLES = """\
examples:
  run_demo.py                       in the build folder of scripts/demo
  run_demo.py --build build/dev     in another one
  run_demo.py --aggregated          one worker does prefill and decode
  run_demo.py --zmq                 ZeroMQ in place of TCP, to the workers and inside them
  run_demo.py --break headers       loses every context, and shows what spanwire verify says
  run_demo.py --serve               stays up until Ctrl-C
  run_demo.py --jaeger              spans into a Jaeger too, read back and judged
  run_demo.py --perfetto            also writes all requests as a timeline for ui.perfetto.dev
  run_demo.py --corpus book.txt --step-ms 30
"""


class Failed(Exception):
    """Ends the demo with a message."""


signals = Signals()
style = Style(sys.stdout)
BOLD, DIM, CYAN, GREEN = "1", "2", "36", "32"


def say(text="", end="\n"):
    print(text, end=end, flush=True)


class Processes:
    """All that was started, and nothing else, ends when this does."""

    def __init__(self, folder, build):
        self.folder = folder
        self.build = build
        self.running = {}  # name -> Popen
        self.dead = None  # the name of one that ended by itself
        self.stopping = False

    def start(self, name, program, *arguments):
        """Starts a process; returns a function that waits until it is ready and gives its address."""
        environment = dict(os.environ, SPANWIRE_TRACES_FILE=str(self.folder / "traces-%p.jsonl"))
        environment.pop("OTEL_SERVICE_NAME", None)
        with signals.hold(), open(self.folder / f"{name}.log", "wb") as log:
            self.running[name] = process = subprocess.Popen(
                [str(self.build / "bin" / program), *arguments], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, env=environment,
                # Ctrl-C is for this script alone: it ends the others in order.
                start_new_session=True)
        threading.Thread(target=self.watch, args=(name, process), daemon=True).start()
        return lambda: self.address(name, process)

    def watch(self, name, process):
        process.wait()
        if not self.stopping and self.dead is None:
            self.dead = name
            os.kill(os.getpid(), signal.SIGTERM)

    def address(self, name, process):
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            ready = selector.select(START_MAX)
        line = process.stdout.readline().decode() if ready else ""
        if not line.startswith("ready "):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)  # it has closed its output: it is about to say how it ended
            raise Failed(self.obituary(name))
        return line.split()[1]

    def obituary(self, name):
        code = self.running[name].poll()
        log = (self.folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
        how = "is not ready" if code is None else f"ended with {code}"
        return "\n  ".join([f"{name} {how}; its last words:", *(log[-5:] or ["none"])])

    def undelivered(self):
        """What processes said at their end of spans that did not arrive everywhere, each reason once."""
        said = {}
        for name in self.running:
            for line in (self.folder / f"{name}.log").read_text(errors="replace").splitlines():
                if line.startswith("tracing: "):
                    said.setdefault(line.removeprefix("tracing: ").partition(": ")[2] or line, []).append(name)
        return [f"{', '.join(names)}: {why}" for why, names in said.items()]

    def stop(self):
        """The frontend first: it cancels what is under way.  The traces are complete afterwards."""
        self.stopping = True
        for group in (["frontend"], [name for name in self.running if name != "frontend"]):
            processes = [self.running[name] for name in group if name in self.running]
            for process in processes:
                if process.poll() is None:
                    process.terminate()
            for process in processes:
                try:
                    process.wait(STOP_MAX)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                process.stdout.close()


# Which processes a bug is switched on in.
BROKEN = {"headers": ("worker", "prefill", "decode"), "flags": ("frontend",), "relay": ("worker", "prefill"),
          "fork": ("worker", "decode")}


def start_all(processes, options):
    """Starts everything; returns the frontend's address and the names of the others."""
    def broken(role):
        return ["--break", options.broken] if role in BROKEN.get(options.broken, ()) else []

    def start(name, role):
        over_zmq = ["--listen=zmq+tcp://127.0.0.1:0", f"--detokenizer=zmq+ipc://{processes.folder}/{name}.ipc"]
        return processes.start(name, "serving_worker", f"--role={role}", *engine, *broken(name.split("-")[0]),
                               *(over_zmq if options.zmq else []))

    common = ["--corpus", options.corpus]
    front = common + ["--port", str(options.port), *broken("frontend")]
    engine = common + [f"--{name.replace('_', '-')}={getattr(options, name)}"
                       for name in ("step_ms", "prefill_us_per_token", "blocks")]
    if options.aggregated:
        worker = start("worker", "both")
        frontend = processes.start("frontend", "serving_frontend", *front, "--decode", worker())
        return frontend(), ["worker"]
    prefill = start("prefill", "prefill")
    decode = [start(f"decode-{n}", "decode") for n in (1, 2)]
    prefill, decode = prefill(), [address() for address in decode]
    frontend = processes.start("frontend", "serving_frontend", *front, "--prefill", prefill,
                               "--decode", ",".join(decode))
    return frontend(), ["prefill", "decode-1", "decode-2"]


def ask(address, messages, tokens, on_text=lambda text: None):
    """One streamed chat completion; returns (answer, usage, trace id, seconds to the first token)."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=START_MAX)
    begin = time.monotonic()
    body = {"model": MODEL, "messages": messages, "max_tokens": tokens, "stream": True, "seed": 4,
            "stream_options": {"include_usage": True}}
    with contextlib.closing(connection):
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise Failed(f"HTTP {response.status}: {response.read().decode(errors='replace')}")
        trace = response.headers["traceresponse"].split("-")[1]
        answer, usage, first = "", {}, None
        for line in response:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[len(b"data: "):])
            if "error" in event:
                raise Failed(event["error"]["message"])
            usage = event.get("usage") or usage
            for choice in event["choices"]:
                text = choice["delta"].get("content") or ""
                if text:
                    first = first or time.monotonic() - begin
                    answer += text
                    on_text(text)
    return answer, usage, trace, first or 0.0


class Wrapped:
    """Prints text as it comes, broken between words."""

    def __init__(self, indent):
        self.indent = indent
        self.width = min(shutil.get_terminal_size((100, 24)).columns, 100)
        self.column = indent

    def __call__(self, text):
        if self.column > self.indent and text.startswith(" ") and self.column + len(text) > self.width:
            say("\n" + " " * self.indent, end="")
            self.column, text = self.indent, text.lstrip()
        say(text, end="")
        self.column += len(text)


def converse(address, question, before=(), tokens=48):
    """Asks and shows it; returns the conversation so far and the trace id."""
    messages = [*before, {"role": "user", "content": question}]
    say(f"{style(CYAN, 'you')}  {question}")
    say(f"{style(GREEN, 'llm')}  ", end="")
    answer, usage, trace, first = ask(address, messages, tokens, Wrapped(5))
    cached = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
    say("\n" + style(DIM, f"     {usage.get('completion_tokens', 0)} tokens, the first after {first * 1000:.0f} ms; "
                          f"prompt of {usage.get('prompt_tokens', 0)}, {cached} known") + "\n")
    return [*messages, {"role": "assistant", "content": answer}], trace


def ask_aside(address, question):
    """Nobody looks at the answer; one that fails is the shown one's to report."""
    with contextlib.suppress(Failed, OSError, http.client.HTTPException):
        ask(address, [{"role": "user", "content": question}], 40)


def questions(address):
    """A question, one that follows it up, and one among others; returns the last one's trace id."""
    conversation, _ = converse(address, QUESTIONS[0])
    converse(address, QUESTIONS[1], conversation)
    others = [threading.Thread(target=ask_aside, daemon=True, args=(address, f"{n}. {QUESTIONS[n % 3]}"))
              for n in range(BACKGROUND)]
    for other in others:
        other.start()
    _, trace = converse(address, QUESTIONS[2], tokens=40)
    for other in others:
        other.join()
    return trace


def serve(address, processes):
    """Stays up until interrupted; returns the trace id of one request."""
    _, trace = converse(address, QUESTIONS[0])
    body = json.dumps({"model": MODEL, "stream": True, "messages": [{"role": "user", "content": QUESTIONS[2]}]})
    say(style(BOLD, "Try it (Ctrl-C ends it):"))
    say(f"  curl -N {address}/v1/chat/completions -H 'Content-Type: application/json' -d '{body}'")
    say(f"  curl {address}/health\n")
    try:
        signals.wait()
    except Interrupted:
        if processes.dead:
            raise
    signals.came = False
    return trace


def verify(tool, files, broken):
    """Judges the traces; with a bug switched on, the verdict has to say so."""
    say(f"\n{style(BOLD, 'spanwire verify')}")
    sys.stdout.flush()
    code = subprocess.run([tool, "verify", *([] if broken else ["--quiet"]), "--findings", "2", *files],
                          check=False).returncode
    if code != (1 if broken else 0):
        raise Failed(f"spanwire verify ended with {code}" + (f" though --break {broken} is on" if broken else ""))


def show(processes, trace, options):
    """The tree in the terminal, and a page; if asked for, a timeline of all requests; the verdict."""
    tool = str(processes.build / "bin" / "spanwire")
    files = [str(path) for path in sorted(processes.folder.glob("traces-*.jsonl"))]
    page = processes.folder / "trace.html"
    if not files:
        raise Failed("no traces were written")
    sys.stdout.flush()
    subprocess.run([tool, "view", "--trace", trace, *files], check=True)
    subprocess.run([tool, "view", "--trace", trace, "--html", str(page), *files], check=True,
                   stdout=subprocess.DEVNULL)
    say(f"\n{style(BOLD, 'The same as a page:')} {page}")
    if options.perfetto:
        timeline = processes.folder / "trace.pftrace"
        subprocess.run([tool, "convert", "--to", "perfetto", "-o", str(timeline), *files], check=True,
                       stdout=subprocess.DEVNULL)
        say(f"{style(BOLD, 'All requests as a timeline, for ui.perfetto.dev:')} {timeline}")
    verify(tool, files, options.broken)


def run(processes, options):
    if not options.jaeger:
        return run_in(processes, options, None)
    with demo_jaeger.Jaeger(str(processes.build / "bin" / "spanwire"), processes.folder, say) as jaeger:
        return run_in(processes, options, jaeger)


def run_in(processes, options, jaeger):
    began = time.monotonic()
    address, workers = start_all(processes, options)
    took = time.monotonic() - began
    say(f"{style(BOLD, 'frontend')} {address}, in front of {', '.join(workers)}; up in {took:.1f} s\n")
    endpoint = next(filter(None, map(os.environ.get, demo_jaeger.OTLP_ENDPOINTS)), None)
    if endpoint and not jaeger:
        say(f"spans go to {endpoint} too\n")
    trace = serve(address, processes) if options.serve else questions(address)
    processes.stop()
    say(style(BOLD, "One request, over all processes"))
    show(processes, trace, options)
    for line in processes.undelivered():
        say(f"{style(BOLD, 'Spans did not arrive:')} {line}")
    if jaeger and jaeger.judge(sorted(processes.folder.glob("traces-*.jsonl")), trace) != 0 and not options.broken:
        raise Failed("what Jaeger has is not what was recorded")


def arguments():
    parser = argparse.ArgumentParser(
        description=textwrap.fill(" ".join(__doc__.split())), epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "demo", metavar="DIR",
                        help="where it was built (default: build/demo)")
    parser.add_argument("--aggregated", action="store_true", help="one worker does prefill and decode")
    parser.add_argument("--zmq", action="store_true",
                        help="ZeroMQ in place of TCP: frontend to workers, scheduler to detokenizer")
    parser.add_argument("--break", dest="broken", choices=sorted(BROKEN), metavar="BUG",
                        help="one of other systems' bugs, on purpose: %(choices)s; spanwire verify finds it")
    parser.add_argument("--serve", action="store_true", help="stay up until interrupted")
    parser.add_argument("--jaeger", action="store_true", help="spans into a Jaeger too; read back, judged")
    parser.add_argument("--perfetto", action="store_true", help="also write a timeline of all requests")
    parser.add_argument("--port", type=int, default=0, help="of the frontend (default: a free one)")
    parser.add_argument("--corpus", default=str(ROOT), metavar="FILE",
                        help="what the model learns (default: this project's prose)")
    parser.add_argument("--step-ms", type=float, default=15, help="time of a decode step (default: %(default)s)")
    parser.add_argument("--prefill-us-per-token", type=float, default=400, help="(default: %(default)s)")
    parser.add_argument("--blocks", type=int, default=256,
                        help="memory of a worker, in blocks of 16 tokens (default: %(default)s)")
    parser.add_argument("--output", type=pathlib.Path, metavar="DIR",
                        help="for traces, page and logs (default: a new folder for temporary files)")
    return parser.parse_args()


def main():
    options = arguments()
    missing = [name for name in ("serving_frontend", "serving_worker", "spanwire")
               if not (options.build / "bin" / name).exists()]
    if missing:
        sys.exit(f"error: no {', '.join(missing)} in {options.build}/bin: run scripts/demo, which builds them")
    folder = options.output or pathlib.Path(tempfile.mkdtemp(prefix="spanwire-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    processes = Processes(folder.resolve(), options.build.resolve())
    signals.take()
    status = 0
    try:
        run(processes, options)
    except Interrupted:
        status = 130
        if processes.dead:
            status = f"error: {processes.obituary(processes.dead)}"
    except (Failed, demo_jaeger.NoJaeger, OSError, http.client.HTTPException, subprocess.CalledProcessError) as problem:
        status = f"error: {processes.obituary(processes.dead) if processes.dead else problem}"
    finally:
        signals.held = True  # whoever is impatient waits for the cleaning up
        processes.stop()
    sys.exit(status)


if __name__ == "__main__":
    main()
