"""Flower's buttons, clicked in its pages, steer a C worker and a Python worker alike."""

import pytest

from dev.servers import wait_for
from tests.harness.flower import WAIT

KINDS = ["c", "python"]


@pytest.fixture
def start(worker, python_worker):
    """start(kind, *options): a worker of the kind on the queue `celery`."""
    return lambda kind, *options: {"c": worker, "python": python_worker}[kind]("-E", *options)


def press(browser, selector):
    """Clicks; what the page says when the answer has come. It says so for some seconds only."""
    browser.window.execute_script("""
        window.said = [];
        new MutationObserver(changes => changes.forEach(change => change.addedNodes.forEach(
            node => window.said.push(node.innerText.trim())))
        ).observe(document.getElementById("toast-container"), {childList: true});""")
    browser.click(selector)
    return browser.until(lambda: browser.window.execute_script("return window.said[0];"),
                         f"an answer to {selector}", reload=False)


class WorkerPage:
    """A worker's page of Flower in the browser."""

    def __init__(self, browser, flower, node, kind):
        self.browser, self.node, self.kind = browser, node, kind
        flower.worker(node)
        browser.open(f"{flower.url}/worker/{node}")

    def tab(self, name):
        self.browser.click(f"#worker-tab-{name}")

    def press(self, selector):
        return press(self.browser, selector)

    def act(self, name):
        """Presses one of the menu of actions."""
        self.browser.click("#worker-group")
        return self.press(f"#worker-{name}")

    def picture(self, name):
        self.browser.picture(f"pressed-{name}-{self.kind}")

    def pool(self):
        """What the pool's tab says: {label: value}."""
        return dict(self.browser.rows("#tab-pool"))

    def processes(self, count):
        self.browser.until(lambda: len(self.pool()["Processes"].split(", ")) == count, f"{count} processes")

    def queues(self, *names):
        self.browser.until(lambda: [row[0] for row in self.browser.rows("#tab-queues")] == list(names),
                           f"the queues {names}")


def grow_and_shrink(page):
    page.browser.write("#pool-size", 1)
    assert page.press("#worker-pool-grow") == f"Growing '{page.node}' worker's pool by 1"
    page.processes(3)
    page.browser.write("#pool-size", 2)
    assert page.press("#worker-pool-shrink") == f"Shrinking '{page.node}' worker's pool by 2"
    page.processes(1)


def add_and_cancel_a_consumer(page, app):
    page.tab("queues")
    page.browser.write("#add-consumer-name", "extra")
    assert page.press("#worker-add-consumer") == "add consumer extra"
    page.queues("celery", "extra")
    page.picture("queues")
    assert app.send_task("demo.add", (1, 2), queue="extra").get(timeout=WAIT) == 3
    assert page.press("#worker-cancel-consumer-extra") == "no longer consuming from extra"
    page.queues("celery")


def set_limits(page, app):
    def limits():
        inspect = app.control.inspect(destination=[page.node], timeout=30)
        return inspect.registered("time_limit", "soft_time_limit")[page.node]

    page.tab("limits")
    page.browser.write('[aria-label="Timeout for demo.add"]', 20)
    assert page.press('[id="task-timeout-hard-demo.add"]') == "time limits set successfully"
    assert "demo.add [time_limit=20.0]" in limits()
    page.browser.write('[aria-label="Timeout for demo.add"]', 10)
    assert page.press('[id="task-timeout-soft-demo.add"]') == "time limits set successfully"
    assert "demo.add [soft_time_limit=10.0]" in limits()
    page.browser.write('[aria-label="Rate limit for demo.add"]', 100)
    assert page.press('[id="task-rate-limit-demo.add"]') == "new rate limit set successfully"
    page.browser.until(lambda: "demo.add [rate_limit=100]" in str(page.browser.rows("#tab-limits")),
                       "the rate limit is shown")
    page.picture("limits")


def refresh_and_shut_down(page, process):
    assert page.act("refresh") == "Successfully refreshed"
    assert page.act("pool-restart") == \
        f"Failed to restart the '{page.node}' pool: ValueError('Pool restarts not enabled')"
    # The browser notes such an answer as an error, as it should: only once, and no other.
    page.browser.until(lambda: "403" in "".join(page.browser.errors()), "the refusal", reload=False)
    assert page.act("shutdown") == "Shutting down!"
    page.picture("shutdown")
    assert process.popen.wait(WAIT) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_buttons_on_the_page_of_a_worker(browser, flower, start, app, kind):
    one = start(kind, "-c", 2)
    page = WorkerPage(browser, flower, one.node, kind)
    grow_and_shrink(page)
    add_and_cancel_a_consumer(page, app)
    set_limits(page, app)
    refresh_and_shut_down(page, one.process)
    browser.open(f"{flower.url}/workers")
    browser.until(lambda: [row[:2] for row in browser.rows("#workers-table")] == [[one.node, "Offline"]],
                  "the worker is shown as offline", reload=False)
    browser.picture(f"workers-offline-{kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_the_bounds_of_the_autoscaler_are_set(browser, flower, start, kind):
    page = WorkerPage(browser, flower, start(kind, "--autoscale", "3,1").node, kind)
    browser.write("#min-autoscale", 2)
    browser.write("#max-autoscale", 4)
    assert page.press("#worker-pool-autoscale") == f"Autoscaling '{page.node}' worker (min=2, max=4)"
    browser.until(lambda: (page.pool()["Min"], page.pool()["Max"]) == ("2", "4"), "the new bounds")
    page.processes(2)
    page.picture("autoscale")


@pytest.mark.parametrize("kind", KINDS)
def test_a_waiting_task_is_revoked_and_a_running_one_terminated(browser, flower, start, app, kind):
    one = start(kind, "-c", 1)
    browser.open(f"{flower.url}/workers")
    browser.until(lambda: [row[0] for row in browser.rows("#workers-table")] == [one.node],
                  "the worker is shown: Flower listens to events", reload=False)
    running = app.send_task("demo.sleep", (600,))
    waiting = app.send_task("demo.add", (1, 2))

    def shows(task, state):
        browser.open(f"{flower.url}/task/{task.id}")
        browser.until(lambda: browser.text(".badge") == state, f"the task is {state}")

    shows(running, "STARTED")
    shows(waiting, "RECEIVED")
    assert press(browser, "#task-revoke") == f"Revoked '{waiting.id}'"
    browser.picture(f"pressed-revoke-{kind}")
    shows(running, "STARTED")
    assert press(browser, "#task-terminate") == f"Revoked '{running.id}'"
    shows(running, "REVOKED")
    browser.picture(f"pressed-terminate-{kind}")
    shows(waiting, "REVOKED")
    wait_for(lambda: running.state == waiting.state == "REVOKED", "both are stored as revoked", WAIT)
