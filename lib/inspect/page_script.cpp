#include "lib/inspect/page.hpp"

namespace spanwire::inspect::page {

// What spans carry reaches the page through textContent alone.
const std::string_view kScriptRows = R"js(
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const ROW = 28;
const KINDS = ["", "internal", "server", "client", "producer", "consumer"];

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function duration(ns) {
  const a = Math.abs(ns);
  const cut = (value) => value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0);
  if (a < 1000) return ns + " ns";
  if (a < 999.5e3) return cut(ns / 1e3) + " µs";
  if (a < 999.5e6) return cut(ns / 1e6) + " ms";
  if (a < 99.95e9) return cut(ns / 1e9) + " s";
  const total = Math.floor(a / 1e9);
  return Math.floor(total / 60) + "m " + String(total % 60).padStart(2, "0") + "s";
}

// One trace at a time; everything that a redraw needs.
const view = {
  trace: null, at: 0, rows: [], shut: new Set(), picked: -1, from: 0, to: 1,
  query: "", hits: new Set(), colour: new Map(), ticks: [], names: 320,
};

function colourOf(process) {
  const service = data.processes[process].s + "\u0000" + data.processes[process].i;
  if (!view.colour.has(service)) view.colour.set(service, view.colour.size % 8);
  return "c" + view.colour.get(service);
}

function processName(process) {
  const own = data.processes[process];
  const twins = data.processes.some((other, i) => i !== process && other.s === own.s);
  return twins && own.i ? own.s + "/" + (own.i.length > 12 ? own.i.slice(0, 8) : own.i) : own.s;
}

function spanText(span) {
  if (span.text === undefined) {
    const parts = [span.n, span.i, span.m || "", data.processes[span.pr].s, data.processes[span.pr].i];
    for (const item of span.a) parts.push(item[0], item[2], item[0] + "=" + item[2]);
    for (const event of span.ev) {
      parts.push(event[1]);
      for (const item of event[2]) parts.push(item[0], item[2]);
    }
    span.text = parts.join("\n").toLowerCase();
  }
  return span.text;
}

// ---- Which rows there are -------------------------------------------------------------------

function listRows() {
  view.rows = [];
  const spans = view.trace.spans;
  for (let i = 0; i < spans.length; ++i) {
    view.rows.push(i);
    if (view.shut.has(i)) i += spans[i].c;
  }
  $("tall").style.height = view.rows.length * ROW + "px";
}

function fold(index, shut) {
  if (view.trace.spans[index].c === 0) return;
  if (shut) view.shut.add(index); else view.shut.delete(index);
  listRows();
  draw();
}

function foldAll(shut) {
  view.shut.clear();
  view.trace.spans.forEach((span, i) => { if (shut && span.c > 0 && span.dp > 0) view.shut.add(i); });
  if (shut) reveal(view.picked, true);
  listRows();
  draw();
}

// Opens what hides a span; with `climb`, the pick moves up to the nearest row instead.
function reveal(index, climb) {
  for (let i = index < 0 ? -1 : view.trace.spans[index].x; i >= 0; i = view.trace.spans[i].x) {
    if (!view.shut.has(i)) continue;
    if (climb) view.picked = i; else view.shut.delete(i);
  }
}

// ---- Drawing --------------------------------------------------------------------------------

const place = (ns) => (ns / Math.max(1, view.trace.d) - view.from) / (view.to - view.from);

function drawTicks() {
  const box = $("ticks");
  box.replaceChildren();
  const total = Math.max(1, view.trace.d);
  const shown = (view.to - view.from) * total;
  const most = Math.max(2, Math.floor(box.clientWidth / 90));
  const raw = shown / most;
  const power = Math.pow(10, Math.floor(Math.log10(Math.max(raw, 1e-9))));
  const step = Math.max(1, [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw) || power * 10);
  view.ticks = [];
  for (let t = Math.ceil(view.from * total / step) * step; t <= view.to * total + 1; t += step) {
    const left = place(t) * 100;
    view.ticks.push(left);
    const label = make("span", "", t === 0 ? "0" : duration(Math.round(t)));
    label.style.left = left + "%";
    if (left / 100 * box.clientWidth < box.clientWidth - 56) box.append(label);
  }
}

