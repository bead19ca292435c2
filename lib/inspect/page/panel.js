// ---- The panel: one span ------------------------------------------------------------------------------

const FOLDED_ABOVE = 280;
const ORPHAN_CAUSES = [
  "its parent was not sampled by the process that made it", "a filter left the parent out",
  "the parent has not arrived yet: it ends last", "it was lost when a queue overflowed, or with a process that was killed",
  "its id was cut to 64 bits on the way, or rewritten", "the answer that these files come from was truncated",
  "its process's file is not among these files",
];

// JSON is laid out; what is long shows its beginning first.
function valueNode(type, value) {
  let text = value;
  if (value.length > 1 && "[{".includes(value[0])) {
    try { text = JSON.stringify(JSON.parse(value), null, 2); } catch { text = value; }
  }
  const cell = make("td", type === "i" || type === "d" ? "num mono" : "mono");
  if (text.length <= FOLDED_ABOVE) { cell.textContent = text; return cell; }
  const shown = make("span", "", text.slice(0, FOLDED_ABOVE) + "…");
  const more = makeButton("jump", "all " + text.length + " characters", "", () => { shown.textContent = text; more.remove(); });
  cell.append(shown, " ", more);
  return cell;
}

const TYPES = { s: "text", b: "true or false", i: "integer", d: "number", x: "bytes, base64", a: "list", m: "map", n: "no value" };

