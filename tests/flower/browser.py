"""Debian's Chromium without a window, driven as a person would use it: pages, clicks, typed text, pictures.

Browser and driver are processes of ours in folders of their own, gone when the test run is gone. No name but
127.0.0.1 is resolved, so that a page which wants something from outside shows it here, by an error."""

import base64
import subprocess

from selenium import webdriver
from selenium.webdriver.common.by import By

from dev.servers import Process, wait_for
from dev.servers.process import die_with_parent

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
WAIT = 120  # seconds; a bound for what never ends, not a measure

# Tests run as root and in containers, without what Chromium's own sandbox needs, a GPU and a large /dev/shm.
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--force-prefers-reduced-motion",  # else pictures show half faded tabs
           "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


def why_it_cannot_start(folder):
    """Nothing where this machine lets Chromium show an empty page; else what it said instead."""
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={folder}", "--dump-dom", "about:blank"]
    try:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             errors="replace", timeout=300, check=False, preexec_fn=die_with_parent)
    except FileNotFoundError:
        return f"{CHROMIUM} is not installed: run dev/setup browser"
    except subprocess.TimeoutExpired:
        return "Chromium shows no empty page within 300 s"
    if run.returncode == 0 and "<body>" in run.stdout:
        return ""
    return f"Chromium cannot start here (exit code {run.returncode}): {run.stderr[-1000:]}"


class Browser:
    """One window. What is looked for is named by a CSS selector; pictures go to the folder `pictures`."""

    def __init__(self, folder, pictures):
        self.pictures = pictures
        profile = folder / "profile"
        self.chromium = Process(
            [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", "--remote-debugging-port=0",
             "--window-size=1400,900", "about:blank"], folder / "chromium.log").start()
        self.chromium.wait_ready((profile / "DevToolsActivePort").read_text, "Chromium")
        debugger = (profile / "DevToolsActivePort").read_text().split()[0]
        options = webdriver.ChromeOptions()
        options.debugger_address = f"127.0.0.1:{debugger}"
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})

        def connect():
            service = webdriver.ChromeService(DRIVER, log_output=str(folder / "chromedriver.log"),
                                              popen_kw={"preexec_fn": die_with_parent})
            return webdriver.Chrome(options, service)

        self.window = wait_for(connect, "chromedriver and Chromium answer", WAIT)
        self.window.set_page_load_timeout(WAIT)
        self.window.set_script_timeout(WAIT)

    def close(self):
        self.window.quit()
        self.chromium.kill()

    # ---- looking ----

    def open(self, url):
        # To a browser an address that differs from the last one only behind '#' is no new page.
        self.window.get("about:blank")
        self.window.get(url)

    def elements(self, selector):
        return self.window.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        """The text of the first such element as it is seen, '' where there is none."""
        found = self.elements(selector)
        return found[0].text if found else ""

    def texts(self, selector):
        """The texts of all such elements, hidden or not."""
        return self.window.execute_script("""
            return [...document.querySelectorAll(arguments[0])].map(
                one => one.innerText.replace(/\\n/g, "").trim());""", selector)

    def rows(self, selector):
        """The cells of each row in the bodies of the tables in it, hidden or not."""
        return self.window.execute_script("""
            return [...document.querySelectorAll(arguments[0] + " tbody tr")].map(
                row => [...row.cells].map(cell => cell.innerText.replace(/\\n/g, "").trim()));""", selector)

    def until(self, seen, what, reload=True):
        """Looks until seen() gives something, at a page that is loaded anew each time; its value."""
        def look():
            if reload:
                self.window.refresh()
            return seen()

        try:
            return wait_for(look, what, WAIT, every=0.5)
        except TimeoutError as problem:
            picture, text = self.picture("failed"), self.text("body")
            raise AssertionError(f"{problem}; the page is {picture}:\n{text}") from None

    def errors(self):
        """What went wrong in pages since the last call: scripts that failed, requests that were refused."""
        return [entry["message"] for entry in self.window.get_log("browser") if entry["level"] == "SEVERE"]

    def picture(self, name):
        """Takes the whole page, also what one would have to scroll to."""
        size = self.window.execute_script("""
            window.scrollTo(0, 0);
            return [document.documentElement.scrollWidth, document.documentElement.scrollHeight];""")
        shot = self.window.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}})
        path = self.pictures / f"{name}.png"
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    # ---- doing ----

    def click(self, selector):
        """One click with the mouse, once the element is there and can be hit."""
        def hit():
            element = self.elements(selector)[0]
            # Else it may lie below the page's head, which stays where it is when the page is scrolled.
            self.window.execute_script('arguments[0].scrollIntoView({block: "center"});', element)
            element.click()
            return True

        wait_for(hit, f"{selector} can be clicked", WAIT)

    def write(self, selector, text):
        """Types over what is in the field."""
        field = self.elements(selector)[0]
        field.clear()
        field.send_keys(str(text))
