"""The page of `ocellus serve` in a real browser.

Needs Playwright (PyPI) and Debian's chromium; skipped without. With axe-playwright-python it also looks for what a
screen reader would miss. OCELLUS_BINARY names the program, OCELLUS_SOURCE_DIR the checkout.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None
try:
    from axe_playwright_python.sync_playwright import Axe
except ImportError:
    Axe = None

BINARY = os.environ["OCELLUS_BINARY"]
SOURCE = pathlib.Path(os.environ["OCELLUS_SOURCE_DIR"])
CHROMIUM = shutil.which("chromium")


@unittest.skipUnless(sync_playwright and CHROMIUM, "needs playwright and chromium")
class Page(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        port_file = pathlib.Path(folder.name) / "port"
        process = subprocess.Popen([BINARY, "serve", "--port", "0", "--port-file", port_file], stdout=subprocess.PIPE,
                                   env={**os.environ, "OCELLUS_MODEL": str(SOURCE / "models" / "demo")})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        process.stdout.readline()
        self.url = f"http://127.0.0.1:{int(port_file.read_text())}/"
        playwright = sync_playwright().start()
        self.addCleanup(playwright.stop)
        self.browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        self.addCleanup(self.browser.close)

    def open(self, width, height, scheme):
        page = self.browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.messages = []
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.goto(self.url)
        page.locator("#model option").first.wait_for(state="attached")
        return page

    def look(self, page):
        width = page.viewport_size["width"]
        self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), width)
        if Axe:
            violations = Axe().run(page).response["violations"]
            self.assertEqual([v["id"] for v in violations], [])

    def test_a_conversation(self):
        for width, height, scheme in ((1200, 800, "light"), (390, 844, "dark")):
            with self.subTest(width=width):
                page = self.open(width, height, scheme)
                self.look(page)
                page.set_input_files("input[type=file]", SOURCE / "examples" / "pictures" / "scene.png")
                page.locator("#strip .cost", has_text="64 tokens").click()
                page.locator("#seen .tiles img").wait_for()
                page.keyboard.press("Escape")
                page.get_by_role("textbox").fill("How many objects are there?")
                page.keyboard.press("Enter")
                page.locator(".tools:not([hidden])").first.wait_for()
                # The picture stays for the next question.
                page.get_by_role("textbox").fill("What is at the top left?")
                page.get_by_role("button", name="Ask").click()
                page.locator(".tools:not([hidden])").nth(1).wait_for()
                answers = page.get_by_role("log").locator(".answer .body").all_inner_texts()
                self.assertEqual(answers, ["4", "a big red circle"])
                self.assertTrue(page.get_by_role("button", name="Stop").is_disabled())
                self.look(page)
                page.get_by_role("button", name="Edit question").nth(1).click()
                self.assertEqual(page.get_by_role("textbox").input_value(), "What is at the top left?")
                self.assertEqual(self.messages, [])
                page.close()

    def test_what_is_no_picture_is_told(self):
        page = self.open(800, 600, "light")
        with tempfile.NamedTemporaryFile(suffix=".txt") as file:
            page.set_input_files("input[type=file]", file.name)
            page.get_by_role("alert").get_by_text("Only pictures").wait_for()
        self.assertEqual(self.messages, [])


if __name__ == "__main__":
    sys.exit(unittest.main())
