"""Traces to look at: what a request to a model leaves behind, and what goes wrong with traces."""

import json

START = 1_795_254_000_000_000_000
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><!--"


def attributes(values):
    made = []
    for key, value in values.items():
        kind = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}[type(value)]
        made.append({"key": key, "value": {kind: str(value) if kind == "intValue" else value}})
    return made


def span(trace, number, parent, name, start_us, length_us, kind=1, **more):
    made = {
        "traceId": f"{trace:032x}", "spanId": f"{number:016x}", "name": name, "kind": kind, "flags": 257,
        "startTimeUnixNano": str(START + int(start_us * 1000)),
        "endTimeUnixNano": str(START + int((start_us + length_us) * 1000)),
        "attributes": attributes(more.get("attributes", {})),
        "events": [{"timeUnixNano": str(START + int(at * 1000)), "name": event, "attributes": attributes(values)}
                   for event, at, values in more.get("events", [])],
        "links": [{"traceId": f"{of:032x}", "spanId": f"{to:016x}"} for of, to in more.get("links", [])],
        "status": {"code": 2, "message": more["error"]} if "error" in more else {},
    }
    if parent:
        made["parentSpanId"] = f"{parent:016x}"
    return made


def line(service, spans, instance="a1", scope="test"):
    resource = attributes({"service.name": service, "service.instance.id": instance, "process.pid": 4711})
    return json.dumps({"resourceSpans": [{"resource": {"attributes": resource},
                                          "scopeSpans": [{"scope": {"name": scope}, "spans": spans}]}]}) + "\n"


def request(trace, at=0.0, failed=False):
    """One chat request over a frontend, a prefill and a decode worker; 90 ms, or an error after 30."""
    def place(us):
        return at + us

    front = [
        span(trace, 1, 0, "POST /v1/chat/completions", place(0), 90_000, 2,
             attributes={"http.request.method": "POST", "url.path": "/v1/chat/completions",
                         "gen_ai.request.model": "llama-3-8b", "gen_ai.usage.input_tokens": 412,
                         "gen_ai.usage.output_tokens": 24, "big": 9_007_199_254_740_993,
                         "body": json.dumps({"messages": [{"role": "user", "content": "x" * 400}]})}),
        span(trace, 2, 1, "kv_find_best_match", place(300), 350),
        span(trace, 3, 1, "llm/prefill/generate", place(800), 21_000, 3),
        span(trace, 4, 1, "llm/decode/generate", place(22_500), 67_000, 3,
             **({"error": "UNAVAILABLE: connection_lost"} if failed else {})),
    ]
    prefill = [
        span(trace, 5, 3, "llm/prefill/generate", place(1_100), 20_400, 2),
        span(trace, 6, 5, "queue", place(1_200), 4_000),
        span(trace, 7, 5, "prefill", place(5_300), 15_900, links=[(trace, 10)]),
    ]
    decode = [
        span(trace, 8, 4, "llm/decode/generate", place(22_800), 66_000, 2),
        span(trace, 9, 8, "llm_core", place(23_000), 65_500, attributes={"gen_ai.latency.time_in_queue": 0.0011},
             events=[("journey.QUEUED", place(23_100), {"scheduler.step": 3}), ("journey.SCHEDULED", place(24_200), {"schedule.kind": "FIRST"}),
                     ("journey.FIRST_TOKEN", place(31_000), {"scheduler.step": 5}), ("journey.FINISHED", place(88_400), {"finish.status": "stopped"})]),
    ] + [span(trace, 10 + step, 9, "decode step", place(24_300 + step * 5_300), 4_900,
              attributes={"decode_ct": step, "batch_size": 8}, links=[(trace, 9 + step)] if step else [])
         for step in range(12)]
    return [("frontend", front), ("prefill", prefill), ("decode", decode)]


def text_of(parts):
    return "".join(line(service, spans) for service, spans in parts)


def gallery():
    """Four traces: a good request, a failed one, one that is torn and skewed, one that is hostile."""
    text = text_of(request(0xA1)) + text_of(request(0xA2, 200_000, failed=True))
    call = span(0xA3, 1, 0, "call", 400_000, 10_000, 3, attributes={"spanwire.clock_offset_ns": -40_000_000})
    text += line("frontend", [call])
    text += line("frontend", [span(0xA3, 3, 0x99, "lost its parent", 405_000, 500)])
    text += line("far", [span(0xA3, 2, 1, "call", 361_000, 8_000, 2)], "b2")
    hostile = span(0xA4, 1, 0, HOSTILE, 500_000, 100, attributes={HOSTILE: HOSTILE, "proto": "__proto__"},
                   events=[(HOSTILE, 500_050, {HOSTILE: HOSTILE})], error=HOSTILE)
    return text + line(HOSTILE, [hostile], HOSTILE, HOSTILE)


def large(spans, per_trace=None):
    """That many spans, in one trace or in traces of so many; about five levels deep, a dozen services."""
    lines, batch = [], []
    per_trace = per_trace or spans
    for number in range(spans):
        trace, place = divmod(number, per_trace)
        parent = 0 if place == 0 else (place - 1) // 12 + 1
        begin = place * 40.0
        made = span(trace + 1, place + 1, parent, f"work {place % 40}", begin,
                    per_trace * 40.0 - begin if place == 0 else 4_000.0 / (1 + place % 7),
                    attributes={"request.id": f"req-{trace}", "step": place, "queue.seconds": 0.00125, "phase": "decode"},
                    events=[("schedule", begin + 1, {})] if place % 4 == 0 else [])
        batch.append(made)
        if len(batch) == 500 or number == spans - 1:
            lines.append(line(f"worker-{len(lines) % 12}", batch))
            batch = []
    return "".join(lines)
