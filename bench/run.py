#!/usr/bin/env python3
"""Runs every bench beside its reference and prints one table: name, value, reference, ratio, bound, holds.

A ratio is the median over rounds; in each round ours and the reference run right after one another."""
import argparse
import json
import os
import statistics
import subprocess
import sys

import page

ROUNDS = 7
FINE_ROUNDS = 15  # for a bound that is nearer than a tenth

# name: (unit, what the ratio must be, ours, reference) of the programs that echo; the reference's
# flags begin with the program's name where that is not floor_asio_echo.
ECHO = {
    "rpc/unary_256B_1": ("us p50", "<=", 1.2, "p50_us", ["--inflight", "1"], ["--json"]),
    "rpc/unary_256B_64_traced": ("calls/s", ">=", 0.6, "rate", ["--inflight", "64", "--sample", "1"], ["--json"]),
    "rpc/unary_256B_64_1pct": ("calls/s", ">=", 0.75, "rate", ["--inflight", "64", "--sample", "0.01"], ["--json"]),
    "rpc/cpu_per_call_1pct": ("us", "<=", 1.4, "cpu_us", ["--inflight", "64", "--sample", "0.01"], ["--json"]),
    "rpc/cpu_per_call_100pct": ("us", "<=", 1.8, "cpu_us", ["--inflight", "64", "--sample", "1"], ["--json"]),
    "rpc/unary_256B_64_otlp": ("calls/s", ">=", 0.7, "rate",
                               ["--inflight", "64", "--sample", "1", "--otlp", "answering"],
                               ["bench_rpc", "--json", "--sample", "1"]),
    "rpc/unary_64KiB_64": ("calls/s", ">=", 0.9, "rate",
                           ["--inflight", "64", "--payload", "65536", "--sample", "0.01"], []),
    "zmq/unary_256B_1": ("us p50", "<=", 1.15, "p50_us", ["--inflight", "1", "--zmq"], ["floor_zmq_echo", "--json"]),
    "zmq/unary_256B_64": ("calls/s", ">=", 0.75, "rate",
                          ["--inflight", "64", "--zmq", "--sample", "0.01"], ["floor_zmq_echo", "--json"]),
    "zmq/unary_256B_64_batch_floor": ("calls/s", ">=", 0.75, "rate",
                                      ["--inflight", "64", "--zmq", "--sample", "0.01"],
                                      ["floor_zmq_echo", "--json", "--batch"]),
    "zmq/push_256B": ("messages/s", ">=", 0.8, "rate", ["--oneway", "--zmq", "--sample", "0.01"], ["floor_zmq_push", "--json"]),
    "rpc/stream_64B": ("messages/s", ">=", 0.3, "rate", ["--oneway", "--payload", "64", "--sample", "0.01"], []),
}
# A traced call while the backend hangs, against one while it answers.  Kept awake: with nothing else
# to do a machine wakes up faster for the calls beside a backend that works than without any backend.
for kind in ("silent", "deaf"):
    for key, bound in (("p50_us", 1.05), ("p99_us", 1.2)):
        ECHO[f"otlp/request_cost_dead_backend_{kind}_{key[:3]}"] = (
            f"us {key[:3]}", "<=", bound, key, ["--inflight", "1", "--sample", "1", "--awake", "--otlp", kind],
            ["bench_rpc", "--json", "--sample", "1", "--otlp", "answering"])

# Bounds of the lines that the other programs print themselves.
BOUNDS = {
    "wire/decode_request": ("<=", 0.2, "ratio"),
    "rpc/idle_connection": ("<=", 1.0, "ratio"),
    "trace/extract": ("<=", 1.3, "ratio"),
    "trace/extract_tracestate3": ("<=", 1.3, "ratio"),
    "trace/inject": ("<=", 1.3, "ratio"),
    "trace/inject_tracestate3": ("<=", 1.3, "ratio"),
    "trace/span_sampled_1t": ("<=", 1.3, "ratio"),
    "trace/span_sampled_2t": ("<=", 1.3, "ratio"),
    "trace/hop": ("<=", 1.3, "ratio"),
    "trace/span_watched": ("<=", 1.3, "ratio"),
    "trace/extract_nats_block": ("<=", 2.0, "ratio"),
    "journey/off": ("<=", 2.0, "value"),
    "journey/unsampled_request": ("<=", 100.0, "value"),
    "journey/slice": ("<=", 1.3, "ratio"),
    "journey/slice_p999": ("<=", 20.0, "value"),
    "journey/batch_1024x8": ("<=", 0.8, "ratio"),
    "journey/propagate": ("<=", 1.3, "ratio"),
    "journey/sustained": ("<=", 0.0, "value"),
    "otlp/encode_json": ("<=", 1.3, "ratio"),
    "perfetto/convert": (">=", 1.0, "ratio"),
    "inspect/load_100k": ("<=", 1.0, "ratio"),
    "otlp/encode_protobuf": ("<=", 1.3, "ratio"),
    "otlp/pipeline": (">=", 0.7, "ratio"),
    "otlp/pipeline_loss": ("<=", 0.0, "value"),
    "otlp/pipeline_cpu": ("<=", 1.0, "value"),
    "trace/context_copy": ("<=", 10.0, "value"),
    "trace/span_unsampled": ("<=", 10.0, "value"),
    "trace/span_off": ("<=", 2.0, "value"),
    "journey/vllm_unsampled": ("<=", 100.0, "value"),
    "metrics/observe_exemplar": ("<=", 2.0, "ratio"),
}
NO_ALLOCATIONS = ("wire/decode_request", "trace/", "journey/", "metrics/")


