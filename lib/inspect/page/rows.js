// ---- Which rows there are ---------------------------------------------------------------------------

// With matches only: the hits and what leads to them.
function keptByMatches() {
  const kept = new Set();
  for (const hit of view.hits) {
    for (let i = hit; i >= 0 && !kept.has(i); i = parentOf(view.trace, i)) kept.add(i);
  }
  return kept;
}

function listRows() {
  view.rows = [];
  const spans = view.trace.spans;
  const kept = view.matchesOnly && view.query ? keptByMatches() : null;
  const first = Math.max(0, view.focus);
  const last = view.focus < 0 ? spans.length : view.focus + (spans[view.focus].c || 0) + 1;
  for (let i = first; i < last; ++i) {
    const span = spans[i];
    const shown = span.d >= view.least && !view.hidden.has(data.processes[span.pr || 0].s) && (!kept || kept.has(i));
    if (shown) view.rows.push(i);
    if (view.shut.has(i) && !kept) i += span.c || 0;
  }
  $("tall").style.height = view.rows.length * ROW + "px";
  $("rows").setAttribute("aria-rowcount", String(view.rows.length));
  $("none").hidden = view.rows.length > 0;
}

function refresh() {
  listRows();
  draw(true);
}

function fold(index, shut) {
  if (!view.trace.spans[index].c) return;
  if (shut) view.shut.add(index); else view.shut.delete(index);
  refresh();
}

// Everything below `depth` levels is folded away; Infinity opens all.
function foldBelow(depth) {
  view.shut.clear();
  view.trace.spans.forEach((span, i) => { if (span.c && (span.dp || 0) >= depth) view.shut.add(i); });
  reveal(view.picked, true);
  refresh();
}

// The levels that can be seen now.
function openLevels() {
  let most = 0;
  for (const i of view.rows) most = Math.max(most, view.trace.spans[i].dp || 0);
  return most;
}

// Opens what hides a span; with `climb`, the pick moves up to the nearest row instead.
function reveal(index, climb) {
  for (let i = index < 0 ? -1 : parentOf(view.trace, index); i >= 0; i = parentOf(view.trace, i)) {
    if (!view.shut.has(i)) continue;
    if (climb) view.picked = i; else view.shut.delete(i);
  }
}

// What keeps a span from being shown is taken back: it was asked for by name.
function admit(index) {
  const span = view.trace.spans[index];
  if (view.focus >= 0 && (index < view.focus || index > view.focus + (view.trace.spans[view.focus].c || 0))) setFocus(-1);
  if (span.d < view.least) setLeast(0);
  if (view.hidden.delete(data.processes[span.pr || 0].s)) drawLegend();
  if (view.matchesOnly && view.query && !keptByMatches().has(index)) setMatchesOnly(false);
}

function setMatchesOnly(on) {
  view.matchesOnly = on;
  $("only").setAttribute("aria-pressed", String(on));
  refresh();
}

function setLeast(ns) {
  view.least = ns;
  $("least-text").textContent = ns ? "≥ " + duration(ns) : "all";
  if (!ns) $("least").value = "0";
  refresh();
}

function setFocus(index) {
  view.focus = index;
  drawCrumbs();
  if (index < 0) zoom(0, 1); else zoomTo(index);
  refresh();
}

// ---- Drawing ----------------------------------------------------------------------------------------

const place = (ns) => ((ns - view.lo) / view.total - view.from) / (view.to - view.from);
const timeText = (ns) => view.clock === 0 ? duration(ns - view.lo) : clock(view.trace.t0, ns, view.clock === 2);

function drawTicks() {
  const box = $("ticks"), wide = view.clock ? 150 : 90;
  box.replaceChildren();
  const shown = (view.to - view.from) * view.total;
  const raw = shown / Math.max(2, Math.floor(box.clientWidth / wide));
  const power = Math.pow(10, Math.floor(Math.log10(Math.max(raw, 1e-9))));
  const step = Math.max(1, [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw) || power * 10);
  const lines = [];
  for (let t = Math.ceil(view.from * view.total / step) * step; t <= view.to * view.total + 1; t += step) {
    const left = place(t + view.lo) * 100;
    const line = make("div", "grid");
    line.style.left = left + "%";
    lines.push(line);
    const label = make("span", "", t === 0 && view.clock === 0 ? "0" : timeText(Math.round(t) + view.lo));
    label.style.left = left + "%";
    if (left / 100 * box.clientWidth < box.clientWidth - wide * .6) box.append(label);
  }
  const model = modelOf(view.trace);
  if (model && model.token !== null) {
    const left = place(model.token);
    if (left >= 0 && left <= 1) {
      const line = make("div", "grid token");
      line.style.left = left * 100 + "%";
      lines.push(line);
      const flag = make("span", "flagged", "first token");
      flag.style.left = left * 100 + "%";
      flag.title = "first token " + duration(model.token - view.lo) + " after the start";
      box.append(flag);
    }
  }
  $("grid").replaceChildren(...lines);
}

// The same service has the same colour in every page, unless another one has it here already.
const colours = new Map();
for (const service of [...new Set(data.processes.map((process) => process.s))].sort()) {
  let slot = 0;
  for (const c of service) slot = (slot * 31 + c.codePointAt(0)) % 8;
  const used = new Set(colours.values());
  for (let k = 0; k < 8 && used.has(slot); ++k) slot = (slot + 1) % 8;
  colours.set(service, slot);
}
const colourOf = (process) => "c" + colours.get(data.processes[process].s);

