// ---- The map above the rows, and what part of time they show -----------------------------------------

const MAP_ROWS_MIN = 12;

function drawLens() {
  const lens = $("lens");
  lens.hidden = view.from === 0 && view.to === 1;
  lens.style.left = view.from * 100 + "%";
  lens.style.width = (view.to - view.from) * 100 + "%";
}

function drawMap() {
  $("map").hidden = view.trace.spans.length < MAP_ROWS_MIN;
  if ($("map").hidden) return;
  const canvas = $("map").querySelector("canvas"), ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const paint = canvas.getContext("2d");
  paint.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  const colours = Array.from({ length: 8 }, (_, i) => style.getPropertyValue("--s" + i));
  const bad = style.getPropertyValue("--bad");
  const spans = view.trace.spans, step = Math.min(4, (height - 10) / Math.max(1, spans.length));
  spans.forEach((span, i) => {
    paint.fillStyle = span.st === 2 ? bad : colours[Number(colourOf(span.pr || 0).slice(1))];
    paint.fillRect((span.s - view.lo) / view.total * width, 5 + i * step, Math.max(1, span.d / view.total * width), Math.max(1, step - 1));
  });
}

// What depends on the part of time that is shown.
function redraw() {
  // The ruler is as wide as the lanes, which a scroll bar makes narrower.
  document.documentElement.style.setProperty("--names", Math.min(view.names, $("board").clientWidth * .46) + "px");
  const bar = $("rows").offsetWidth - $("rows").clientWidth;
  $("ruler").style.paddingRight = bar + "px";
  $("grid").style.right = bar + "px";
  drawTicks();
  drawLens();
  draw(true);
}

function zoom(from, to) {
  const least = Math.min(1, 10 / view.total);
  if (!(to - from > 1e-12)) return;
  if (to - from < least) { const middle = (from + to) / 2; from = middle - least / 2; to = middle + least / 2; }
  view.from = Math.max(0, from);
  view.to = Math.min(1, to);
  redraw();
  remember();
}

function zoomTo(index) {
  const span = view.trace.spans[index], pad = span.d * .05 + 1;
  zoom((span.s - view.lo - pad) / view.total, (span.s + span.d - view.lo + pad) / view.total);
}

// In by a factor below 1, out by one above; `shift` moves by a share of what is shown.
function zoomBy(factor, shift) {
  const width = Math.min(1, (view.to - view.from) * factor);
  const middle = (view.from + view.to) / 2 + shift * (view.to - view.from);
  const from = Math.min(1 - width, Math.max(0, middle - width / 2));
  zoom(from, from + width);
}

// ---- The trace's head, the list of traces ------------------------------------------------------------

function fact(value, what, className) {
  const node = make("span", className || "");
  node.append(make("b", "", value), " " + what);
  return node;
}

function drawHead() {
  const trace = view.trace;
  $("head").querySelector("h1").textContent = nameOf(trace.spans[0]);
  const id = make("span", "mono id", trace.id);
  id.append(copyButton(trace.id, "Copy the trace id"));
  const facts = [
    fact(duration(view.total), "in all"),
    fact(trace.spans.length.toLocaleString("en"), many(trace.spans.length, "span", "spans")),
    fact(trace.p, many(trace.p, "process", "processes")),
  ];
  if (trace.e) {
    const errors = makeButton("bad", "", "To the next error (e)", () => next(1, (i) => trace.spans[i].st === 2));
    errors.append(make("b", "", trace.e), " " + many(trace.e, "error", "errors"));
    facts.push(errors);
  }
  $("facts").replaceChildren(...facts, make("span", "", trace.t + " UTC"), id);
  drawModel();
  drawLegend();
  drawNotes();
}

function drawModel() {
  const model = modelOf(view.trace);
  $("model").hidden = !model;
  if (!model) return;
  const parts = [];
  if (model.token !== null) parts.push(fact(duration(model.token - view.lo), "to the first token", "first"));
  for (const [phase] of PHASES) if (model.phases.has(phase)) parts.push(fact(duration(model.phases.get(phase)), phase));
  for (const [what, count] of model.counts) parts.push(fact(count, what));
  $("model").replaceChildren(...parts);
}

