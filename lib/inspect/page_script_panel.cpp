#include "lib/inspect/page.hpp"

namespace spanwire::inspect::page {

const std::string_view kScriptPanel = R"js(
// ---- The trace's head, the list of traces ------------------------------------------------------

function fact(value, what, className) {
  const node = make("span", className || "");
  node.append(make("b", "", value), " " + what);
  return node;
}

function drawHead() {
  const trace = view.trace;
  $("head").querySelector("h1").textContent = trace.spans[0].n || "(no name)";
  const copy = make("button", "mono", trace.id);
  copy.title = "Copy the trace id";
  copy.addEventListener("click", () => {
    if (navigator.clipboard) navigator.clipboard.writeText(trace.id).catch(() => {});
  });
  const many = (n, one, more) => n === 1 ? one : more;
  $("facts").replaceChildren(
    fact(duration(trace.d), "in all"),
    fact(trace.spans.length, many(trace.spans.length, "span", "spans")),
    fact(trace.p, many(trace.p, "process", "processes")),
    ...(trace.e ? [fact(trace.e, many(trace.e, "error", "errors"), "bad")] : []),
    make("span", "", trace.t + " UTC"), copy);
  const seen = new Map();
  for (const span of trace.spans) seen.set(span.pr, (seen.get(span.pr) || 0) + 1);
  $("legend").replaceChildren(...[...seen].map(([process, count]) => {
    const item = make("span", "");
    item.append(make("i", "dot " + colourOf(process)), processName(process));
    item.append(make("span", "dim", String(count)));
    return item;
  }));
  const notes = [];
  if (trace.o) notes.push(trace.o + many(trace.o, " span hangs", " spans hang") + " under a parent that is not in these files");
  if (trace.c) notes.push(trace.c + many(trace.c, " cycle", " cycles") + " of parents cut");
  if (trace.sh) notes.push("clocks of the processes differ: shown corrected by the measured offset");
  $("note").hidden = notes.length === 0;
  $("note").textContent = notes.join(" · ");
}

function drawTraces() {
  const box = $("traces");
  box.hidden = data.traces.length < 2;
  if (box.hidden) return;
  const longest = Math.max(1, ...data.traces.map((trace) => trace.d));
  box.replaceChildren(make("h2", "", data.traces.length + " traces" + (data.more ? " of " + (data.traces.length + data.more) : "")));
  data.traces.forEach((trace, i) => {
    const item = make("button", trace.e ? "trace bad" : "trace");
    item.setAttribute("aria-current", String(i === view.at));
    const title = make("b", "");
    title.append(make("span", "", trace.spans[0].n || "(no name)"), make("span", "", duration(trace.d)));
    const meter = make("i", "");
    const fill = make("span", "");
    fill.style.width = Math.max(1, trace.d / longest * 100) + "%";
    meter.append(fill);
    const small = make("small", "");
    small.append(make("span", "mono", trace.id.slice(0, 8)), make("span", "", trace.t.slice(11)), make("span", "", trace.spans.length + " spans" + (trace.e ? ", " + trace.e + " ✗" : "")));
    item.append(title, meter, small);
    item.addEventListener("click", () => show(i));
    box.append(item);
  });
}

// ---- One span ----------------------------------------------------------------------------------

function table(items) {
  const body = make("tbody");
  for (const [key, type, value] of items) {
    const row = make("tr");
    row.append(make("td", "", key), make("td", type === "i" || type === "d" ? "num mono" : "mono", value));
    body.append(row);
  }
  const node = make("table");
  node.append(body);
  return node;
}

function section(title, count, open, ...content) {
  const node = make("details");
  node.open = open;
  const summary = make("summary", "", title);
  if (count !== null) summary.append(make("small", "", String(count)));
  node.append(summary, ...content);
  return node;
}

// The span's time less what its children cover.
function selfTime(index) {
  const spans = view.trace.spans, own = spans[index];
  const parts = [];
  for (let i = index + 1; i <= index + own.c; i += spans[i].c + 1) parts.push([spans[i].s, spans[i].s + spans[i].d]);
  parts.sort((a, b) => a[0] - b[0]);
  let covered = 0, at = own.s;
  for (const [start, end] of parts) {
    const from = Math.max(at, start), to = Math.min(own.s + own.d, end);
    if (to > from) { covered += to - from; at = to; }
  }
  return own.d - covered;
}

function eventNode(span, event) {
  const node = make("div", "event");
  const head = make("div");
  head.append(make("b", "", event[1] || "(no name)"), make("span", "dim mono", "+" + duration(event[0] - span.s)));
  node.append(head);
  if (event[2].length) node.append(table(event[2]));
  return node;
}

function linkNode(link) {
  const node = make("div", "event");
  const t = data.traces.findIndex((trace) => trace.id === link[0]);
  const s = t < 0 ? -1 : data.traces[t].spans.findIndex((span) => span.i === link[1]);
  const text = link[0] + " / " + link[1];
  if (s >= 0) {
    const jump = make("button", "jump mono", text);
    jump.addEventListener("click", () => { show(t); pick(s, true); });
    node.append(jump);
  } else {
    node.append(make("span", "mono dim", text));
  }
  if (link[2].length) node.append(table(link[2]));
  return node;
}

function sum(label, value) {
  const node = make("div");
  node.append(make("small", "", label), make("b", "", value));
  return node;
}

function drawPanel() {
  const panel = $("panel");
  const span = view.trace.spans[view.picked];
  const process = data.processes[span.pr], scope = data.scopes[span.sc];
  const head = make("header");
  const close = make("button", "", "×");
  close.id = "close";
  close.setAttribute("aria-label", "Close");
  close.addEventListener("click", () => pick(-1));
  const who = make("div", "dim");
  who.append(make("i", "dot " + colourOf(span.pr)), make("span", "", processName(span.pr) + (KINDS[span.k] ? " · " + KINDS[span.k] : "")));
  head.append(make("h2", "", span.n || "(no name)"), who, close);
  const sums = make("div", "sum");
  sums.append(sum("Duration", duration(span.d)), sum("Self", duration(selfTime(view.picked))), sum("Starts at", duration(span.s)));
  const parts = [head, sums];
  if (span.st === 2) parts.push(make("div", "alert", span.m || "status: error"));
  if (span.o) parts.push(make("div", "alert warn", "Its parent " + span.p + " is not in these files."));
  if (span.y) parts.push(make("div", "alert warn", "Its parents lead back to itself; the tree is cut here."));
  parts.push(make("div", "space", "\u00a0"));
  if (span.a.length) parts.push(section("Attributes", span.a.length, true, table(span.a)));
  if (span.ev.length) parts.push(section("Events", span.ev.length, true, ...span.ev.map((event) => eventNode(span, event))));
  if (span.ln.length) parts.push(section("Links", span.ln.length, true, ...span.ln.map(linkNode)));
  parts.push(section("Process", null, false, table(process.a)));
  const ids = [["trace id", "s", view.trace.id], ["span id", "s", span.i]];
  if (span.p) ids.push(["parent span id", "s", span.p]);
  if (span.ts) ids.push(["tracestate", "s", span.ts]);
  if (scope.n) ids.push(["scope", "s", scope.n + (scope.v ? " " + scope.v : "")]);
  if (span.st === 1) ids.push(["status", "s", "ok"]);
  if (span.dr) ids.push(["dropped by limits", "i", String(span.dr)]);
  if (span.sh) ids.push(["clock shifted by", "s", duration(span.sh)]);
  parts.push(section("Identity", null, true, table(ids)));
  panel.replaceChildren(...parts);
  panel.scrollTop = 0;
  panel.hidden = false;
}

function pick(index, open) {
  view.picked = index;
  if (index < 0) {
    $("panel").hidden = true;
  } else {
    reveal(index, false);
    listRows();
    const top = view.rows.indexOf(index) * ROW, box = $("rows");
    if (top < box.scrollTop) box.scrollTop = top;
    if (top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW - box.clientHeight;
    if (open || !$("panel").hidden) drawPanel();
  }
  redraw();
}

// ---- Search, keys, start ---------------------------------------------------------------------

function search(text) {
  view.query = text.trim().toLowerCase();
  view.hits = new Set();
  if (view.query) view.trace.spans.forEach((span, i) => { if (spanText(span).includes(view.query)) view.hits.add(i); });
  $("found").textContent = view.query ? view.hits.size + " found" : "";
  draw();
}

function next(step, wanted) {
  const n = view.trace.spans.length;
  for (let k = 1; k <= n; ++k) {
    const i = (((view.picked < 0 && step > 0 ? -1 : Math.max(0, view.picked)) + step * k) % n + n) % n;
    if (wanted(i)) { pick(i); return; }
  }
}

function move(step) {
  const at = view.rows.indexOf(view.picked);
  pick(view.rows[Math.min(view.rows.length - 1, Math.max(0, at < 0 ? 0 : at + step))]);
}

function setTheme(name) { document.documentElement.dataset.theme = name; if (view.trace) redraw(); }
function flipTheme() { setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"); }

function show(index) {
  view.at = index;
  view.trace = data.traces[index];
  view.shut = new Set();
  view.picked = -1;
  view.from = 0;
  view.to = 1;
  $("panel").hidden = true;
  $("rows").scrollTop = 0;
  drawHead();
  drawTraces();
  listRows();
  search($("query").value);
  redraw();
}

const keys = {
  ArrowDown: () => move(1), j: () => move(1), ArrowUp: () => move(-1), k: () => move(-1),
  PageDown: () => move(20), PageUp: () => move(-20), Home: () => move(-1e9), End: () => move(1e9),
  ArrowRight: () => { if (view.picked >= 0 && view.shut.has(view.picked)) fold(view.picked, false); else move(1); },
  ArrowLeft: () => {
    if (view.picked < 0) return;
    const span = view.trace.spans[view.picked];
    if (span.c > 0 && !view.shut.has(view.picked)) fold(view.picked, true); else if (span.x >= 0) pick(span.x);
  },
  Enter: () => { if (view.picked >= 0) pick(view.picked, true); },
  Escape: () => { if (!$("help").hidden) $("help").hidden = true; else pick(-1); },
  n: () => next(1, (i) => view.hits.has(i)), N: () => next(-1, (i) => view.hits.has(i)),
  e: () => next(1, (i) => view.trace.spans[i].st === 2),
  z: () => { if (view.picked >= 0) { const s = view.trace.spans[view.picked], t = Math.max(1, view.trace.d), pad = s.d / t * .05; zoom(s.s / t - pad, (s.s + s.d) / t + pad); } },
  0: () => zoom(0, 1), "[": () => foldAll(true), "]": () => foldAll(false), t: flipTheme,
  "/": () => $("query").focus(), "?": () => { $("help").hidden = !$("help").hidden; },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === $("query")) {
    if (event.key === "Enter") next(event.shiftKey ? -1 : 1, (i) => view.hits.has(i));
    else if (event.key === "Escape") { $("query").value = ""; search(""); $("rows").focus(); }
    return;
  }
  if (event.key === "Enter" && event.target instanceof Element && event.target.closest("button, summary")) return;
  const act = keys[event.key];
  if (act && view.trace) { act(); event.preventDefault(); }
});

function drag(node, onMove, onStart) {
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    if (onStart) onStart(event);
    const follow = (e) => onMove(e);
    node.addEventListener("pointermove", follow);
    node.addEventListener("pointerup", () => node.removeEventListener("pointermove", follow), { once: true });
  });
}

