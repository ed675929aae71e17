"""A peer's process, seen from outside: started for a case, told to measure, ended."""
import dataclasses
import json
import pathlib
import selectors
import subprocess
import tempfile

from cases import Case
from shapes import Decoder

WORKER = pathlib.Path(__file__).parent / "worker.py"


class Failed(Exception):
    pass


class Peer:
    """Holds its process until close(). Idle, it sleeps on its standard input."""

    def __init__(self, python: str, case: Case, decoder: Decoder, threads: int, options: dict, timeout: float):
        self.case, self.timeout = case, timeout
        spec = {"case": dataclasses.asdict(case), "decoder": dataclasses.asdict(decoder), "threads": threads,
                "options": options}
        self.errors = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would fill up and stop the process
        try:
            self.process = subprocess.Popen([python, str(WORKER), json.dumps(spec)], text=True, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=self.errors)
        except OSError as error:
            raise Failed(f"{case.key}: {error}") from None
        ready = self.answer()
        self.settings, self.version = ready["settings"], ready["version"]

    def answer(self) -> dict:
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(self.timeout):
                self.close()
                raise Failed(f"{self.case.key}: no answer within {self.timeout:.0f} s")
        line = self.process.stdout.readline()
        try:
            return json.loads(line)
        except ValueError:
            raise Failed(f"{self.case.key}: ended without an answer, {self.end()}") from None

    def end(self) -> str:
        """Ends the process; the last line that it wrote about why."""
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        self.errors.seek(0)
        lines = self.errors.read().strip().split("\n")
        return f"exit status {self.process.returncode}: {lines[-1]}"

    def measure(self, seconds: float) -> dict:
        try:
            self.process.stdin.write(f"measure {seconds}\n")
            self.process.stdin.flush()
        except OSError:
            raise Failed(f"{self.case.key}: ended, {self.end()}") from None
        return self.answer()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
