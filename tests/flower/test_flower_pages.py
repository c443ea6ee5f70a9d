"""Flower's pages in a browser show of a C worker what they show of a Python worker beside it."""

import ast
import re

import celery
import pytest

from dev.servers import wait_for
from tests.harness.flower import WAIT

TABS = "pool broker queues tasks limits config system other".split()
# What stands in a page where there was no value to show.
MISSING = re.compile(r"\b(NaN|undefined|null)\b|\u2014")


def form(text):
    """The text with one digit for any digits, and one unit for milliseconds and seconds."""
    return re.sub(r"9 m?s$", "9 s", re.sub(r"\d+", "9", text))


@pytest.fixture
def pair(worker, python_worker):
    """A C worker on the queue `c` and a Python worker on the queue `python`, alike else."""
    return {"c": worker("-E", "-c", 1, "-Q", "c"), "python": python_worker("-E", "-c", 1, "-Q", "python")}


def online(browser, flower, nodes):
    """The workers page, once it shows all of them: Flower listens to events from then on."""
    browser.open(f"{flower.url}/workers")
    browser.until(lambda: {row[0] for row in browser.rows("#workers-table")} == set(nodes),
                  "the workers page has all workers", reload=False)


def details(browser):
    """A task's page: {label: value}."""
    return browser.window.execute_script("""
        const value = row => row.querySelector("dd code") ?? row.querySelector("dd");
        return Object.fromEntries([...document.querySelectorAll(".detail-row")].map(
            row => [row.querySelector("dt").innerText, value(row).innerText.trim()]));""")


def test_the_workers_page_counts_alike(browser, flower, pair, app):
    nodes = {kind: one.node for kind, one in pair.items()}
    online(browser, flower, nodes.values())
    for kind in pair:
        app.send_task("demo.add", (1, 2), queue=kind)
        app.send_task("demo.fail", queue=kind)

    def counted():
        rows = {row[0]: row[1:] for row in browser.rows("#workers-table")}
        return rows if all(row[:5] == ["Online", "0", "2", "1", "1"] for row in rows.values()) else None

    rows = browser.until(counted, "both workers are counted alike", reload=False)
    browser.picture("workers")
    for node in nodes.values():
        assert re.fullmatch(r"(\d+(\.\d+)?){3}", rows[node][5]), rows
    assert browser.texts(".metric-value") == ["2", "0", "2", "2"]


def busy(app, node, queue):
    """One task of each list that a worker has: {caption of the list: id}."""
    running = app.send_task("demo.sleep", (600,), queue=queue).id
    inspect = app.control.inspect(destination=[node], timeout=30)
    wait_for(lambda: running in str(inspect.active()), "the task runs", WAIT)
    return {"Active tasks": running,
            "Reserved tasks": app.send_task("demo.add", (1, 2), queue=queue).id,
            "Scheduled tasks": app.send_task("demo.add", (3, 4), countdown=3600, queue=queue).id}


def tables(browser, tab):
    """The tab's tables: caption, head and rows of each."""
    return browser.window.execute_script("""
        return [...document.querySelectorAll(arguments[0] + " table")].map(table => [
            table.caption.innerText, [...table.tHead?.rows[0].cells ?? []].map(cell => cell.innerText.trim()),
            [...table.tBodies[0].rows].map(row => [...row.cells].map(
                cell => cell.innerText.replace(/\\n/g, "").trim()))]);""", f"#tab-{tab}")


def worker_page(browser, flower, kind, node, wanted):
    """All tabs of the worker's page, clicked in turn and pictured, once the tab of tasks is as wanted."""
    browser.open(f"{flower.url}/worker/{node}")
    browser.until(lambda: browser.text("#workername") == node and wanted(tables(browser, "tasks")),
                  f"the page of {node} has its tasks")
    seen = {}
    for tab in TABS:
        browser.click(f"#worker-tab-{tab}")
        browser.until(lambda tab=tab: browser.text(f"#tab-{tab}"), f"the tab {tab} is seen", reload=False)
        browser.picture(f"worker-{kind}-{tab}")
        seen[tab] = tables(browser, tab)
    return seen