def run_json_lines(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def judge(value, sense, bound):
    return value <= bound if sense == "<=" else value >= bound


def row(name, unit, value, reference, ratio, sense, bound, measured):
    return {"name": name, "unit": unit, "value": value, "reference": reference, "ratio": ratio,
            "bound": f"{sense} {bound:g}" if sense else None,
            "holds": judge(measured, sense, bound) if sense else None}


def echo_rows(folder, wanted, options):
    """Ours and the floor in turn; rows that share a run share its numbers."""
    rows, cache = [], {}
    for name, (unit, sense, bound, key, flags, floor_flags) in ECHO.items():
        if wanted not in name:
            continue
        shared = (tuple(flags), tuple(floor_flags))
        if shared not in cache:
            common = ["--seconds", str(options.seconds), "--cpus", options.placement]
            load = [flag for pair in pairs(flags) if pair[0] not in ("--sample", "--zmq", "--otlp")
                    for flag in pair if flag is not None]
            named = bool(floor_flags) and not floor_flags[0].startswith("--")
            floor_program = f"{folder}/{floor_flags[0] if named else 'floor_asio_echo'}"
            floor_switches = floor_flags[1:] if named else floor_flags
            rounds = []
            count = FINE_ROUNDS if sense == "<=" and bound < 1.1 else ROUNDS
            for number in range(count):
                progress(f"{name} round {number + 1}/{count}")
                ours = run_json_lines([f"{folder}/bench_rpc", "--json", *flags, *common])[0]
                floor = run_json_lines([floor_program, *floor_switches, *load, *common])[0]
                rounds.append((ours, floor))
            cache[shared] = rounds
        rounds = cache[shared]
        ratio = statistics.median(ours[key] / floor[key] for ours, floor in rounds)
        rows.append(row(name, unit, statistics.median(ours[key] for ours, _ in rounds),
                        statistics.median(floor[key] for _, floor in rounds), ratio, sense, bound, ratio))
    return rows


def pairs(flags):
    """["--a", "1", "--b"] as [("--a", "1"), ("--b", None)]."""
    result, index = [], 0
    while index < len(flags):
        value = flags[index + 1] if index + 1 < len(flags) and not flags[index + 1].startswith("--") else None
        result.append((flags[index], value))
        index += 1 if value is None else 2
    return result


def line_rows(folder, wanted, options):
    rows = []
    for program in sorted(os.listdir(folder)):
        if not program.startswith("bench_") or program == "bench_rpc":
            continue
        progress(program)
        flags = ["--quick"] if options.quick else []
        for line in run_json_lines([f"{folder}/{program}", *flags, *(["--only", wanted] if wanted else [])]):
            if wanted not in line["name"]:
                continue
            reference = line.get("reference")
            ratio = line.get("ratio") or (line["value"] / reference if reference else None)
            sense, bound, kind = BOUNDS.get(line["name"], (None, None, None))
            measured = ratio if kind == "ratio" else line["value"]
            made = row(line["name"], line["unit"], line["value"], reference, ratio, sense, bound, measured)
            clean = line["name"].startswith(NO_ALLOCATIONS)
            if made["holds"] and clean and (line.get("allocations") or 0) > 0.001:
                made["holds"] = False
            rows.append(made)
    return rows


def page_rows(wanted, options):
    names = ("inspect/html_100k_open", "inspect/html_100k_scroll")
    if not any(wanted in name for name in names):
        return []
    progress("inspect/html_100k")
    measured = page.measure(os.path.join(options.build, "bin", "spanwire"), 1 if options.quick else ROUNDS,
                            300 if options.quick else 2000)
    if measured is None:
        print("bench: no Chromium here, inspect/html_100k is left out", file=sys.stderr)
        return []
    return [row(name, unit, value, reference, value / reference, sense, reference, value)
            for name, unit, value, reference, sense in (
                (names[0], "s", measured[0], page.OPEN_SECONDS, "<="),
                (names[1], "frames/s", measured[1], page.FRAMES_A_SECOND, ">="))]


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def print_table(rows, markdown):
    head = ["name", "unit", "value", "reference", "ratio", "bound", "holds"]
    holds = {True: "yes", False: "NO", None: ""}
    cells = [[r["name"], r["unit"], number(r["value"]), number(r["reference"]),
              "" if r["ratio"] is None else f"{r['ratio']:.2f}", r["bound"] or "", holds[r["holds"]]] for r in rows]
    widths = [max(len(line[i]) for line in [head, *cells]) for i in range(len(head))]
    edge = "| " if markdown else ""
    gap = " | " if markdown else "  "
    for index, line in enumerate([head, *cells]):
        print((edge + gap.join(text.ljust(width) for text, width in zip(line, widths)) + edge[::-1]).rstrip())
        if markdown and index == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="folder of a Release build with the benches")
    parser.add_argument("--json", metavar="FILE", help="write the rows as a JSON array too")
    parser.add_argument("--only", default="", metavar="PATTERN", help="rows whose name contains PATTERN")
    parser.add_argument("--placement", default="0,1" if (os.cpu_count() or 1) > 1 else "0,0", metavar="CLIENT,SERVER",
                        help="cores of the two processes; both on one (0,0) is steadier on a busy machine")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each echo run")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that everything works")
    parser.add_argument("--markdown", action="store_true", help="a table for the documents")
    options = parser.parse_args()
    if options.quick:
        options.seconds = 0.1
    folder = os.path.join(options.build, "bench")
    rows = echo_rows(folder, options.only, options) + line_rows(folder, options.only, options)
    rows += page_rows(options.only, options)
    progress("")
    if not rows:
        sys.exit(f"bench: no name contains '{options.only}'")
    print_table(rows, options.markdown)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=2)
    missed = [r["name"] for r in rows if r["holds"] is False]
    if missed:
        print(f"\n{len(missed)} of {len(rows)} bounds do not hold: {', '.join(missed)}")


if __name__ == "__main__":
    main()
