// ---- Search: terms that all have to hold ------------------------------------------------------------
//   decode "llm/ask"  in any text      /^llm/   a regular expression over it
//   name:x service:x kind:server  event:x       is:error is:orphan is:root is:critical is:linked
//   duration>5ms self>=1ms start<1s             key=value key!=value key>5   of attributes
//   -term             what must not hold

const UNITS = { ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9, m: 60e9 };
const COMPARE = {
  "=": (a, b) => a === b, "!=": (a, b) => a !== b, ">": (a, b) => a > b, "<": (a, b) => a < b,
  ">=": (a, b) => a >= b, "<=": (a, b) => a <= b,
};

function spanText(span) {
  if (span.text === undefined) {
    const process = data.processes[span.pr || 0];
    const parts = [span.n, span.i, span.m || "", process.s, process.i];
    for (const item of span.a || NONE) parts.push(item[0], item[2]);
    for (const event of span.ev || NONE) {
      parts.push(event[1]);
      for (const item of event[2] || NONE) parts.push(item[0], item[2]);
    }
    span.text = parts.join("\n").toLowerCase();
  }
  return span.text;
}

function nanoseconds(text) {
  const parts = /^([0-9.]+)\s*(ns|us|µs|ms|s|m)?$/.exec(text);
  if (!parts) throw new Error("not a duration: " + text);
  return Number(parts[1]) * UNITS[parts[2] || "ns"];
}

const FIELDS = {
  name: (span) => span.n, service: (span) => data.processes[span.pr || 0].s, kind: (span) => KINDS[span.k || 0],
  id: (span) => span.i, status: (span) => span.m || "",
};
const STATES = {
  error: (span) => span.st === 2, orphan: (span) => Boolean(span.o), root: (span) => span.x === undefined,
  critical: (span, i, trace) => criticalOf(trace).has(i),
  linked: (span, i, trace) => (span.ln || NONE).length > 0 || linksTo(trace.id, span.i).length > 0,
};
const TIMES = {
  duration: (span) => span.d, start: (span) => span.s - view.lo, self: (span, i, trace) => selfTime(trace, i),
};

function textTerm(text) {
  const wanted = text.toLowerCase();
  return (span) => spanText(span).includes(wanted);
}

function comparedTerm(key, sign, value) {
  const holds = COMPARE[sign];
  if (Object.hasOwn(TIMES, key)) {
    const bound = nanoseconds(value);
    return (span, i, trace) => holds(TIMES[key](span, i, trace), bound);
  }
  const number = Number(value);
  if (sign === "=" || sign === "!=") return (span) => {
    const found = Object.hasOwn(FIELDS, key) ? FIELDS[key](span) : attributeOf(span, key);
    return sign === "=" ? found === value : found !== undefined && found !== value;
  };
  if (Number.isNaN(number)) throw new Error("not a number: " + value);
  return (span) => { const found = attributeOf(span, key); return found !== undefined && holds(Number(found), number); };
}

function termOf(word) {
  if (word.length > 1 && word.startsWith("-")) {
    const inner = termOf(word.slice(1));
    return (span, i, trace) => !inner(span, i, trace);
  }
  if (word.length > 2 && word.startsWith("/") && word.endsWith("/")) {
    const expression = new RegExp(word.slice(1, -1), "i");
    return (span) => expression.test(spanText(span));
  }
  const quoted = /^"(.*)"$/s.exec(word);
  if (quoted) return textTerm(quoted[1]);
  const state = /^is:(\w+)$/.exec(word);
  if (state && Object.hasOwn(STATES, state[1])) return STATES[state[1]];
  const field = /^(name|service|kind|id|status|event):(.+)$/s.exec(word);
  if (field) {
    const wanted = field[2].replace(/^"(.*)"$/s, "$1").toLowerCase();
    if (field[1] === "event") return (span) => (span.ev || NONE).some((event) => event[1].toLowerCase().includes(wanted));
    return (span) => FIELDS[field[1]](span).toLowerCase().includes(wanted);
  }
  const compared = /^([\w.@/-]+?)(!=|>=|<=|=|>|<)(.+)$/s.exec(word);
  if (compared) return comparedTerm(compared[1], compared[2], compared[3].replace(/^"(.*)"$/s, "$1"));
  return textTerm(word);
}

// A function of (span, index, trace); throws an Error that says what is wrong with the text.
function queryOf(text) {
  const words = text.match(/-?\/(?:\\.|[^/\\])+\/(?=\s|$)|(?:[^\s"]|"[^"]*"?)+/g) || [];
  const terms = words.map(termOf);
  return (span, i, trace) => terms.every((term) => term(span, i, trace));
}

function search(text) {
  view.query = text.trim();
  view.hits = new Set();
  let said = "";
  if (view.query) {
    try {
      const holds = queryOf(view.query);
      view.trace.spans.forEach((span, i) => { if (holds(span, i, view.trace)) view.hits.add(i); });
      said = view.hits.size + " found";
    } catch (error) {
      said = "?";
      $("found").title = String(error.message);
    }
  }
  if (said !== "?") $("found").removeAttribute("title");
  $("find").classList.toggle("bad", said === "?");
  $("found").textContent = said;
  $("only").hidden = !view.query;
  refresh();
}

// The next span from the picked one on, or back, of which `wanted` holds.
function next(step, wanted) {
  const n = view.trace.spans.length;
  const begin = view.picked < 0 ? (step > 0 ? -1 : n) : view.picked;
  for (let k = 1; k <= n; ++k) {
    const i = ((begin + step * k) % n + n) % n;
    if (wanted(i)) { pick(i); return; }
  }
}
