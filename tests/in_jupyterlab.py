"""Opens a notebook in JupyterLab in a real browser (Chromium, headless), runs all cells from the menu, looks at it.

    .venv/bin/python tests/in_jupyterlab.py notebooks/01_preprocessing.ipynb --pictures FOLDER

works on a copy, says which cells failed, and leaves screenshots of the whole notebook. The browser is driven over its
DevTools protocol (https://chromedevtools.github.io/devtools-protocol).
"""

import argparse
import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import websocket

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TOKEN = "of-this-test"
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/apputils-extension/themes": {"theme": "JupyterLab Light"},
}
RUN_MENU = "[...document.querySelectorAll('.lm-MenuBar-item')].find(item => item.textContent == 'Run')"
RUN_ALL = "document.querySelector('.lm-Menu-item[data-command=\"runmenu:run-all\"]')"
IS_IDLE = (
    "document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status == 'idle' && "
    "document.querySelector('.jp-Toolbar-kernelName')?.textContent != 'No Kernel'"
)
PANEL = "document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer')"


def find_browser() -> str | None:
    """The path of Chromium or Chrome; None where there is none."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


def wait_for(found, what: str, seconds: float = 180):
    """Calls `found` until it returns something; returns that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.2)
    raise TimeoutError(f"waited {seconds} s for {what}")


@contextlib.contextmanager
def process(command: list, log: Path, **settings) -> Iterator[None]:
    """A program that runs as long as the block."""
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file, **settings) as started:
        try:
            yield
        finally:
            started.terminate()