def without_ids(table):
    """The rows of a table of tasks but for what is each task's own."""
    _, head, rows = table
    own = [column for column, name in enumerate(head) if name in ("UUID", "PID")]
    return [[cell for column, cell in enumerate(row) if column not in own] for row in rows]


def labels(table):
    return [row[0] for row in table[2]]


def test_each_tab_of_a_worker_shows_the_same_of_both(browser, flower, pair, app):
    online(browser, flower, [one.node for one in pair.values()])
    tasks = {kind: busy(app, one.node, kind) for kind, one in pair.items()}
    revoked = app.send_task("demo.add", (5, 6), countdown=3600, queue="elsewhere").id
    app.control.revoke(revoked)
    try:
        pages = {}
        for kind, one in pair.items():
            def wanted(shown, kind=kind):
                shown = {caption: str(rows) for caption, _, rows in shown}
                return all(task in shown[caption] for caption, task in tasks[kind].items()) and \
                    revoked in shown["Revoked tasks"]
            pages[kind] = worker_page(browser, flower, kind, one.node, wanted)
    finally:
        app.control.revoke([task for lists in tasks.values() for task in lists.values()], terminate=True)

    ours, theirs = pages["c"], pages["python"]
    for tab in TABS:
        assert not MISSING.search(str(ours[tab])), ours[tab]
        assert [table[:2] for table in ours[tab]] == [table[:2] for table in theirs[tab]], tab
    # What both were told alike they show alike, but for the numbers.
    for tab in ("pool", "system"):
        assert [[form(cell) for cell in row] for table in ours[tab] for row in table[2]] == \
            [[form(cell) for cell in row] for table in theirs[tab] for row in table[2]]
    assert dict(ours["pool"][0][2])["Worker PID"] == str(pair["c"].pid)
    assert [cell.replace("python", "c") for cell in theirs["queues"][0][2][0]] == ours["queues"][0][2][0]
    broker = dict(ours["broker"][0][2])
    assert dict(theirs["broker"][0][2]).items() <= broker.items()
    assert [without_ids(one) for one in ours["tasks"]] == [without_ids(one) for one in theirs["tasks"]]
    assert {"demo.add", "demo.sleep", "demo.fail"} <= set(labels(ours["limits"][0]))
    assert set(labels(ours["config"][0])) <= set(celery.Celery(set_as_current=False).conf)
    assert {"broker_url", "result_backend", "worker_concurrency", "worker_send_task_events"} <= \
        set(labels(ours["config"][0]))
    assert labels(theirs["other"][0]) == ["uptime"] and "uptime" in labels(ours["other"][0])


def test_the_api_for_programs_has_the_same_fields_for_both(browser, flower, pair, app):
    online(browser, flower, [one.node for one in pair.values()])
    results = {kind: app.send_task("demo.add", (1, 2), queue=kind) for kind in pair}
    for result in results.values():
        result.get(timeout=WAIT)
    workers = {kind: flower.worker(one.node, lambda worker: "conf" in worker and "revoked" in worker)
               for kind, one in pair.items()}
    assert set(workers["c"]) == set(workers["python"])
    known = {}
    for kind, result in results.items():
        wait_for(lambda result=result: flower.get("/api/tasks")[result.id]["state"] == "SUCCESS",
                 "Flower knows the end", WAIT)
        known[kind] = flower.get(f"/api/task/info/{result.id}")
        assert (known[kind]["worker"], known[kind]["result"]) == (pair[kind].node, "3")
    assert {name for name, value in known["c"].items() if value is not None} == \
        {name for name, value in known["python"].items() if value is not None}


def test_the_broker_page_follows_the_queues(browser, flower, pair, app):
    online(browser, flower, [one.node for one in pair.values()])
    for kind, one in pair.items():
        flower.worker(one.node)  # the page lists the queues of the workers that Flower has asked
        for _ in range(3):
            app.send_task("demo.add", (1, 2), countdown=3600, queue=kind)
    browser.open(f"{flower.url}/broker")

    def rows():
        return {row[0]: row[1:5] for row in browser.rows("#queue-table")}

    # messages, unacknowledged, ready, consumers
    held = {"c": ["3", "3", "0", "1"], "python": ["3", "3", "0", "1"]}
    browser.until(lambda: rows() == held, "three messages held by each worker")
    browser.picture("broker")
    for kind, one in pair.items():
        app.control.cancel_consumer(kind, destination=[one.node])
    browser.until(lambda: [row[3] for row in rows().values()] == ["0", "0"], "no consumers")
    app.send_task("demo.add", (1, 2), queue="c")
    browser.until(lambda: rows()["c"][2] == "1", "a message that nobody takes")


