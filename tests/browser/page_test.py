"""The page of `spanwire view --html` in a real browser: what is in the document, what keys do."""

import os
import subprocess
import tempfile
import unittest

import chromium
import traces

TOOL = os.environ["SPANWIRE_TOOL"]


def write_page(folder, text):
    source, page = os.path.join(folder, "traces.jsonl"), os.path.join(folder, "page.html")
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    subprocess.run([TOOL, "view", source, "--html", page], check=True, stdout=subprocess.DEVNULL)
    return "file://" + page


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.url = write_page(cls.folder.name, traces.gallery())
        cls.browser = cls.enterClassContext(chromium.Chromium())

    def open(self, trace=0xA1, more=""):
        # Another address first: a change of the fragment alone would keep the page.
        self.browser.open("about:blank")
        self.browser.problems.clear()
        self.browser.requests.clear()
        self.browser.open(f"{self.url}#trace={trace:032x}{more}")
        self.addCleanup(lambda: self.assertEqual(self.browser.problems, []))

    def run_js(self, script):
        return self.browser.run(script)

    def text(self, selector):
        return self.run_js(f"document.querySelector({selector!r}).innerText")

    def rows(self):
        """What the rows say, from the top."""
        return self.run_js("""[...document.querySelectorAll('.row')].sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top))
            .map((row) => row.querySelector('.name').lastChild.innerText.replace(/\\s+/g, ' ').trim())""")

    def picked(self):
        return self.run_js("document.querySelector('.row.picked .name').lastChild.innerText.replace(/\\s+/g, ' ').trim()")

    def type(self, text):
        self.browser.press("/")
        for character in text:
            self.browser.press(character)

    def test_asks_no_network_for_anything(self):
        self.open()
        self.assertEqual(self.browser.requests, [self.url])
        self.assertEqual(self.run_js("document.documentElement.dataset.ready"), "yes")

    def test_shows_a_trace_with_its_head_its_services_and_its_rows(self):
        self.open()
        self.assertEqual(self.text("h1"), "POST /v1/chat/completions")
        facts = self.text("#facts")
        for fact in ("90.0 ms in all", "21 spans", "3 processes", f"{0xA1:032x}"):
            self.assertIn(fact, facts)
        self.assertEqual(self.run_js("[...document.querySelectorAll('.chip')].map((chip) => chip.innerText.replace(/\\s+/g, ' '))"),
                         ["frontend 4", "prefill 3", "decode 14"])
        self.assertEqual(self.rows()[:4], ["frontend POST /v1/chat/completions", "kv_find_best_match",
                                           "llm/prefill/generate", "prefill llm/prefill/generate"])
        self.assertEqual(len(self.rows()), 21)

    def test_lists_the_traces_and_opens_another(self):
        self.open()
        names = self.run_js("[...document.querySelectorAll('.trace b span:first-child')].map((node) => node.innerText)")
        self.assertEqual(len(names), 4)
        self.browser.click(".trace:nth-child(3)")
        self.assertIn("1 error", self.text("#facts"))
        self.assertEqual(self.run_js("document.querySelector('.trace[aria-current=true]').title"), f"{0xA2:032x}")

    def test_searches_and_shows_matches_only_with_what_leads_to_them(self):
        self.open()
        self.type('"decode step"')
        self.assertEqual(self.text("#found"), "12 found")
        self.assertEqual(self.run_js("document.querySelectorAll('.row.faded').length"), 9)
        self.browser.press("Enter")
        self.assertEqual(self.picked(), "decode step")
        self.browser.click("#only")
        self.assertEqual(len(self.rows()), 16)
        self.assertNotIn("queue", self.rows())
        self.browser.click("#only")
        self.assertEqual(len(self.rows()), 21)

    def test_understands_terms_and_says_which_it_does_not(self):
        self.open()
        for text, found in [
            ("is:root", 1), ("duration>60ms", 4), ("duration<=4.9ms", 14), ("service:prefill", 3), ("kind:server", 3),
            ("name:\"llm/decode\"", 2), ("/^queue$/", 0), ("/queue/", 2), ("event:FIRST_TOKEN", 1), ("decode_ct=3", 1), ("decode_ct>9", 2),
            ("decode_ct!=3", 11), ("-service:decode", 7), ("is:linked -is:critical", 0), ("self>50ms", 0), ("nothing of the kind", 0),
            ("big=9007199254740993", 1), ("batch_size=8 decode_ct<2", 2), ("", 21),
        ]:
            self.run_js(f"search({text!r})")
            self.assertEqual(self.text("#found"), f"{found} found" if text else "", text)
        for text in ("/(/", "duration>soon", "decode_ct>many"):
            self.run_js(f"search({text!r})")
            self.assertEqual(self.text("#found"), "?", text)
            self.assertTrue(self.run_js("document.querySelector('#found').title"))

    def test_collapses_one_span_a_level_and_everything(self):
        self.open()
        self.browser.press("[")
        self.assertEqual(len(self.rows()), 4)
        self.browser.press("o")
        self.assertEqual(len(self.rows()), 6)
        self.browser.press("]")
        self.assertEqual(len(self.rows()), 21)
        self.browser.press("p")
        self.assertEqual(len(self.rows()), 9)
        self.browser.press("]")
        self.browser.click(".row:nth-child(3) .fold")
        self.assertEqual(len(self.rows()), 18)
        self.assertEqual(self.run_js("document.querySelector('.fold.shut').closest('.row').getAttribute('aria-expanded')"), "false")

    def test_leaves_out_short_spans_and_services(self):
        self.open()
        self.run_js("setLeast(20e6)")
        self.assertEqual(len(self.rows()), 6)
        self.run_js("setLeast(0)")
        self.browser.click(".chip:nth-child(3)")
        self.assertEqual(len(self.rows()), 7)
        self.assertEqual(self.run_js("document.querySelectorAll('.chip[aria-pressed=false]').length"), 1)

    def test_keys_move_open_focus_and_leave(self):
        self.open()
        self.browser.press("ArrowDown", "ArrowDown", "ArrowDown", "Enter")
        self.assertEqual(self.picked(), "llm/prefill/generate")
        self.assertEqual(self.text("#panel h2"), "llm/prefill/generate")
        self.browser.press("ArrowLeft")
        self.assertEqual(len(self.rows()), 18)
        self.browser.press("ArrowRight", "f")
        self.assertEqual(self.rows(), ["llm/prefill/generate", "prefill llm/prefill/generate", "queue", "↗1 prefill"][:3] + ["prefill"])
        self.assertIn("whole trace", self.text("#crumbs"))
        self.browser.press("Escape", "Escape")
        self.assertEqual(len(self.rows()), 21)
        self.browser.press("?")
        self.assertFalse(self.run_js("document.querySelector('#help').hidden"))
        self.browser.press("Escape")
        self.assertTrue(self.run_js("document.querySelector('#help').hidden"))

    def test_zooms_moves_and_goes_back(self):
        self.open()
        self.browser.press("w", "w", "d")
        self.assertFalse(self.run_js("document.querySelector('#lens').hidden"))
        self.assertLess(self.run_js("view.to - view.from"), 0.5)
        self.browser.press("0")
        self.assertTrue(self.run_js("document.querySelector('#lens').hidden"))

    def test_shows_the_critical_path(self):
        self.open()
        self.browser.press("c")
        self.assertGreater(self.run_js("document.querySelectorAll('.path').length"), 10)
        # All of the time is on it, each moment once.
        self.assertEqual(self.run_js("criticalPath(view.trace).reduce((sum, piece) => sum + piece[2] - piece[1], 0)"), 90_000_000)
        self.assertIn("kv_find_best_match", self.run_js("[...criticalOf(view.trace).keys()].map((i) => view.trace.spans[i].n)"))
        self.browser.press("i")
        self.assertIn("decode step", self.text("#panel tbody tr"))

    def test_the_summary_says_who_calls_whom(self):
        self.open(0xA2)
        self.browser.press("i")
        calls = self.run_js("""[...document.querySelectorAll('#panel details tbody tr')].map((row) => [...row.cells].map((cell) => cell.innerText.replace(/\\s+/g, " ").trim()))""")
        self.assertEqual(calls, [["frontend → prefill first", "1", "20.4 ms", "20.4 ms"],
                                 ["frontend → decode first", "1 (1 ✗)", "66.0 ms", "66.0 ms"]])
        self.browser.click("#panel details .jump")
        self.assertEqual(self.picked(), "prefill llm/prefill/generate")

    def test_the_ruler_stays_and_its_times_are_relative_utc_or_local(self):
        self.open()
        seen = []
        for name in ("relative", "UTC", "local"):
            self.assertEqual(self.text("#clock"), name)
            seen.append(self.run_js("document.querySelector('#ticks span').innerText"))
            self.browser.press("u")
        self.assertEqual(seen[0], "0")
        self.assertTrue(seen[1].startswith("09:40:00.000000000"), seen)
        self.assertRegex(seen[2], r"^\d\d:40:00\.0|^\d\d:10:00\.0")
        # It is no part of what scrolls.
        self.assertFalse(self.run_js("document.querySelector('#rows').contains(document.querySelector('#ticks'))"))

    def test_the_list_says_how_long_how_many_and_what_is_wrong(self):
        self.open()
        list_text = self.run_js("[...document.querySelectorAll('.trace')].map((node) => node.innerText.replace(/\\s+/g, ' '))")
        self.assertIn("POST /v1/chat/completions 90.0 ms 09:40:00.200 1 ✗, 21 spans, 3 processes", list_text)
        self.assertIn("call 10.0 ms 09:40:00.400 1 orphan, 3 spans, 2 processes", list_text)

    def test_errors_are_counted_and_e_leads_to_them(self):
        self.open(0xA2)
        self.assertIn("1 error", self.text("#facts"))
        self.browser.press("e")
        self.assertEqual(self.picked(), "error llm/decode/generate".removeprefix("error "))
        self.browser.press("Enter")
        self.assertEqual(self.text("#panel .alert"), "UNAVAILABLE: connection_lost")

    def test_events_are_ticks_that_say_what_they_are(self):
        self.open()
        titles = self.run_js("[...document.querySelectorAll('.lane .tick')].map((tick) => tick.title)")
        self.assertEqual(titles, ["journey.QUEUED  +100 µs", "journey.SCHEDULED  +1.20 ms", "journey.FIRST_TOKEN  +8.00 ms",
                                  "journey.FINISHED  +65.4 ms"])

    def test_alt_click_keeps_one_service_only(self):
        self.open()
        self.run_js("document.querySelector('.chip:nth-child(2)').dispatchEvent(new MouseEvent('click', {altKey: true}))")
        self.assertEqual(self.run_js("[...document.querySelectorAll('.chip')].map((chip) => chip.getAttribute('aria-pressed'))"),
                         ["false", "true", "false"])
        self.assertTrue(all("prefill" in row or row == "queue" for row in self.rows()), self.rows())

    def test_details_have_types_process_scope_status_and_flags_to_copy(self):
        self.open()
        self.browser.click(".row")
        types = self.run_js("Object.fromEntries([...document.querySelectorAll('#panel details:first-of-type tr')].map((row) => [row.cells[0].innerText, row.cells[0].title]))")
        self.assertEqual((types["big"], types["url.path"]), ("integer", "text"))
        panel = self.run_js("document.querySelector('#panel').textContent")
        for fact in ("service.instance.id", "a1", "scopetest", "statusunset", "sampledyes", "parentin this process, or none"):
            self.assertIn(fact, panel)
        before = len(self.text("#panel"))
        self.browser.click("#panel td .jump")
        self.assertGreater(len(self.text("#panel")), before)
        self.run_js("Object.defineProperty(navigator, 'clipboard', {value: {writeText: (text) => { window.copied = text; return Promise.resolve(); }}})")
        self.run_js("[...document.querySelectorAll('#panel tr')].find((row) => row.cells[0].innerText === 'traceparent').querySelector('.copy').click()")
        self.assertEqual(self.run_js("window.copied"), f"00-{0xA1:032x}-{1:016x}-01")

    def test_a_screen_reader_finds_a_tree(self):
        self.open()
        self.browser.press("ArrowDown")
        self.assertEqual(self.run_js("""(() => { const grid = document.querySelector('[role=treegrid]'), row = document.querySelector('.row.picked');
            return [grid.getAttribute('aria-rowcount'), grid.getAttribute('aria-activedescendant') === row.id, row.getAttribute('role'),
                    row.getAttribute('aria-level'), row.getAttribute('aria-expanded'), row.querySelectorAll('[role=gridcell]').length > 0]; })()"""),
            ["21", True, "row", "1", "true", True])
        self.assertEqual(self.run_js("[...document.querySelectorAll('button')].filter((button) => !(button.innerText || button.getAttribute('aria-label') || button.title)).length"), 0)

    def test_prints_all_rows_and_no_controls_and_moves_nothing_for_who_asks(self):
        self.open()
        self.run_js("dispatchEvent(new Event('beforeprint'))")
        self.assertEqual(len(self.rows()), 21)
        self.browser.send("Emulation.setEmulatedMedia", {"media": "print"})
        shown = self.run_js("['#find', '#traces', '#map', '#rows'].map((id) => getComputedStyle(document.querySelector(id)).display)")
        self.assertEqual(shown, ["none", "none", "none", "block"])
        self.browser.send("Emulation.setEmulatedMedia", {"media": "", "features": [{"name": "prefers-reduced-motion", "value": "reduce"}]})
        self.assertEqual(self.run_js("[...document.querySelectorAll('*')].filter((node) => parseFloat(getComputedStyle(node).transitionDuration) > 0).length"), 0)
        self.browser.send("Emulation.setEmulatedMedia", {"media": "", "features": [{"name": "prefers-color-scheme", "value": "light"}]})

    def test_marks_the_first_token_the_phases_and_the_tokens(self):
        self.open()
        model = self.text("#model")
        for fact in ("31.0 ms to the first token", "1.10 ms queue", "6.80 ms prefill", "57.4 ms decode", "412 tokens in", "24 tokens out"):
            self.assertIn(fact, model)
        self.assertEqual(self.text(".flagged"), "first token")
        self.assertEqual(self.run_js("document.querySelectorAll('.lane .tick.first').length"), 1)

    def test_follows_links_in_both_directions(self):
        self.open()
        self.run_js("pick(view.trace.spans.findIndex((span) => span.n === 'prefill'), true)")
        self.assertIn("decode step", self.text("#panel .event .jump"))
        self.browser.click("#panel .event .jump")
        self.assertEqual(self.picked(), "decode step")
        self.assertIn("Linked from", self.text("#panel"))
        self.assertIn("prefill (prefill)", " ".join(self.text("#panel").split()))

    def test_details_lay_out_json_and_keep_big_numbers(self):
        self.open()
        self.browser.click(".row")
        panel = self.text("#panel")
        self.assertIn("9007199254740993", panel)
        self.assertIn("\"messages\": [", panel)
        self.assertIn("characters", panel)
        self.assertIn(f"00-{0xA1:032x}-{1:016x}-01", panel)

    def test_explains_an_orphan_and_a_skew(self):
        self.open(0xA3)
        note = self.text("#note")
        self.assertIn("1 span hangs under a parent that is not in these files", note)
        self.assertIn("far by 40.0 ms", note)
        self.run_js("[...document.querySelectorAll('#note button')].find((button) => button.innerText === 'Show').click()")
        self.browser.press("Enter")
        self.assertIn("not sampled", self.text("#panel .alert"))
        self.assertIn("truncated", self.text("#panel .alert"))
        before = self.run_js("view.total")
        self.run_js("[...document.querySelectorAll('#note button')].find((button) => button.innerText === 'Show as recorded').click()")
        self.assertIn("as recorded", self.text("#note"))
        self.assertEqual([before, self.run_js("view.total")], [10_000_000, 49_000_000])

    def test_shows_the_gates_and_leads_to_what_they_found(self):
        self.open()
        self.browser.press("g")
        panel = self.text("#panel")
        self.assertIn("G7 no orphans", panel)
        self.assertIn("tree.orphan", panel)
        self.run_js("[...document.querySelectorAll('#panel .jump')].find((button) => button.innerText.startsWith('lost its parent')).click()")
        self.assertEqual(self.picked(), "frontend lost its parent")

    def test_hostile_values_stay_text(self):
        self.open(0xA4)
        self.browser.click(".row")
        self.assertEqual(self.text("h1"), traces.HOSTILE)
        self.assertIn(traces.HOSTILE, self.text("#panel"))
        self.assertEqual(self.run_js("document.querySelectorAll('img').length"), 0)
        self.assertNotEqual(self.run_js("document.title"), "owned")
        # Nor can what gets into the document run or load anything.
        self.run_js("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.owned = 1\">')")
        self.assertIsNone(self.run_js("new Promise((done) => setTimeout(() => done(window.owned), 50))"))
        self.browser.problems.clear()  # the policy's refusal

    def test_an_address_brings_back_what_was_seen(self):
        self.open(0xA1, f"&span={8:016x}&q=decode&from=0.25&to=0.5")
        self.assertEqual(self.text("#panel h2"), "llm/decode/generate")
        self.assertEqual(self.run_js("document.querySelector('#query').value"), "decode")
        self.assertEqual(self.run_js("[view.from, view.to]"), [0.25, 0.5])

    def test_is_dark_or_light_as_the_system_is(self):
        self.open()
        light = self.run_js("getComputedStyle(document.body).backgroundColor")
        self.browser.press("t")
        self.assertNotEqual(self.run_js("getComputedStyle(document.body).backgroundColor"), light)
        with chromium.Chromium(dark=True) as browser:
            browser.open(self.url)
            self.assertEqual(browser.run("document.documentElement.dataset.theme"), "dark")

    def test_a_narrow_window_has_all_traces_and_no_button_over_another(self):
        with chromium.Chromium(480, 800) as narrow:
            narrow.open(self.url)
            boxes = narrow.run("""[...document.querySelectorAll('#top .tool, #query')].filter((node) => !node.hidden)
                .map((node) => node.getBoundingClientRect()).map((box) => [box.left, box.top, box.right, box.bottom])""")
            self.assertGreaterEqual(len(boxes), 7)
            for i, (left, top, right, bottom) in enumerate(boxes):
                self.assertTrue(0 <= left and right <= 480, boxes[i])
                for other in boxes[:i]:
                    apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
                    self.assertTrue(apart, (boxes[i], other))
            narrow.click("#traces .trace:nth-child(2)")
            self.assertEqual(narrow.run("document.querySelector('#head h1').innerText"), "call")


class LargePage(unittest.TestCase):
    def test_a_hundred_thousand_spans_are_a_few_dozen_rows(self):
        with tempfile.TemporaryDirectory() as folder, chromium.Chromium() as browser:
            browser.open(write_page(folder, traces.large(100_000)))
            count = "document.querySelectorAll('.row').length"
            self.assertLess(browser.run(count), 80)
            browser.press("End")
            self.assertEqual(browser.run("document.querySelector('.row.picked').getAttribute('aria-rowindex')"), "100000")
            self.assertLess(browser.run(count), 80)
            browser.run("search('step=77777')")
            browser.press("n")
            self.assertEqual(browser.run("view.picked >= 0 && view.trace.spans[view.picked].a[1][2]"), "77777")
            browser.press("[", "c")
            self.assertEqual(browser.run("document.querySelectorAll('.row').length"), 13)
            self.assertEqual(browser.problems, [])


if __name__ == "__main__":
    unittest.main()