function drawName(row, span, index) {
  const names = make("div", "names");
  // Beyond a dozen levels indentation would eat the name.
  for (let depth = 0; depth < Math.min(span.dp, 12); ++depth) names.append(make("div", "rail line"));
  if (span.c > 0) {
    const shut = view.shut.has(index);
    const button = make("button", shut ? "fold shut" : "fold", (shut ? "+" : "−") + (span.c > 999 ? "1k" : span.c));
    button.tabIndex = -1;
    button.setAttribute("aria-label", shut ? "Expand" : "Collapse");
    button.addEventListener("click", (event) => { event.stopPropagation(); fold(index, !shut); });
    names.append(button);
    row.setAttribute("aria-expanded", String(!shut));
  } else {
    names.append(make("div", "leaf"));
  }
  const name = make("div", "name");
  name.append(make("div", "dot " + colourOf(span.pr)));
  if (span.st === 2) name.append(make("span", "flag", "error"));
  if (span.o) name.append(make("span", "flag warn", "orphan"));
  if (span.y) name.append(make("span", "flag warn", "cycle"));
  const label = make("span", "");
  // The service where it begins: below, the colour says it.
  if (span.x < 0 || view.trace.spans[span.x].pr !== span.pr) label.append(make("span", "service", processName(span.pr) + "  "));
  const text = make(view.query && view.hits.has(index) ? "mark" : "span", span.st === 2 ? "bad" : "", span.n || "(no name)");
  label.append(text);
  label.title = processName(span.pr) + "  " + span.n;
  name.append(label);
  names.append(name);
  return names;
}

function drawLane(span) {
  const lane = make("div", "lane");
  for (const left of view.ticks) {
    const line = make("div", "grid");
    line.style.left = left + "%";
    lane.append(line);
  }
  const left = place(span.s) * 100, right = place(span.s + span.d) * 100;
  if (right < -0.5 || left > 100.5) return lane;
  const bar = make("div", "bar " + colourOf(span.pr) + " " + (KINDS[span.k] || "") + (span.st === 2 ? " bad" : ""));
  bar.style.left = left + "%";
  bar.style.width = right - left + "%";
  lane.append(bar);
  for (const event of span.ev) {
    const tick = make("div", "tick");
    tick.style.left = place(event[0]) * 100 + "%";
    tick.title = event[1] + "  " + duration(event[0] - span.s);
    lane.append(tick);
  }
  const time = make("div", "time", duration(span.d));
  if (right < 86) time.style.left = Math.max(0, right) + "%";
  else if (left > 14) time.style.right = 100 - left + "%";
  else { time.classList.add("inside"); time.style.right = Math.max(0, 100 - right) + "%"; }
  lane.append(time);
  return lane;
}

function draw() {
  const box = $("rows");
  const first = Math.max(0, Math.floor(box.scrollTop / ROW) - 8);
  const last = Math.min(view.rows.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + 8);
  const nodes = [];
  for (let r = first; r < last; ++r) {
    const index = view.rows[r];
    const span = view.trace.spans[index];
    const row = make("div", "row");
    row.id = "r" + index;
    row.setAttribute("role", "row");
    row.setAttribute("aria-level", String(span.dp + 1));
    row.style.top = r * ROW + "px";
    if (index === view.picked) { row.classList.add("picked"); row.setAttribute("aria-selected", "true"); }
    if (view.query && !view.hits.has(index)) row.classList.add("faded");
    row.append(drawName(row, span, index), drawLane(span));
    row.addEventListener("click", () => pick(index, true));
    row.addEventListener("dblclick", () => fold(index, !view.shut.has(index)));
    nodes.push(row);
  }
  $("tall").replaceChildren(...nodes);
  box.setAttribute("aria-activedescendant", view.picked >= 0 ? "r" + view.picked : "");
}

function drawMap() {
  const canvas = $("map").querySelector("canvas");
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const paint = canvas.getContext("2d");
  paint.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  const colours = [];
  for (let i = 0; i < 8; ++i) colours.push(style.getPropertyValue("--s" + i));
  const bad = style.getPropertyValue("--bad");
  const spans = view.trace.spans;
  const step = Math.min(4, (height - 10) / Math.max(1, spans.length));
  spans.forEach((span, i) => {
    paint.fillStyle = span.st === 2 ? bad : colours[Number(colourOf(span.pr).slice(1))];
    const total = Math.max(1, view.trace.d);
    paint.fillRect(span.s / total * width, 5 + i * step, Math.max(1, span.d / total * width), Math.max(1, step - 1));
  });
  const lens = $("lens");
  lens.hidden = view.from === 0 && view.to === 1;
  lens.style.left = view.from * 100 + "%";
  lens.style.width = (view.to - view.from) * 100 + "%";
}

function redraw() {
  // The ruler is as wide as the lanes, which a scroll bar makes narrower.
  document.documentElement.style.setProperty("--names", Math.min(view.names, $("board").clientWidth * .46) + "px");
  $("ruler").style.paddingRight = $("rows").offsetWidth - $("rows").clientWidth + "px";
  drawTicks();
  drawMap();
  draw();
}

function zoom(from, to) {
  if (!(to - from > 1e-9)) return;
  const least = Math.min(1, 10 / Math.max(1, view.trace.d));
  if (to - from < least) { const middle = (from + to) / 2; from = middle - least / 2; to = middle + least / 2; }
  view.from = Math.max(0, from);
  view.to = Math.min(1, to);
  redraw();
}
)js";

}  // namespace spanwire::inspect::page
