"""inspect/html_100k: how long a page of 100,000 spans takes to open in a headless Chromium, and how many frames a
second it draws while it is scrolled from row to row."""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir, "tests", "browser"))
import chromium  # noqa: E402
import traces  # noqa: E402

SPANS = 100_000
OPEN_SECONDS = 3.0
FRAMES_A_SECOND = 30.0
READY = "document.documentElement.dataset.ready === 'yes' && document.querySelectorAll('.row').length > 0"
# More than half of the rows that are seen are new in each frame.
SCROLL = """new Promise((done) => {
  const box = document.querySelector("#rows"), begin = performance.now();
  let frames = 0;
  const step = (now) => {
    frames += 1;
    box.scrollTop += 500;
    if (now - begin < MILLISECONDS) requestAnimationFrame(step); else done([frames / (now - begin) * 1000, box.scrollTop]);
  };
  requestAnimationFrame(step);
})"""


def measure(tool, rounds, milliseconds):
    """(seconds to open, frames a second), medians; None where there is no browser."""
    if not shutil.which(chromium.PROGRAM):
        return None
    opened, frames = [], []
    with tempfile.TemporaryDirectory() as folder:
        source, page = os.path.join(folder, "traces.jsonl"), os.path.join(folder, "page.html")
        with open(source, "w", encoding="utf-8") as file:
            file.write(traces.large(SPANS))
        subprocess.run([tool, "view", source, "--html", page], check=True, stdout=subprocess.DEVNULL)
        for _ in range(rounds):
            with chromium.Chromium() as browser:
                begin = time.perf_counter()
                browser.open("file://" + page)
                assert browser.run(READY), "the page shows nothing"
                opened.append(time.perf_counter() - begin)
                rate, reached = browser.run(SCROLL.replace("MILLISECONDS", str(milliseconds)))
                assert reached > 500, "the page did not scroll"
                frames.append(rate)
    return statistics.median(opened), statistics.median(frames)
