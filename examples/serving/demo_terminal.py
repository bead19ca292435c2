"""What the demo has to do with its terminal: colours where somebody sees them, and signals that end it."""
import contextlib
import os
import signal


class Interrupted(Exception):
    """Ctrl-C, or a request to end."""


class Style:
    """Colours, where somebody sees them."""

    def __init__(self, stream):
        self.on = stream.isatty() and "NO_COLOR" not in os.environ

    def __call__(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.on else text


class Signals:
    """Turns the signals that end a program into Interrupted, but not where that would lose a process."""

    def __init__(self):
        self.held = False
        self.came = False
        self.bell, self.ring = os.pipe()  # a signal just before a wait is not lost

    def take(self):
        os.set_blocking(self.ring, False)
        signal.set_wakeup_fd(self.ring)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_signal)

    def on_signal(self, _number, _frame):
        self.came = True
        if not self.held:
            raise Interrupted

    def wait(self):
        """Until a signal comes: Interrupted."""
        while not self.came:
            os.read(self.bell, 1)

    @contextlib.contextmanager
    def hold(self):
        self.held = True
        try:
            yield
        finally:
            self.held = False
        if self.came:
            raise Interrupted
