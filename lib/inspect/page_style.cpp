#include "lib/inspect/page.hpp"

namespace spanwire::inspect::page {

const std::string_view kStyle = R"css(
:root {
  color-scheme: light;
  --ground: #f6f7f9; --card: #ffffff; --line: #e3e6eb; --line-soft: #eef0f4;
  --text: #1a2029; --dim: #667085; --faint: #98a2b3; --accent: #3056d3; --accent-soft: #e8edfc;
  --hover: #f2f5fb; --bad: #d92d20; --bad-soft: #fef0ee; --warn: #b54708; --warn-soft: #fff6e6;
  --mark: #fff1b8; --shadow: 0 1px 2px rgba(16, 24, 40, .06);
  --s0: #3b6fe0; --s1: #0e9384; --s2: #9a4fe0; --s3: #d07a12; --s4: #c4398f; --s5: #4c8a1f;
  --s6: #0a86bf; --s7: #8a6b46;
}
:root[data-theme="dark"] {
  color-scheme: dark;
  --ground: #0e1116; --card: #161b22; --line: #2a313c; --line-soft: #20262f;
  --text: #e6e9ef; --dim: #98a2b3; --faint: #667085; --accent: #84a5ff; --accent-soft: #1c2a4d;
  --hover: #1b212a; --bad: #ff7b72; --bad-soft: #34191a; --warn: #f2b65a; --warn-soft: #33270f;
  --mark: #5b4a10; --shadow: none;
  --s0: #6c98ff; --s1: #35c2b0; --s2: #bd8bff; --s3: #efa043; --s4: #ee76bd; --s5: #88c455;
  --s6: #4bb8ee; --s7: #c3a078;
}
* { box-sizing: border-box; }
html, body { height: 100%; margin: 0; }
body {
  font: 13px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
  color: var(--text); background: var(--ground); display: flex; flex-direction: column;
  overflow: hidden;
}
button, input { font: inherit; color: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12px; }
.dim { color: var(--dim); }
[hidden] { display: none !important; }

#top {
  display: flex; align-items: center; gap: 12px; height: 52px; padding: 0 16px; flex: none;
  background: var(--card); border-bottom: 1px solid var(--line);
}
#brand { display: flex; align-items: center; gap: 9px; font-weight: 650; font-size: 15px; letter-spacing: -.01em; }
#brand svg { display: block; }
#brand rect { fill: var(--accent); }
#brand rect + rect { opacity: .72; }
#brand rect + rect + rect { opacity: .45; }
.space { flex: 1; }
#find { position: relative; width: min(360px, 40vw); }
#find input {
  width: 100%; height: 32px; padding: 0 84px 0 12px; border: 1px solid var(--line);
  border-radius: 8px; background: var(--ground);
}
#find input::placeholder { color: var(--faint); }
#found { position: absolute; right: 10px; top: 7px; font-size: 12px; color: var(--dim); }
.tool {
  height: 32px; min-width: 32px; padding: 0 10px; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card);
}
.tool:hover { background: var(--hover); }

#frame { display: flex; flex: 1; min-height: 0; }
#traces {
  width: 272px; flex: none; overflow-y: auto; border-right: 1px solid var(--line);
  background: var(--card); padding: 8px;
}
#traces h2 { margin: 6px 8px 8px; font-size: 11px; font-weight: 600; color: var(--dim); text-transform: uppercase; letter-spacing: .05em; }
.trace {
  display: block; width: 100%; text-align: left; padding: 8px 10px; border: 0; border-radius: 8px;
  background: none; margin-bottom: 2px;
}
.trace:hover { background: var(--hover); }
.trace[aria-current="true"] { background: var(--accent-soft); }
.trace b { display: flex; gap: 8px; font-weight: 550; }
.trace b span:first-child { flex: 1; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.trace i { display: block; position: relative; height: 3px; margin: 5px 0 4px; border-radius: 2px; background: var(--line-soft); font-style: normal; }
.trace i span { position: absolute; left: 0; top: 0; height: 3px; border-radius: 2px; background: var(--accent); }
.trace.bad i span { background: var(--bad); }
.trace small { display: flex; justify-content: space-between; color: var(--dim); font-size: 11.5px; }

#main { flex: 1; min-width: 0; display: flex; flex-direction: column; }
#head { padding: 14px 18px 12px; flex: none; }
#head h1 { margin: 0 0 4px; font-size: 18px; font-weight: 620; letter-spacing: -.01em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#facts { display: flex; flex-wrap: wrap; gap: 4px 18px; color: var(--dim); align-items: center; }
#facts b { color: var(--text); font-weight: 600; }
#facts .bad b, #facts .bad { color: var(--bad); }
#facts button { border: 0; background: none; padding: 0; color: var(--dim); }
#facts button:hover { color: var(--accent); }
#legend { display: flex; flex-wrap: wrap; gap: 6px 14px; margin-top: 9px; font-size: 12px; }
#legend span { display: inline-flex; align-items: center; gap: 6px; }
.dot { width: 9px; height: 9px; border-radius: 3px; background: var(--c); flex: none; }
#note { margin-top: 9px; padding: 6px 10px; border-radius: 8px; background: var(--warn-soft); color: var(--warn); }
)css"
                                R"css(
