// ---- What is worked out from the spans ----------------------------------------------------------

const childrenOf = (trace, index) => {
  const found = [];
  for (let i = index + 1, end = index + (trace.spans[index].c || 0); i <= end; i += (trace.spans[i].c || 0) + 1) found.push(i);
  return found;
};

function rootsOf(trace) {
  const found = [];
  for (let i = 0; i < trace.spans.length; i += (trace.spans[i].c || 0) + 1) found.push(i);
  return found;
}

const parentOf = (trace, index) => { const x = trace.spans[index].x; return x === undefined ? -1 : x; };

// A span's time less what its children cover.
function selfTime(trace, index) {
  const own = trace.spans[index], end = own.s + own.d;
  const parts = childrenOf(trace, index).map((i) => trace.spans[i]).sort((a, b) => a.s - b.s);
  let covered = 0, at = own.s;
  for (const part of parts) {
    const from = Math.max(at, part.s), to = Math.min(end, part.s + part.d);
    if (to > from) { covered += to - from; at = to; }
  }
  return own.d - covered;
}

// From each root's end backwards, always into the child that ended last before the point reached;
// children count only as far as they lie within their parent.  Pieces [span, from, to] of time.
function criticalPath(trace) {
  const pieces = [];
  const enter = (index, until, floor) => {
    const span = trace.spans[index];
    const children = childrenOf(trace, index);
    const ends = new Map(children.map((i) => [i, Math.min(trace.spans[i].s + trace.spans[i].d, until)]));
    children.sort((a, b) => ends.get(a) - ends.get(b) || a - b);
    return { index, at: until, start: Math.max(span.s, floor), children, ends };
  };
  for (const root of rootsOf(trace)) {
    const span = trace.spans[root];
    const open = [enter(root, span.s + span.d, span.s)];
    while (open.length) {
      const top = open[open.length - 1];
      const next = top.children.pop();
      if (next === undefined) {
        if (top.at > top.start) pieces.push([top.index, top.start, top.at]);
        open.pop();
        continue;
      }
      const end = top.ends.get(next), begin = Math.max(trace.spans[next].s, top.start);
      if (end > top.at || end <= begin) continue;
      if (top.at > end) pieces.push([top.index, end, top.at]);
      top.at = begin;
      open.push(enter(next, end, begin));
    }
  }
  return pieces;
}

// Span index -> its pieces.
function criticalOf(trace) {
  if (!trace.critical) {
    trace.critical = new Map();
    for (const piece of criticalPath(trace)) {
      const known = trace.critical.get(piece[0]);
      if (known) known.push(piece); else trace.critical.set(piece[0], [piece]);
    }
  }
  return trace.critical;
}

const onPath = (trace, index) => (criticalOf(trace).get(index) || NONE).reduce((sum, piece) => sum + piece[2] - piece[1], 0);

// Per service and name: spans, errors, time in all, of its own, and on the critical path.
function summaryOf(trace) {
  const lines = new Map();
  trace.spans.forEach((span, i) => {
    const service = data.processes[span.pr || 0].s;
    const key = service + "\u0000" + span.n;
    let line = lines.get(key);
    if (!line) lines.set(key, line = { service, process: span.pr || 0, name: nameOf(span), first: i, spans: 0, errors: 0, all: 0, self: 0, path: 0 });
    line.spans += 1;
    line.errors += span.st === 2 ? 1 : 0;
    line.all += span.d;
    line.self += selfTime(trace, i);
    line.path += onPath(trace, i);
  });
  return [...lines.values()].sort((a, b) => b.path - a.path || b.self - a.self);
}

// Per pair of services: what the one asks of the other, where a span's parent is in another process.
function callsOf(trace) {
  const pairs = new Map();
  trace.spans.forEach((span, i) => {
    const parent = span.x === undefined ? null : trace.spans[span.x];
    if (!parent || (parent.pr || 0) === (span.pr || 0)) return;
    const from = parent.pr || 0, to = span.pr || 0;
    const key = data.processes[from].s + "\u0000" + data.processes[to].s;
    if (!pairs.has(key)) pairs.set(key, { from, to, errors: 0, times: [], first: i });
    const pair = pairs.get(key);
    pair.errors += span.st === 2 || parent.st === 2 ? 1 : 0;
    pair.times.push(span.d);
  });
  for (const pair of pairs.values()) pair.times.sort((a, b) => a - b);
  return [...pairs.values()].sort((a, b) => b.times.length - a.times.length);
}

// ---- Links, in both directions --------------------------------------------------------------------