let anchor = 0;
const share = (event) => { const box = $("map").getBoundingClientRect(); return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)); };
drag($("map"), (event) => { const at = share(event); if (Math.abs(at - anchor) > .004) zoom(Math.min(anchor, at), Math.max(anchor, at)); }, (event) => { anchor = share(event); });
$("map").addEventListener("dblclick", () => zoom(0, 1));
drag($("grip"), (event) => {
  const left = $("board").getBoundingClientRect().left;
  setNames(Math.min(window.innerWidth * .6, Math.max(180, event.clientX - left)));
});
function setNames(width) { view.names = width; if (view.trace) redraw(); }

$("rows").addEventListener("scroll", draw);
window.addEventListener("resize", () => { if (view.trace) redraw(); });
$("query").addEventListener("input", (event) => search(event.target.value));
$("theme").addEventListener("click", flipTheme);
$("ask").addEventListener("click", () => { $("help").hidden = false; });
$("help").addEventListener("click", () => { $("help").hidden = true; });
$("fold-all").addEventListener("click", () => foldAll(true));
$("open-all").addEventListener("click", () => foldAll(false));
for (const [names, what] of [["↑ ↓", "previous, next span"], ["← →", "collapse, expand"], ["Enter", "details"], ["Esc", "close"], ["/", "search"], ["n N", "next, previous hit"], ["e", "next error"], ["z 0", "zoom to the span, to all"], ["[ ]", "collapse, expand all"], ["t", "dark or light"]]) {
  const row = make("tr"), cell = make("td");
  for (const name of names.split(" ")) cell.append(make("kbd", "", name));
  row.append(cell, make("td", "", what));
  $("help").querySelector("tbody").append(row);
}
setTheme(window.matchMedia && matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
setNames(Math.min(460, Math.max(240, window.innerWidth * .32)));
if (data.traces.length) show(0); else $("main").replaceChildren(make("p", "empty", "No trace in these files."));
)js";

}  // namespace spanwire::inspect::page