function drawLegend() {
  const counts = new Map();
  for (const span of view.trace.spans) {
    const service = data.processes[span.pr || 0].s;
    const known = counts.get(service);
    if (known) known.count += 1; else counts.set(service, { process: span.pr || 0, count: 1 });
  }
  $("legend").replaceChildren(...[...counts].map(([service, { process, count }]) => {
    const item = makeButton("chip", "", "Show or hide its spans; with Alt only these", (event) => {
      if (event.altKey) view.hidden = new Set([...counts.keys()].filter((other) => other !== service));
      else if (!view.hidden.delete(service)) view.hidden.add(service);
      drawLegend();
      refresh();
    });
    item.setAttribute("aria-pressed", String(!view.hidden.has(service)));
    item.append(make("i", "dot " + colourOf(process)), service, make("span", "dim", String(count)));
    return item;
  }));
}

function drawNotes() {
  const trace = view.trace, notes = [];
  if (trace.o) {
    const note = make("div", "", trace.o + many(trace.o, " span hangs", " spans hang") + " under a parent that is not in these files. ");
    note.append(makeButton("jump", "Show", "", () => next(1, (i) => Boolean(trace.spans[i].o))));
    notes.push(note);
  }
  if (trace.c) notes.push(make("div", "", trace.c + many(trace.c, " cycle", " cycles") + " of parents cut."));
  const shifts = shiftsOf(trace);
  if (shifts.length) {
    const list = shifts.slice(0, 6).map(([process, ns]) => processName(process) + " by " + duration(ns)).join(", ");
    const note = make("div", "", (view.raw ? "Times are as recorded; clocks differ: " : "Clocks differ, and were moved for display: ") + list + ". ");
    note.append(makeButton("jump", view.raw ? "Correct them" : "Show as recorded", "Measured by the client spans of calls", () => {
      setRaw(trace, !view.raw);
      view.raw = !view.raw;
      measure(trace);
      drawHead();
      drawMap();
      redraw();
    }));
    notes.push(note);
  }
  $("note").hidden = notes.length === 0;
  $("note").replaceChildren(...notes);
}

function drawCrumbs() {
  const box = $("crumbs");
  box.hidden = view.focus < 0;
  if (box.hidden) return;
  const path = [];
  for (let i = view.focus; i >= 0; i = parentOf(view.trace, i)) path.unshift(i);
  box.replaceChildren(makeButton("jump", "whole trace", "Leave the focus (Esc)", () => setFocus(-1)));
  for (const i of path.slice(-6)) box.append(" › ", makeButton("jump", nameOf(view.trace.spans[i]), "", () => setFocus(i)));
}

const TRACE_ROW = 62;
function drawTraces() {
  const box = $("traces");
  box.hidden = data.traces.length < 2;
  if (box.hidden) return;
  const count = data.traces.length;
  $("traces-head").textContent = count + " traces" + (data.more ? " of " + (count + data.more) : "");
  $("traces-tall").style.height = count * TRACE_ROW + "px";
  const longest = data.longest = data.longest || data.traces.reduce((most, trace) => Math.max(most, trace.d), 1);
  const top = Math.max(0, box.scrollTop - 32);
  const first = Math.max(0, Math.floor(top / TRACE_ROW) - 4);
  const last = Math.min(count, Math.ceil((top + box.clientHeight) / TRACE_ROW) + 4);
  const items = [];
  for (let i = first; i < last; ++i) items.push(traceItem(data.traces[i], i, longest));
  $("traces-tall").replaceChildren(...items);
}

function traceItem(trace, i, longest) {
  const item = makeButton(trace.e ? "trace bad" : "trace", "", "", () => show(i));
  item.style.top = i * TRACE_ROW + "px";
  item.setAttribute("aria-current", String(i === view.at));
  const title = make("b", "");
  title.append(make("span", "", nameOf(trace.spans[0])), make("span", "", duration(trace.d)));
  const meter = make("i", ""), fill = make("span", "");
  fill.style.width = Math.max(1, trace.d / longest * 100) + "%";
  meter.append(fill);
  const small = make("small", "");
  const marks = (trace.e ? trace.e + " ✗, " : "") + (trace.o ? trace.o + many(trace.o, " orphan, ", " orphans, ") : "");
  item.title = trace.id;
  small.append(make("span", "", trace.t.slice(11)),
    make("span", "", marks + trace.spans.length + many(trace.spans.length, " span", " spans") + ", " + trace.p + many(trace.p, " process", " processes")));
  item.append(title, meter, small);
  return item;
}
