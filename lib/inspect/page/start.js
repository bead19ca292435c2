// ---- Where one is, in the address: a page that is opened again shows the same -----------------------------

let waiting = 0;
function remember() {
  if (waiting) return;
  waiting = setTimeout(() => {
    waiting = 0;
    const state = new URLSearchParams();
    if (data.traces.length > 1) state.set("trace", view.trace.id);
    if (view.picked >= 0) state.set("span", view.trace.spans[view.picked].i);
    if (view.query) state.set("q", view.query);
    if (view.from !== 0 || view.to !== 1) { state.set("from", view.from.toFixed(6)); state.set("to", view.to.toFixed(6)); }
    try { history.replaceState(null, "", "#" + state); } catch { /* an address that may not be changed */ }
  }, 150);
}

function restore() {
  const state = new URLSearchParams(location.hash.slice(1));
  const wanted = data.traces.findIndex((trace) => trace.id === state.get("trace"));
  if (state.has("q")) $("query").value = state.get("q");
  show(Math.max(0, wanted));
  const span = view.trace.spans.findIndex((item) => item.i === state.get("span"));
  if (span >= 0) pick(span, true);
  const from = Number(state.get("from")), to = Number(state.get("to"));
  if (to > from && from >= 0 && to <= 1) zoom(from, to);
}

function show(index) {
  view.at = index;
  view.trace = data.traces[index];
  Object.assign(view, { shut: new Set(), picked: -1, focus: -1, least: 0, from: 0, to: 1, hidden: new Set() });
  setRaw(view.trace, view.raw);
  measure(view.trace);
  $("panel").hidden = view.panel !== "gates";
  if (view.panel !== "gates") view.panel = "";
  $("rows").scrollTop = 0;
  drawHead();
  drawCrumbs();
  drawTraces();
  drawMap();
  setLeast(0);
  search($("query").value);
  redraw();
  remember();
}

// ---- Keys -------------------------------------------------------------------------------------------------

function move(step) {
  if (!view.rows.length) return;
  const at = view.rows.indexOf(view.picked) + step;  // -1 + 1 where none is picked
  pick(view.rows[Math.min(view.rows.length - 1, Math.max(0, at))]);
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  if (view.trace) { drawMap(); redraw(); }
}
function flipTheme() { setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"); }
function setCritical(on) {
  view.critical = on;
  $("critical").setAttribute("aria-pressed", String(on));
  draw(true);
}
function nextClock() {
  view.clock = (view.clock + 1) % 3;
  $("clock").textContent = ["relative", "UTC", "local"][view.clock];
  redraw();
  if (view.panel === "span") drawPanel();
}
function showHelp(on) {
  $("help").hidden = !on;
  if (on) $("help").querySelector("button").focus(); else $("rows").focus();
}

function escape() {
  if (!$("help").hidden) showHelp(false);
  else if (view.panel) closePanel();
  else if (view.focus >= 0) setFocus(-1);
  else if (view.picked >= 0) pick(-1);
}

function stepLeft() {
  if (view.picked < 0) return;
  if (view.trace.spans[view.picked].c && !view.shut.has(view.picked)) fold(view.picked, true);
  else if (parentOf(view.trace, view.picked) >= 0) pick(parentOf(view.trace, view.picked));
}
function stepRight() {
  if (view.picked >= 0 && view.shut.has(view.picked)) fold(view.picked, false); else move(1);
}

const keys = {
  ArrowDown: () => move(1), j: () => move(1), ArrowUp: () => move(-1), k: () => move(-1),
  PageDown: () => move(20), PageUp: () => move(-20), Home: () => move(-1e9), End: () => move(1e9),
  ArrowRight: stepRight, ArrowLeft: stepLeft, Escape: escape,
  Enter: () => { if (view.picked >= 0) pick(view.picked, true); },
  n: () => next(1, (i) => view.hits.has(i)), N: () => next(-1, (i) => view.hits.has(i)),
  e: () => next(1, (i) => view.trace.spans[i].st === 2), E: () => next(-1, (i) => view.trace.spans[i].st === 2),
  m: () => { if (view.query) setMatchesOnly(!view.matchesOnly); }, c: () => setCritical(!view.critical),
  i: () => togglePanel("summary", drawSummary), g: () => { if (data.gates) togglePanel("gates", drawGates); },
  f: () => { if (view.picked >= 0) setFocus(view.focus === view.picked ? -1 : view.picked); },
  z: () => { if (view.picked >= 0) zoomTo(view.picked); }, 0: () => zoom(0, 1),
  w: () => zoomBy(1 / 1.5, 0), s: () => zoomBy(1.5, 0), a: () => zoomBy(1, -.2), d: () => zoomBy(1, .2),
  o: () => foldBelow(openLevels() + 1), p: () => foldBelow(Math.max(0, openLevels() - 1)),
  "[": () => foldBelow(1), "]": () => foldBelow(Infinity), u: nextClock, t: flipTheme,
  "/": () => $("query").focus(), "?": () => showHelp($("help").hidden),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !view.trace) return;
  if (event.target === $("query")) {
    if (event.key === "Enter") next(event.shiftKey ? -1 : 1, (i) => view.hits.has(i));
    else if (event.key === "Escape") { $("query").value = ""; search(""); $("rows").focus(); }
    return;
  }
  const inside = event.target instanceof Element ? event.target : document.body;
  if (inside === $("least")) return;
  if (event.key === "Enter" && inside.closest("button, summary")) return;
  if (Object.hasOwn(keys, event.key)) { keys[event.key](); event.preventDefault(); }
});

