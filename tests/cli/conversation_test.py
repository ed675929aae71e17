"""`ocellus ask` on a terminal: a person types, through a real pty.

Needs only Python's standard library. OCELLUS_BINARY names the program, OCELLUS_SOURCE_DIR the checkout.
"""
import os
import pathlib
import pty
import select
import signal
import tempfile
import termios
import time
import unittest

BINARY = os.environ["OCELLUS_BINARY"]
SOURCE = pathlib.Path(os.environ["OCELLUS_SOURCE_DIR"])
SCENE = SOURCE / "examples" / "pictures" / "scene.png"
STOP = SOURCE / "examples" / "pictures" / "stop.jpg"
QUESTION = "How many objects are there?"
SECONDS = 60


class Terminal:
    """A program at a terminal of its own, and what it has shown since the last look."""

    def __init__(self, *arguments, term="xterm", stdout=None):
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": "/nowhere", "TERM": term,
                       "OCELLUS_MODEL": str(SOURCE / "models" / "demo")}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                if stdout is not None:
                    os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT), 1)
                os.execve(BINARY, [BINARY, *map(str, arguments)], environment)
            finally:  # it could not be run: the copy of this test must not go on
                os._exit(127)
        self.shown = b""
        self.status = None

    def read(self, deadline):
        if not select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise AssertionError(f"timeout; shown: {self.shown!r}")
        try:
            data = os.read(self.fd, 4096)
        except OSError:  # the program has ended
            data = b""
        if not data:
            raise EOFError(self.shown)
        self.shown += data

    def expect(self, text):
        """What is shown up to `text`, which is taken away."""
        text = text.encode()
        deadline = time.monotonic() + SECONDS
        while text not in self.shown:
            self.read(deadline)
        before, self.shown = self.shown.split(text, 1)
        return before.decode()

    def prompt(self, prompt="> "):
        """Waits for a prompt, and until the terminal gives single keys; what was shown before it."""
        before = self.expect("\n" + prompt) if prompt == "> " else self.expect(prompt)
        deadline = time.monotonic() + SECONDS
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            if time.monotonic() > deadline:
                raise AssertionError("the terminal stays in line mode")
            select.select([], [], [], 0.005)
        return before

    def keys(self, text):
        os.write(self.fd, text.encode())

    def ask(self, line, prompt="> "):
        """Types a line at a prompt; what is shown until the next one, without the line itself."""
        self.keys(line + "\r")
        shown = self.prompt(prompt)
        return shown.split("\r\n", 1)[1].replace("\r\n", "\n").strip() if "\r\n" in shown else ""

    def end(self):
        """Reads to the end; the exit status."""
        try:
            deadline = time.monotonic() + SECONDS
            while True:
                self.read(deadline)
        except EOFError:
            pass
        return self.wait()

    def wait(self):
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        os.close(self.fd)