#board {
  flex: 1; min-height: 0; display: flex; flex-direction: column; margin: 0 14px 14px;
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden;
  box-shadow: var(--shadow);
}
#map { flex: none; height: 44px; position: relative; border-bottom: 1px solid var(--line); cursor: crosshair; touch-action: none; }
#map canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
#lens { position: absolute; top: 0; bottom: 0; background: var(--accent); opacity: .14; pointer-events: none; }
#ruler { flex: none; display: flex; height: 28px; border-bottom: 1px solid var(--line); color: var(--dim); font-size: 11.5px; }
#ruler > div:first-child { width: var(--names); flex: none; padding: 6px 12px; border-right: 1px solid var(--line); display: flex; justify-content: space-between; position: relative; }
#ruler button { border: 0; background: none; padding: 0 0 0 10px; color: var(--dim); font-size: 11.5px; }
#ruler button:hover { color: var(--accent); }
#grip { position: absolute; right: -4px; top: 0; width: 8px; height: 28px; cursor: col-resize; touch-action: none; }
#ticks { flex: 1; position: relative; overflow: hidden; }
#ticks span { position: absolute; top: 6px; padding-left: 5px; white-space: nowrap; font-variant-numeric: tabular-nums; }
#rows { flex: 1; overflow-y: auto; overflow-x: hidden; position: relative; outline-offset: -2px; }
#tall { position: relative; }
.row { position: absolute; left: 0; right: 0; height: 28px; display: flex; border-bottom: 1px solid var(--line-soft); cursor: default; }
.row:hover { background: var(--hover); }
.row.picked { background: var(--accent-soft); }
.row.faded .name, .row.faded .bar { opacity: .32; }
.names { width: var(--names); flex: none; display: flex; align-items: center; min-width: 0; padding-right: 10px; border-right: 1px solid var(--line); overflow: hidden; }
.rail { flex: none; align-self: stretch; width: 16px; position: relative; }
.rail.line::before { content: ""; position: absolute; left: 15px; top: 0; bottom: 0; border-left: 1px solid var(--line); }
.fold { flex: none; width: 30px; height: 18px; margin: 0 6px 0 4px; padding: 0; border: 1px solid var(--line); border-radius: 5px; background: var(--card); color: var(--dim); font-size: 11px; line-height: 15px; font-variant-numeric: tabular-nums; }
.fold:hover { border-color: var(--accent); color: var(--accent); }
.fold.shut { background: var(--accent-soft); color: var(--accent); }
.leaf { flex: none; width: 30px; margin: 0 6px 0 4px; }
.name { display: flex; align-items: center; gap: 7px; min-width: 0; }
.name > span:last-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.name .service { color: var(--dim); }
.name .bad { color: var(--bad); font-weight: 600; }
.name mark { background: var(--mark); color: inherit; border-radius: 3px; }
.flag { flex: none; font-size: 10.5px; line-height: 15px; padding: 0 5px; border-radius: 4px; background: var(--bad-soft); color: var(--bad); font-weight: 600; }
.flag.warn { background: var(--warn-soft); color: var(--warn); }
.lane { flex: 1; position: relative; overflow: hidden; }
.grid { position: absolute; top: 0; bottom: 0; border-left: 1px solid var(--line-soft); }
.bar { position: absolute; top: 6px; height: 16px; min-width: 2px; border-radius: 3px; background: var(--c); }
.bar.client, .bar.producer { opacity: .62; }
.bar.bad { background: var(--bad); }
.tick { position: absolute; top: 4px; width: 2px; height: 20px; background: var(--text); opacity: .6; border-radius: 1px; }
.time { position: absolute; top: 5px; font-size: 11.5px; color: var(--dim); white-space: nowrap; font-variant-numeric: tabular-nums; padding: 0 6px; }
.time.inside { color: #fff; }
:root[data-theme="dark"] .time.inside { color: #0e1116; font-weight: 600; }

#panel { width: 400px; flex: none; border-left: 1px solid var(--line); background: var(--card); overflow-y: auto; }
#panel header { position: sticky; top: 0; background: var(--card); padding: 16px 16px 12px; border-bottom: 1px solid var(--line); z-index: 1; }
#panel h2 { margin: 0 28px 4px 0; font-size: 15px; font-weight: 620; overflow-wrap: anywhere; }
#panel header .dim { display: flex; gap: 7px; align-items: center; }
#close { position: absolute; right: 12px; top: 12px; width: 28px; height: 28px; border: 0; border-radius: 7px; background: none; font-size: 17px; color: var(--dim); }
#close:hover { background: var(--hover); }
.sum { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; padding: 14px 16px 4px; }
.sum div { border: 1px solid var(--line); border-radius: 9px; padding: 7px 10px; }
.sum small { display: block; color: var(--dim); font-size: 11px; }
.sum b { font-weight: 600; font-variant-numeric: tabular-nums; }
.alert { margin: 12px 16px 0; padding: 9px 12px; border-radius: 9px; background: var(--bad-soft); color: var(--bad); overflow-wrap: anywhere; }
.alert.warn { background: var(--warn-soft); color: var(--warn); }
details { border-bottom: 1px solid var(--line-soft); }
details > summary { padding: 10px 16px; font-weight: 600; cursor: pointer; list-style: none; display: flex; gap: 8px; align-items: center; }
details > summary::-webkit-details-marker { display: none; }
details > summary::before { content: ""; width: 6px; height: 6px; border: solid var(--dim); border-width: 0 1.5px 1.5px 0; transform: rotate(-45deg); transition: transform .1s; }
details[open] > summary::before { transform: rotate(45deg); }
details > summary small { color: var(--faint); font-weight: 500; }
table { width: 100%; border-collapse: collapse; margin: 0 0 10px; }
td { padding: 4px 8px 4px 16px; vertical-align: top; overflow-wrap: anywhere; }
td:first-child { color: var(--dim); width: 42%; }
td:last-child { padding: 4px 16px 4px 0; white-space: pre-wrap; }
td.num { font-variant-numeric: tabular-nums; }
.event { padding: 2px 16px 8px; }
.event > div { display: flex; justify-content: space-between; gap: 10px; }
.event table { margin: 2px 0 0; }
.event td { padding: 2px 8px 2px 12px; border-left: 2px solid var(--line); }
.event td:last-child { border: 0; padding-right: 0; }
.jump { border: 0; background: none; padding: 0; color: var(--accent); text-align: left; overflow-wrap: anywhere; }
.jump:hover { text-decoration: underline; }

#help { position: fixed; inset: 0; background: rgba(10, 14, 22, .45); display: flex; align-items: center; justify-content: center; z-index: 9; }
#help > div { width: min(460px, 92vw); background: var(--card); border-radius: 14px; padding: 20px 24px; border: 1px solid var(--line); }
#help h2 { margin: 0 0 10px; font-size: 16px; }
#help td { padding: 4px 0; border: 0; }
kbd { font: 600 11px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; padding: 1px 6px; border: 1px solid var(--line); border-bottom-width: 2px; border-radius: 5px; background: var(--ground); margin-right: 4px; }
.empty { padding: 48px; text-align: center; color: var(--dim); }
.c0 { --c: var(--s0); } .c1 { --c: var(--s1); } .c2 { --c: var(--s2); } .c3 { --c: var(--s3); }
.c4 { --c: var(--s4); } .c5 { --c: var(--s5); } .c6 { --c: var(--s6); } .c7 { --c: var(--s7); }
@media (max-width: 1000px) {
  #traces { display: none; }
  #panel { position: absolute; right: 0; top: 52px; bottom: 0; width: min(400px, 92vw); box-shadow: -8px 0 24px rgba(0, 0, 0, .18); }
}
@media print { #panel, #traces, #find, .tool { display: none; } body { overflow: visible; } }
)css";

const std::string_view kBody = R"html(
<div id="top">
  <div id="brand"><svg width="22" height="18" viewBox="0 0 22 18" aria-hidden="true"><rect x="0" y="1" width="22" height="4" rx="2"/><rect x="4" y="7" width="13" height="4" rx="2"/><rect x="9" y="13" width="9" height="4" rx="2"/></svg>Spanwire</div>
  <div class="space"></div>
  <div id="find"><input id="query" type="search" placeholder="Search names, attributes, ids  ( / )" aria-label="Search spans" autocomplete="off" spellcheck="false"><span id="found"></span></div>
  <button class="tool" id="theme" title="Dark or light (t)" aria-label="Switch between dark and light">◐</button>
  <button class="tool" id="ask" title="Keys (?)" aria-label="Show the keys">?</button>
</div>
<div id="frame">
  <nav id="traces" aria-label="Traces" hidden></nav>
  <main id="main">
    <div id="head"><h1></h1><div id="facts"></div><div id="legend"></div><div id="note" hidden></div></div>
    <div id="board">
      <div id="map" title="Drag to zoom, double-click for all"><canvas></canvas><div id="lens" hidden></div></div>
      <div id="ruler"><div><span>Span</span><span><button id="fold-all">collapse</button><button id="open-all">expand</button></span><div id="grip"></div></div><div id="ticks"></div></div>
      <div id="rows" tabindex="0" role="treegrid" aria-label="Spans"><div id="tall"></div></div>
    </div>
  </main>
  <aside id="panel" aria-label="Span" hidden></aside>
</div>
<div id="help" role="dialog" aria-label="Keys" hidden><div><h2>Keys</h2><table><tbody></tbody></table></div></div>
<noscript><p class="empty">This page draws the trace with a script of its own; scripts are switched off here.</p></noscript>
)html";

}  // namespace spanwire::inspect::page