@pytest.fixture
def held_merge(merge_worker, gate, s3_server, buckets):
    """(gate, worker): a merge worker on the queue `merges` that stands still in the midst of its files."""
    for day in (17, 18):
        lines = [b"2019-08-%02dT%09d\n" % (day, line) for line in range(2000)]
        buckets.put(f"2019-08-{day}_1", b"".join(lines))
    held = gate(s3_server, 20000)
    return held, merge_worker("-E", "-Q", "merges", s3=held.url)


def test_a_merge_is_followed_from_the_list_to_its_page(browser, flower, held_merge, python_worker, app):
    held, merger = held_merge
    python = python_worker("-E", "-c", 1, "-Q", "python")
    online(browser, flower, [merger.node, python.node])
    before = app.signature("demo.add", (1, 2), queue="python")
    merge = app.signature("merge_s3_files", ("2019-08-17", "2019-08-19"), queue="merges", immutable=True)
    after = app.signature("demo.add", (3, 4), queue="python", immutable=True)
    last = celery.chain(before, merge, after).apply_async()
    result = last.parent

    held.wait_until_reached()
    browser.open(f"{flower.url}/tasks?name=merge_s3_files")
    browser.until(lambda: browser.texts("#tasks-table .badge") == ["STARTED"], "the merge is in the list")
    browser.picture("tasks-merge-running")
    browser.click(f'#tasks-table a[href$="/task/{result.id}"]')
    running = browser.until(lambda: details(browser), "the merge's page", reload=False)
    assert running["Status"] == "STARTED" and running["Worker"] == merger.node
    assert browser.text("#task-terminate") == "Terminate"

    held.open()
    value = result.get(timeout=WAIT)
    last.get(timeout=WAIT)

    def whole():
        shown = details(browser)
        return shown if shown.get("Status") == "SUCCESS" and shown.get("Children") else None

    shown = browser.until(whole, "the page has the end, and the next step")
    browser.picture("task-merge")
    assert (shown["Name"], shown["UUID"], shown["Status"]) == ("merge_s3_files", result.id, "SUCCESS")
    assert ast.literal_eval(shown["Arguments"]) == ["2019-08-17", "2019-08-19"]
    assert shown["Keyword arguments"] == "{}" and ast.literal_eval(shown["Result"]) == value
    assert shown["Received"] <= shown["Started"] <= shown["Succeeded"]
    assert re.fullmatch(r"\d+\.\d\d m?s", shown["Runtime"]) and shown["Retries"] == "0"
    assert shown["Root id"] == shown["Parent id"] == result.parent.id and shown["Children"] == last.id
    assert not MISSING.search(str(shown))
    browser.click(f'.detail-list a[href$="/task/{last.id}"]')
    browser.until(lambda: details(browser).get("UUID") == last.id, "the next step's page", reload=False)
    child = details(browser)
    assert child["Parent id"] == result.id and child["Worker"] == python.node


def test_a_merge_that_fails_says_why(browser, flower, merge_worker, buckets, app):
    buckets.put("2019-08-17_1", b"b\na\n")
    merger = merge_worker("-E")
    online(browser, flower, [merger.node])
    result = app.send_task("merge_s3_files", ("2019-08-17", "2019-08-19"))
    with pytest.raises(Exception, match="2019-08-17_1"):
        result.get(timeout=WAIT)
    browser.open(f"{flower.url}/tasks")
    browser.click('[data-task-state="FAILURE"]')
    browser.until(lambda: browser.texts("#tasks-table .badge") == ["FAILURE"], "the failed task is listed",
                  reload=False)
    browser.picture("tasks-failed")
    browser.open(f"{flower.url}/task/{result.id}")
    shown = details(browser)
    browser.picture("task-failed")
    assert shown["Status"] == "FAILURE" and "2019-08-17_1" in shown["Exception"]
    assert shown["Traceback"].startswith("Traceback (most recent call last):") and shown["Failed"]