class Page:
    """A page of the browser, over its DevTools websocket."""

    def __init__(self, address: str):
        self.socket = websocket.create_connection(address, timeout=60)
        self.calls = 0

    def call(self, method: str, **parameters) -> dict:
        self.calls += 1
        self.socket.send(json.dumps({"id": self.calls, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.calls:
                return answer["result"]

    def value(self, expression: str):
        """The value of a JavaScript expression; None where it fails."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def click(self, element: str) -> None:
        """Clicks into the middle of the element that a JavaScript expression finds, once it is there."""
        place = (
            f"(() => {{ const r = ({element}).getBoundingClientRect(); return [r.x + r.width/2, r.y + r.height/2] }})()"
        )
        x, y = wait_for(lambda: self.value(place), element)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def save(self) -> None:
        """Ctrl+S."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key="s", code="KeyS", modifiers=2, windowsVirtualKeyCode=83)

    def resize(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextlib.contextmanager
def open_in_jupyterlab(notebook: Path, folder: Path, dark: bool = False, width: int = 1400) -> Iterator[Page]:
    """JupyterLab as README starts it, from `folder`, with the browser on the notebook; its kernel is ready."""
    settings = folder / "settings"
    for name, value in SETTINGS.items():
        path = settings / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value).replace("Light", "Dark" if dark else "Light"))
    environment = os.environ | {"JUPYTERLAB_SETTINGS_DIR": str(settings), "JUPYTER_PREFER_ENV_PATH": "1"}
    # README's command, but for the browser, and for root, who runs the tests in a container.
    lab = [sys.executable, "-m", "jupyterlab", str(notebook.relative_to(folder)), "--no-browser", "--allow-root"]
    lab += [f"--IdentityProvider.token={TOKEN}"]
    browser = [find_browser(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "about:blank"]
    browser += ["--remote-debugging-port=0", "--remote-allow-origins=*", f"--user-data-dir={folder / 'browser'}"]
    port_file = folder / "browser" / "DevToolsActivePort"
    lab_log = folder / "lab.log"
    with process(lab, lab_log, cwd=folder, env=environment), process(browser, folder / "browser.log"):
        server = wait_for(lambda: re.search(r"http://localhost:\d+", lab_log.read_text()), "the server")[0]
        port = wait_for(lambda: port_file.is_file() and port_file.read_text().split("\n")[0], "the browser")
        with urllib.request.urlopen(f"http://localhost:{port}/json") as answer:
            (tab,) = (tab for tab in json.load(answer) if tab["type"] == "page")
        opened = Page(tab["webSocketDebuggerUrl"])
        opened.resize(width, 900)
        opened.call("Page.navigate", url=f"{server}/lab/tree/{notebook.name}?token={TOKEN}")
        wait_for(lambda: opened.value(IS_IDLE), "the notebook and its kernel")
        yield opened


def run_all_cells(page: Page, notebook: Path, seconds: float = 600, each_second=None) -> nbformat.NotebookNode:
    """Clicks Run > Run All Cells, waits until the last cell has run or one failed, saves; returns what was saved.

    The notebook has to be without outputs before. `each_second` is called while it waits.
    """
    page.click(RUN_MENU)
    page.click(RUN_ALL)

    def finished():
        if each_second:
            each_second()
        time.sleep(1)
        page.save()
        cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
        return failures(cells) or (all(cell.execution_count for cell in cells) and page.value(IS_IDLE))

    wait_for(finished, "the last cell", seconds)
    page.save()
    time.sleep(1)
    return nbformat.read(notebook, as_version=4)


def failures(cells: list) -> list[str]:
    """The cells with an error, or with something on stderr, and what it says."""
    outputs = [(cell.id, output) for cell in cells for output in cell.get("outputs", [])]
    errors = [f"{name}: {output.ename}: {output.evalue}" for name, output in outputs if output.output_type == "error"]
    return errors + [f"{name}: {output.text}" for name, output in outputs if output.get("name") == "stderr"]


def take_pictures(page: Page, folder: Path, name: str, width: int = 1400, height: int = 1800) -> list[Path]:
    """Screenshots of the whole notebook, from top to bottom."""
    page.resize(width, height)
    page.value(f"{PANEL}.scrollTop = 0")
    time.sleep(1)
    pictures = []
    while True:
        pictures.append(folder / f"{name}_{len(pictures):02}.png")
        page.screenshot(pictures[-1])
        before = page.value(f"{PANEL}.scrollTop")
        page.value(f"{PANEL}.scrollTop += {PANEL}.clientHeight - 40")
        time.sleep(0.5)
        if page.value(f"{PANEL}.scrollTop") == before or len(pictures) == 60:
            return pictures


def copy(notebook: Path, folder: Path, profile: str | None) -> Path:
    """A copy in `folder/notebooks`, in another profile and without outputs; with its own where `profile` is None."""
    opened = nbformat.read(notebook, as_version=4)
    for cell in opened.cells if profile else ():
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.source = cell.source.replace('PROFILE = "quick"', f'PROFILE = "{profile}"')
    path = folder / "notebooks" / notebook.name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(opened, path)
    return path


def main() -> int:
    """The command: see the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--pictures", type=Path, required=True, metavar="FOLDER", help="where the screenshots go")
    parser.add_argument("--profile", default="smoke", help="in which it is run (default: smoke)")
    parser.add_argument("--as-stored", action="store_true", help="run nothing: look at the outputs that it has")
    parser.add_argument("--dark", action="store_true", help="in JupyterLab's dark theme")
    parser.add_argument("--width", type=int, default=1400, help="of the browser, in pixels (default: 1400)")
    options = parser.parse_args()
    options.pictures.mkdir(parents=True, exist_ok=True)
    name = options.notebook.stem
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        opened = copy(options.notebook, Path(folder), None if options.as_stored else options.profile)
        with open_in_jupyterlab(opened, Path(folder), options.dark, options.width) as page:
            failed = []
            if not options.as_stored:
                running = options.pictures / f"{name}_running.png"
                failed = failures(run_all_cells(page, opened, 3600, lambda: page.screenshot(running)).cells)
            pictures = take_pictures(page, options.pictures, name, options.width)
    print(f"{name}: {len(pictures)} pictures in {options.pictures}", *failed, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