const KEY_HELP = [
  ["↑ ↓", "previous, next span"], ["← →", "collapse, expand"], ["[ ]", "collapse, expand all"], ["p o", "one level less, more"],
  ["Enter", "details"], ["Esc", "close, leave"], ["f", "focus on the span"], ["/", "search"], ["n N", "next, previous hit"],
  ["m", "matches only"], ["e E", "next, previous error"], ["c", "critical path"], ["i", "where the time went"], ["g", "gates"],
  ["w s", "zoom in, out"], ["a d", "move left, right"], ["z 0", "zoom to the span, to all"],
  ["u", "relative, UTC, local times"], ["t", "dark or light"],
];
const SEARCH_HELP = [
  ["decode \"llm/ask\"", "texts, all of them"], ["/^llm/", "a regular expression"], ["name:x service:x event:x", "in one place"],
  ["is:error orphan root linked critical", "with that state"], ["duration>5ms self>1ms", "times"],
  ["key=value key!=value key>5", "attributes"], ["-word", "not that"],
];

function fillHelp() {
  const rows = KEY_HELP.map(([names, what]) => {
    const row = make("tr"), cell = make("td");
    for (const name of names.split(" ")) cell.append(make("kbd", "", name));
    row.append(cell, make("td", "", what));
    return row;
  });
  $("help-keys").replaceChildren(...rows);
  $("help-search").replaceChildren(...SEARCH_HELP.map(([text, what]) => {
    const row = make("tr");
    row.append(make("td", "mono", text), make("td", "", what));
    return row;
  }));
}

// ---- Start ------------------------------------------------------------------------------------------------

function drag(node, onMove, onStart) {
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    if (onStart) onStart(event);
    const follow = (e) => onMove(e);
    node.addEventListener("pointermove", follow);
    node.addEventListener("pointerup", () => node.removeEventListener("pointermove", follow), { once: true });
  });
}

function setNames(width) { view.names = width; if (view.trace) redraw(); }

// As a part of the whole, on a scale that is fine where spans are short.
function leastOf(position) { return position <= 0 ? 0 : Math.round(view.total * Math.pow(10, (position - 100) / 100 * 5)); }

function listen() {
  let anchor = 0;
  const share = (event) => { const box = $("map").getBoundingClientRect(); return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)); };
  drag($("map"), (event) => { const at = share(event); if (Math.abs(at - anchor) > .004) zoom(Math.min(anchor, at), Math.max(anchor, at)); }, (event) => { anchor = share(event); });
  $("map").addEventListener("dblclick", () => zoom(0, 1));
  drag($("grip"), (event) => setNames(Math.min(window.innerWidth * .6, Math.max(180, event.clientX - $("board").getBoundingClientRect().left))));
  drag($("panel-grip"), (event) => {
    document.documentElement.style.setProperty("--panel", Math.min(window.innerWidth * .7, Math.max(260, window.innerWidth - event.clientX)) + "px");
    redraw();
  });
  $("rows").addEventListener("scroll", () => draw(false));
  $("rows").addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoomBy(event.deltaY > 0 ? 1.25 : .8, 0);
  }, { passive: false });
  $("traces").addEventListener("scroll", drawTraces);
  window.addEventListener("resize", () => { if (view.trace) { drawTraces(); drawMap(); redraw(); } });
  window.addEventListener("beforeprint", () => { view.printing = true; draw(true); });
  window.addEventListener("afterprint", () => { view.printing = false; draw(true); });
  window.addEventListener("hashchange", restore);
  $("query").addEventListener("input", (event) => { search(event.target.value); remember(); });
  $("least").addEventListener("input", (event) => setLeast(leastOf(Number(event.target.value))));
  const clicks = {
    only: () => setMatchesOnly(!view.matchesOnly), critical: () => setCritical(!view.critical), clock: nextClock, theme: flipTheme,
    summary: () => togglePanel("summary", drawSummary), gates: () => togglePanel("gates", drawGates), ask: () => showHelp(true),
    less: keys.p, more: keys.o, "fold-all": keys["["], "open-all": keys["]"],
  };
  for (const [id, act] of Object.entries(clicks)) $(id).addEventListener("click", act);
  $("help").addEventListener("click", (event) => { if (event.target === $("help") || event.target.closest("button")) showHelp(false); });
}

function start() {
  if (!data.traces.length) {
    $("main").replaceChildren(make("p", "empty", "No trace in these files."));
    return;
  }
  fillHelp();
  listen();
  $("gates").hidden = !data.gates;
  if (data.gates) {
    const failed = data.gates.filter((gate) => gate.outcome === "fail").length;
    $("gates").append(make("span", failed ? "badge bad" : "badge good", failed ? failed + " ✗" : "✓"));
  }
  setTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  setNames(Math.min(460, Math.max(240, window.innerWidth * .32)));
  restore();
  document.documentElement.dataset.ready = "yes";
}
start();