function table(items) {
  const body = make("tbody");
  for (const [key, type, value] of items) {
    const row = make("tr"), name = make("td", "", key), cell = valueNode(type, value);
    name.title = TYPES[type] || "";
    cell.append(copyButton(value, "Copy the value"));
    row.append(name, cell);
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

function eventNode(span, event) {
  const node = make("div", "event"), head = make("div"), name = make("b", "");
  name.append(make("i", "tick " + (MARKS.get(event[1]) || "")), event[1] || "(no name)");
  head.append(name, make("span", "dim mono", "+" + duration(event[0] - span.s)));
  node.append(head);
  if (event[2]) node.append(table(event[2]));
  return node;
}

function jumpTo(t, s) {
  if (t !== view.at) show(t);
  pick(s, true);
}

function placeNode(at, fallback) {
  if (!at) {
    const node = make("div", "mono dim", fallback);
    node.append(make("div", "", "not in these files"));
    return node;
  }
  const [t, s] = at, span = data.traces[t].spans[s];
  return makeButton("jump", nameOf(span) + "  (" + processName(span.pr || 0) + (t === view.at ? "" : ", trace " + data.traces[t].id.slice(0, 8)) + ")", fallback, () => jumpTo(t, s));
}

function linkNode(link) {
  const node = make("div", "event");
  node.append(placeNode(placeOf(link[0], link[1]), link[0] + " / " + link[1]));
  if (link[2]) node.append(table(link[2]));
  return node;
}

function linkedNode(at) {
  const node = make("div", "event"), span = data.traces[at[0]].spans[at[1]];
  node.append(placeNode(at, data.traces[at[0]].id + " / " + span.i));
  return node;
}

function sum(label, value) {
  const node = make("div");
  node.append(make("small", "", label), make("b", "", value));
  return node;
}

function panelHead(title, who) {
  const head = make("header"), close = makeButton("", "×", "", closePanel);
  close.id = "close";
  close.setAttribute("aria-label", "Close");
  head.append(make("h2", "", title), ...who, close);
  return head;
}

function showPanel(kind, ...parts) {
  const panel = $("panel"), was = panel.hidden;
  view.panel = kind;
  panel.replaceChildren(...parts);
  panel.scrollTop = 0;
  panel.hidden = false;
  if (was) redraw();
}

function closePanel() {
  view.panel = "";
  $("panel").hidden = true;
  redraw();
}

function orphanAlert(span) {
  const alert = make("div", "alert warn", "Its parent " + span.p + " is not in these files. It may be that");
  const list = make("ul");
  for (const cause of ORPHAN_CAUSES) list.append(make("li", "", cause));
  alert.append(list);
  return alert;
}

function skewAlert(span) {
  if (span.x === undefined || span.sh) return null;
  const parent = view.trace.spans[span.x];
  if ((parent.pr || 0) === (span.pr || 0) || span.s >= parent.s) return null;
  return make("div", "alert warn", "It starts " + duration(parent.s - span.s) + " before its parent, in another process: their clocks differ by at least that.");
}

function identityOf(span) {
  const scope = data.scopes[span.sc || 0], flags = span.f || 0;
  const items = [["trace id", "s", view.trace.id], ["span id", "s", span.i]];
  if (span.p) items.push(["parent span id", "s", span.p]);
  items.push(["traceparent", "s", "00-" + view.trace.id + "-" + span.i + "-" + (flags & 255).toString(16).padStart(2, "0")]);
  items.push(["sampled", "s", flags & 1 ? "yes" : "not said"]);
  if (flags & 256) items.push(["parent", "s", flags & 512 ? "in another process" : "in this process, or none"]);
  if (span.ts) items.push(["tracestate", "s", span.ts]);
  if (scope && scope.n) items.push(["scope", "s", scope.n + (scope.v ? " " + scope.v : "")]);
  items.push(["status", "s", ["unset", "ok", "error"][span.st || 0]]);
  items.push(["starts, UTC", "s", clock(view.trace.t0, span.s, false)], ["starts, local", "s", clock(view.trace.t0, span.s, true)]);
  if (span.dr) items.push(["dropped by limits", "i", String(span.dr)]);
  if (span.sh) items.push(["clock moved by", "s", view.raw ? "0 ns of " + duration(span.sh) : duration(span.sh)]);
  return items;
}

function drawPanel() {
  const index = view.picked, trace = view.trace, span = trace.spans[index];
  const who = make("div", "dim");
  who.append(make("i", "dot " + colourOf(span.pr || 0)), make("span", "", processName(span.pr || 0) + (span.k ? " · " + KINDS[span.k] : "")));
  const sums = make("div", "sum");
  sums.append(sum("Duration", duration(span.d)), sum("Self", duration(selfTime(trace, index))),
    sum("Starts at", timeText(span.s)), sum("Critical", duration(onPath(trace, index))));
  const tools = make("div", "tools");
  tools.append(makeButton("tool", "Focus", "Only this span and what is below it (f)", () => setFocus(index)),
    makeButton("tool", "Zoom", "Its time fills the lanes (z)", () => zoomTo(index)));
  if (span.x !== undefined) tools.append(makeButton("tool", "Parent", "To its parent", () => pick(span.x, true)));
  const parts = [panelHead(nameOf(span), [who]), sums, tools];
  if (span.st === 2) parts.push(make("div", "alert", span.m || "status: error"));
  if (span.o) parts.push(orphanAlert(span));
  if (span.pt) parts.push(make("div", "alert warn", span.pt + ". It was not sampled, so what was around it was not recorded."));
  if (span.y) parts.push(make("div", "alert warn", "Its parents lead back to itself; the tree is cut here."));
  if (span.b) parts.push(make("div", "alert warn", "It ended before it started: a clock was set back. Shown without length."));
  const skew = skewAlert(span);
  if (skew) parts.push(skew);
  const back = linksTo(trace.id, span.i);
  if (span.a) parts.push(section("Attributes", span.a.length, true, table(span.a)));
  if (span.ev) parts.push(section("Events", span.ev.length, true, ...span.ev.map((event) => eventNode(span, event))));
  if (span.ln) parts.push(section("Links", span.ln.length, true, ...span.ln.map(linkNode)));
  if (back.length) parts.push(section("Linked from", back.length, true, ...back.slice(0, 200).map(linkedNode)));
  parts.push(section("Process", null, false, table(data.processes[span.pr || 0].a)));
  parts.push(section("Identity", null, true, table(identityOf(span))));
  showPanel("span", ...parts);
}

function pick(index, open) {
  view.picked = index;
  if (index < 0) {
    closePanel();
  } else {
    admit(index);
    reveal(index, false);
    listRows();
    const top = view.rows.indexOf(index) * ROW, box = $("rows");
    if (top < box.scrollTop) box.scrollTop = top;
    if (top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW - box.clientHeight;
    if (open || view.panel === "span") drawPanel();
  }
  draw(true);
  remember();
}

// ---- The panel: where the time went, and the gates ------------------------------------------------------

const SUMMARY_MAX = 300;

function wideTable(titles, rows) {
  const head = make("tr"), top = make("thead"), body = make("tbody"), node = make("table", "wide");
  for (const title of titles) head.append(make("th", "", title));
  top.append(head);
  for (const [first, ...numbers] of rows) {
    const row = make("tr"), name = make("td");
    name.append(...first);
    row.append(name, ...numbers.map((text) => make("td", "num", text)));
    body.append(row);
  }
  node.append(top, body);
  return node;
}

const withErrors = (count, errors) => count + (errors ? " (" + errors + " ✗)" : "");

function callsTable() {
  const service = (process) => [make("i", "dot " + colourOf(process)), " " + data.processes[process].s];
  const calls = callsOf(view.trace);
  return calls.length ? [section("Who calls whom", calls.length, true, wideTable(["from, to", "calls", "median", "longest"], calls.map((pair) => [
    [...service(pair.from), " → ", ...service(pair.to), " ", makeButton("jump", "first", "To the first of them", () => pick(pair.first))],
    withErrors(pair.times.length, pair.errors), duration(pair.times[pair.times.length >> 1]), duration(pair.times[pair.times.length - 1]),
  ])))] : [];
}

function drawSummary() {
  const lines = summaryOf(view.trace);
  const rows = lines.slice(0, SUMMARY_MAX).map((line) => [
    [make("i", "dot " + colourOf(line.process)), " ", make("span", "dim", line.service), " ", makeButton("jump", line.name, "To the first of them", () => pick(line.first))],
    withErrors(line.spans, line.errors), line.path ? duration(line.path) : "", duration(line.self), duration(line.all),
  ]);
  const parts = [panelHead("Where the time went", [make("div", "dim", "By service and name; critical: what the end had to wait for.")]),
    wideTable(["service, name", "spans", "critical", "self", "all"], rows)];
  if (lines.length > SUMMARY_MAX) parts.push(make("p", "empty", "and " + (lines.length - SUMMARY_MAX) + " more"));
  showPanel("summary", ...parts, ...callsTable());
}

const OUTCOMES = { pass: ["✓", "good"], fail: ["✗", "bad"], "not evaluated": ["–", "dim"] };

function findingNode(finding) {
  const node = make("div", "event");
  const at = finding.span ? placeOf(finding.trace, finding.span) : undefined;
  if (at) node.append(placeNode(at, finding.trace));
  else if (finding.name || finding.service) node.append(make("b", "", [finding.service, finding.name].filter(Boolean).join("  ")));
  if (finding.measured) node.append(make("div", "", finding.measured));
  if (finding.expected) node.append(make("div", "dim", "expected: " + finding.expected));
  if (finding.waived) node.append(make("div", "dim", "waived: " + finding.waived));
  return node;
}

function ruleNode(rule) {
  const node = make("div", "rule");
  const sign = OUTCOMES[rule.outcome];
  const head = make("div", "");
  head.append(make("span", sign[1], sign[0] + " "), make("b", "mono", rule.id), make("span", "dim", "  " + rule.level));
  node.append(head, make("div", "dim", rule.outcome === "not evaluated" ? rule.reason : rule.wants));
  if (rule.findings.length) {
    if (rule.causes) node.append(make("div", "", "Usually: " + rule.causes));
    node.append(...rule.findings.map(findingNode));
    if (rule.count > rule.findings.length) node.append(make("div", "dim", "and " + (rule.count - rule.findings.length) + " more"));
  }
  return node;
}

function drawGates() {
  const parts = [panelHead("Gates", [make("div", "dim", "What spanwire verify says of the files that this page was made from.")])];
  for (const gate of data.gates) {
    const sign = OUTCOMES[gate.outcome];
    const node = section("", null, gate.outcome === "fail", ...gate.rules.map(ruleNode));
    node.firstChild.append(make("span", sign[1], sign[0]), (gate.number ? "G" + gate.number + "  " : "") + gate.name, make("small", "", gate.outcome));
    parts.push(node);
  }
  showPanel("gates", ...parts);
}

function togglePanel(kind, drawIt) { if (view.panel === kind) closePanel(); else drawIt(); }
