"use strict";
// What spans carry reaches the page through textContent alone, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const ROW = 28;
const KINDS = ["", "internal", "server", "client", "producer", "consumer"];
const NONE = [];

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function makeButton(className, text, title, onClick) {
  const node = make("button", className, text);
  if (title) node.title = title;
  node.addEventListener("click", onClick);
  return node;
}

const many = (n, one, more) => n === 1 ? one : more;
const nameOf = (span) => span.n || "(no name)";

function duration(ns) {
  const a = Math.abs(ns);
  const cut = (value) => {
    const size = Math.abs(value);
    return size < 9.995 ? value.toFixed(2) : size < 99.95 ? value.toFixed(1) : value.toFixed(0);
  };
  if (a < 1000) return Math.round(ns) + " ns";
  if (a < 999.5e3) return cut(ns / 1e3) + " µs";
  if (a < 999.5e6) return cut(ns / 1e6) + " ms";
  if (a < 99.95e9) return cut(ns / 1e9) + " s";
  const total = Math.floor(a / 1e9);
  return (ns < 0 ? "-" : "") + Math.floor(total / 60) + "m " + String(total % 60).padStart(2, "0") + "s";
}

// The time of day, to the nanosecond: a number of a script would round it, BigInt does not.
function clock(startText, offset, local) {
  const ns = BigInt(startText) + BigInt(Math.round(offset));
  const date = new Date(Number(ns / 1000000n));
  const pad = (value) => String(value).padStart(2, "0");
  const day = local
    ? [date.getHours(), date.getMinutes(), date.getSeconds()]
    : [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()];
  return day.map(pad).join(":") + "." + String(ns % 1000000000n).padStart(9, "0");
}

function copyText(text, button) {
  if (!navigator.clipboard) return;
  navigator.clipboard.writeText(text).then(() => {
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 900);
  }, () => {});
}

function copyButton(text, title) {
  const button = makeButton("copy", "⧉", title, (event) => { event.stopPropagation(); copyText(text, button); });
  button.setAttribute("aria-label", title);
  return button;
}

// One trace at a time; everything that a redraw needs.
const view = {
  trace: null, at: 0,
  lo: 0, total: 1,          // the first start and the length of what is shown, ns
  from: 0, to: 1,           // the part of it that the lanes show
  rows: [], shut: new Set(), picked: -1,
  focus: -1,                // only this span and what is below it
  least: 0,                 // shorter spans are left out, ns
  hidden: new Set(),        // services that are left out
  query: "", hits: new Set(), matchesOnly: false,
  critical: false, raw: false, clock: 0, // 0 relative, 1 UTC, 2 local
  ticks: [], names: 320, panel: "",
};