const twins = new Map();
for (const process of data.processes) twins.set(process.s, (twins.get(process.s) || 0) + 1);
function processName(process) {
  const own = data.processes[process];
  return twins.get(own.s) > 1 && own.i ? own.s + "/" + (own.i.length > 12 ? own.i.slice(0, 8) : own.i) : own.s;
}

function drawName(row, span, index) {
  const names = make("div", "names");
  names.setAttribute("role", "gridcell");
  // Beyond a dozen levels indentation would eat the name.
  for (let depth = 0; depth < Math.min(span.dp || 0, 12); ++depth) names.append(make("div", "rail line"));
  if (span.c) {
    const shut = view.shut.has(index);
    const button = makeButton(shut ? "fold shut" : "fold", (shut ? "+" : "−") + (span.c > 999 ? Math.floor(span.c / 1000) + "k" : span.c), "",
      (event) => { event.stopPropagation(); fold(index, !shut); });
    button.tabIndex = -1;
    button.setAttribute("aria-label", shut ? "Expand" : "Collapse");
    names.append(button);
    row.setAttribute("aria-expanded", String(!shut));
  } else {
    names.append(make("div", "leaf"));
  }
  const name = make("div", "name");
  name.append(make("div", "dot " + colourOf(span.pr || 0)));
  if (span.st === 2) name.append(make("span", "flag", "error"));
  if (span.o) name.append(make("span", "flag warn", "orphan"));
  if (span.pt) name.append(make("span", "flag soft", "partial"));
  if (span.y) name.append(make("span", "flag warn", "cycle"));
  if (span.ln) name.append(make("span", "flag soft", "↗" + span.ln.length));
  const label = make("span", "");
  // The service where it begins: below, the colour says it.
  const parent = span.x === undefined ? null : view.trace.spans[span.x];
  if (!parent || (parent.pr || 0) !== (span.pr || 0)) label.append(make("span", "service", processName(span.pr || 0) + "  "));
  label.append(make(view.query && view.hits.has(index) ? "mark" : "span", span.st === 2 ? "bad" : "", nameOf(span)));
  label.title = processName(span.pr || 0) + "  " + span.n;
  name.append(label);
  names.append(name);
  return names;
}

function drawLane(span, index) {
  const lane = make("div", "lane");
  lane.setAttribute("role", "gridcell");
  const left = place(span.s) * 100, right = place(span.s + span.d) * 100;
  if (right < -0.5 || left > 100.5) return lane;
  const bar = make("div", "bar " + colourOf(span.pr || 0) + " " + (KINDS[span.k || 0] || "") + (span.st === 2 ? " bad" : ""));
  bar.style.left = left + "%";
  bar.style.width = right - left + "%";
  lane.append(bar);
  for (const piece of view.critical ? criticalOf(view.trace).get(index) || NONE : NONE) {
    const line = make("div", "path");
    line.style.left = place(piece[1]) * 100 + "%";
    line.style.width = (place(piece[2]) - place(piece[1])) * 100 + "%";
    lane.append(line);
  }
  for (const event of span.ev || NONE) {
    const tick = make("div", "tick " + (MARKS.get(event[1]) || ""));
    tick.style.left = place(event[0]) * 100 + "%";
    tick.title = event[1] + "  +" + duration(event[0] - span.s);
    lane.append(tick);
  }
  const time = make("div", "time", duration(span.d));
  if (right < 86) time.style.left = Math.max(0, right) + "%";
  else if (left > 14) time.style.right = 100 - left + "%";
  else { time.classList.add("inside"); time.style.right = Math.max(0, 100 - right) + "%"; }
  lane.append(time);
  return lane;
}

function drawRow(index, at) {
  const span = view.trace.spans[index];
  const row = make("div", "row");
  row.id = "r" + index;
  row.setAttribute("role", "row");
  row.setAttribute("aria-level", String((span.dp || 0) + 1));
  row.setAttribute("aria-rowindex", String(at + 1));
  row.style.top = at * ROW + "px";
  if (index === view.picked) { row.classList.add("picked"); row.setAttribute("aria-selected", "true"); }
  const unwanted = view.query && !view.hits.has(index);
  if (unwanted || (view.critical && !view.query && !criticalOf(view.trace).has(index))) row.classList.add("faded");
  row.append(drawName(row, span, index), drawLane(span, index));
  row.addEventListener("click", () => pick(index, true));
  row.addEventListener("dblclick", () => fold(index, !view.shut.has(index)));
  return row;
}

// Only what can be seen is in the document; while scrolling, what stays in sight stays as it is.
const PRINTED_MAX = 2000;
const drawn = new Map();
function draw(anew) {
  const box = $("rows");
  if (anew) { drawn.forEach((row) => row.remove()); drawn.clear(); }
  let first = Math.max(0, Math.floor(box.scrollTop / ROW) - 8);
  let last = Math.min(view.rows.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + 8);
  if (view.printing) { first = 0; last = Math.min(view.rows.length, PRINTED_MAX); }
  drawn.forEach((row, at) => { if (at < first || at >= last) { row.remove(); drawn.delete(at); } });
  const fresh = [];
  for (let at = first; at < last; ++at) {
    if (drawn.has(at)) continue;
    const row = drawRow(view.rows[at], at);
    drawn.set(at, row);
    fresh.push(row);
  }
  if (fresh.length) $("tall").append(...fresh);
  box.setAttribute("aria-activedescendant", view.picked >= 0 ? "r" + view.picked : "");
}