let places = null, linkedFrom = null;
function indexSpans() {
  places = new Map();
  linkedFrom = new Map();
  data.traces.forEach((trace, t) => trace.spans.forEach((span, s) => places.set(trace.id + span.i, [t, s])));
  data.traces.forEach((trace, t) => trace.spans.forEach((span, s) => {
    for (const link of span.ln || NONE) {
      const key = link[0] + link[1];
      if (!linkedFrom.has(key)) linkedFrom.set(key, []);
      linkedFrom.get(key).push([t, s]);
    }
  }));
}
function placeOf(trace, span) { if (!places) indexSpans(); return places.get(trace + span); }
function linksTo(trace, span) { if (!places) indexSpans(); return linkedFrom.get(trace + span) || NONE; }

// ---- What a request to a model went through -------------------------------------------------------

// Event name -> how its mark looks.  Others have a plain one.
const MARKS = new Map(Object.entries({
  "journey.FIRST_TOKEN": "first", "first_token": "first", "gen_ai.first_token": "first", "gen_ai.token.generated": "token",
  "api.FIRST_RESPONSE_FROM_CORE": "first", "api.ARRIVED": "edge", "api.DEPARTED": "edge", "api.HANDOFF_TO_CORE": "edge",
  "journey.QUEUED": "queue", "journey.SCHEDULED": "go", "schedule": "go", "journey.PREEMPTED": "stop", "retract": "stop",
  "journey.FINISHED": "edge", "api.ABORTED": "stop", "exception": "stop",
}));
const PHASES = [
  ["queue", "gen_ai.latency.time_in_queue", "journey.QUEUED", "journey.SCHEDULED"],
  ["prefill", "gen_ai.latency.time_in_model_prefill", "journey.SCHEDULED", "journey.FIRST_TOKEN"],
  ["decode", "gen_ai.latency.time_in_model_decode", "journey.FIRST_TOKEN", "journey.FINISHED"],
];
const TOKENS = [
  ["tokens in", ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"]],
  ["tokens out", ["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"]],
  ["tokens cached", ["gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cached_tokens"]],
];

const attributeOf = (span, key) => { const found = (span.a || NONE).find((item) => item[0] === key); return found && found[2]; };
const eventOf = (span, name) => (span.ev || NONE).find((event) => event[1] === name);

// The first token of the trace, the phases and the tokens of its request; null where nothing says.
function modelOf(trace) {
  if (trace.model !== undefined) return trace.model;
  const model = { token: null, phases: new Map(), counts: new Map() };
  for (const span of trace.spans) {
    for (const event of span.ev || NONE) {
      if (MARKS.get(event[1]) === "first" && (model.token === null || event[0] < model.token)) model.token = event[0];
    }
    const seconds = Number(attributeOf(span, "gen_ai.latency.time_to_first_token"));
    if (seconds > 0 && model.token === null) model.token = span.s + seconds * 1e9;
    for (const [phase, key, begin, end] of PHASES) {
      const told = Number(attributeOf(span, key)), a = eventOf(span, begin), b = eventOf(span, end);
      if (told >= 0) model.phases.set(phase, told * 1e9);
      else if (a && b && b[0] >= a[0] && !model.phases.has(phase)) model.phases.set(phase, b[0] - a[0]);
    }
    for (const [what, keys] of TOKENS) {
      const told = keys.map((key) => attributeOf(span, key)).find((value) => value !== undefined);
      if (told !== undefined && !model.counts.has(what)) model.counts.set(what, told);
    }
  }
  trace.model = model.token === null && model.phases.size === 0 && model.counts.size === 0 ? null : model;
  return trace.model;
}

// ---- Clocks -----------------------------------------------------------------------------------------

// As recorded, or corrected by the offsets that client spans measured.
function setRaw(trace, raw) {
  if (Boolean(trace.raw) === raw) return;
  trace.raw = raw;
  trace.critical = trace.model = undefined;
  for (const span of trace.spans) {
    if (!span.sh) continue;
    const step = raw ? -span.sh : span.sh;
    span.s += step;
    for (const event of span.ev || NONE) event[0] += step;
  }
}

function measure(trace) {
  let lo = Infinity, hi = -Infinity;
  for (const span of trace.spans) {
    lo = Math.min(lo, span.s);
    hi = Math.max(hi, span.s + span.d);
  }
  view.lo = lo;
  view.total = Math.max(1, hi - lo);
}

// [process, how much its clock was moved], each once.
function shiftsOf(trace) {
  const found = new Map();
  for (const span of trace.spans) if (span.sh && !found.has(span.pr || 0)) found.set(span.pr || 0, span.sh);
  return [...found];
}