class Conversation(unittest.TestCase):
    def open(self, *arguments, prompt="[1] > ", **options):
        terminal = Terminal("ask", "-t", "0", "--quiet", *arguments, **options)  # whatever the load
        self.addCleanup(terminal.close)
        terminal.prompt(prompt)
        return terminal

    def test_turns(self):
        terminal = self.open(SCENE)
        self.assertEqual(terminal.ask(QUESTION), "4")
        self.assertEqual(terminal.ask("What is at the top left?"), "a big red circle")
        terminal.keys("\x04")
        self.assertEqual(terminal.end(), 0)

    def test_the_same_as_earlier_turns_of_the_command_line(self):
        terminal = Terminal("ask", "-t", "0", "-q", "--earlier", QUESTION, "4", SCENE, "What is at the top left?")
        self.addCleanup(terminal.close)
        self.assertEqual(terminal.end(), 0)
        self.assertEqual(terminal.shown, b"a big red circle\r\n")

    def test_pictures_are_added(self):
        terminal = self.open("--image", SCENE)
        self.assertEqual(terminal.ask(QUESTION), "4")
        self.assertEqual(terminal.ask("/reset"), "")
        terminal.keys(f"/image '{STOP}'\r")
        terminal.prompt("[1] > ")
        self.assertEqual(terminal.ask("What does it say?"), "stop")
        self.assertIn("expected a file, found nothing", terminal.ask("/image /no/such.png"))
        self.assertIn("expected a path or URL", terminal.ask("/image"))
        self.assertIn("/image PATH|URL", terminal.ask("/help"))
        self.assertIn("no command", terminal.ask("/picture x"))
        terminal.keys("/quit\r")
        self.assertEqual(terminal.end(), 0)

    def test_a_message_that_fails_is_taken_back(self):
        terminal = self.open(SCENE)
        self.assertEqual(terminal.ask(QUESTION), "4")
        terminal.keys(f"/image {SOURCE / 'README.md'}\r")
        terminal.prompt("[1] > ")
        shown = terminal.ask("What is it?")
        self.assertIn("ocellus: ", shown)
        self.assertIn("taken back, with its pictures", shown)
        self.assertEqual(terminal.ask("What is at the top left?"), "a big red circle")

    def test_editing_and_history(self):
        terminal = self.open(SCENE)
        # Left twice, and a letter put in; Ctrl-A and Ctrl-E; a letter of two bytes is one.
        terminal.keys("ow many objects are thee?")
        terminal.keys("\x1b[D\x1b[Dr\x01H\x05ö\x7f\r")
        self.assertTrue(terminal.prompt().strip().endswith("4"))
        self.assertEqual(terminal.ask("What is at the top left?"), "a big red circle")
        terminal.keys("\x1b[A\x1b[A\r")  # the line before the last
        self.assertTrue(terminal.prompt().strip().endswith("4"))

    def test_lines_continue_after_a_backslash(self):
        terminal = self.open(SCENE)
        terminal.keys("How many objects\\\r")
        terminal.prompt(". ")
        self.assertTrue(terminal.ask("are there?"))
        terminal.keys("one\\\r")
        terminal.prompt(". ")
        terminal.keys("two\x03")  # drops all of it
        terminal.expect("^C")
        terminal.prompt()
        self.assertEqual(terminal.ask("What is at the top left?"), "a big red circle")

    def test_ctrl_c_drops_the_line(self):
        terminal = self.open(SCENE)
        terminal.keys("What is\x03")
        terminal.expect("^C")
        terminal.prompt("[1] > ")
        self.assertEqual(terminal.ask(QUESTION), "4")

    def test_ctrl_c_stops_the_answer_only(self):
        terminal = self.open(SCENE, "--ignore-eos", "--max-tokens", "900", "--no-kv-cache", "--threads", "1")
        terminal.keys("Describe the picture.\r")
        terminal.expect("circle")
        terminal.keys("\x03")
        stopped = terminal.prompt()
        self.assertLess(len(stopped), 3500)  # the whole answer has 4,434
        terminal.keys("Describe the picture.\r")
        terminal.expect("Describe")
        terminal.expect("\r\n")
        while not terminal.shown:
            terminal.read(time.monotonic() + SECONDS)
        terminal.keys("\x03")  # again: it is not only the first that is caught
        terminal.prompt()
        terminal.keys("\x04")
        self.assertEqual(terminal.end(), 0)

    def test_system_message(self):
        terminal = self.open(SCENE)
        terminal.ask("/system Answer in one word.", prompt="[1] > ")
        self.assertTrue(terminal.ask(QUESTION))
        terminal.ask("/system")
        self.assertTrue(terminal.ask(QUESTION))

    def test_answers_alone_go_to_a_file(self):
        with tempfile.NamedTemporaryFile() as file:
            terminal = self.open(SCENE, stdout=file.name)
            self.assertEqual(terminal.ask(QUESTION), "")
            terminal.ask("/help")
            terminal.keys("\x04")
            self.assertEqual(terminal.end(), 0)
            self.assertEqual(file.read(), b"4\n")

    def test_a_full_disk_ends_it(self):
        terminal = self.open(SCENE, stdout="/dev/full")
        terminal.keys(QUESTION + "\r")
        self.assertEqual(terminal.end(), 1)
        self.assertIn(b"No space left", terminal.shown)

    def test_a_simple_terminal(self):
        terminal = self.open(SCENE, term="dumb")
        self.assertEqual(terminal.ask(QUESTION), "4")
        os.kill(terminal.pid, signal.SIGINT)  # not from its keyboard
        terminal.prompt()
        self.assertEqual(terminal.ask("What is at the top left?"), "a big red circle")

    def test_a_model_that_is_none(self):
        terminal = Terminal("ask", "--model", "/no/such/model", SCENE)
        self.addCleanup(terminal.close)
        self.assertEqual(terminal.end(), 4)
        self.assertIn(b"/no/such/model", terminal.shown)

    def test_an_answer_does_not_steer_the_terminal(self):
        """Token 30 is the byte 1B, with which terminals' commands begin."""
        terminal = self.open(SCENE, "--logit-bias", "30=100", "--max-tokens", "3")
        self.assertEqual(terminal.ask(QUESTION), r"\x1b\x1b\x1b")


if __name__ == "__main__":
    unittest.main()
