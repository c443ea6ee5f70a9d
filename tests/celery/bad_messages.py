"""The messages of test_bad_messages.py: what is sent, and what becomes of it.

A body is text in which ARGS stands for arguments that leave a trace when the task runs and EMBED for an empty
third part, or bytes, or a function that makes it from the body of a good message. Headers are those of a good
message with changes."""

import bz2
import dataclasses
import json
import lzma
import typing
import uuid
import zlib

EMBED = json.dumps({"callbacks": None, "errbacks": None, "chain": None, "chord": None})
GOOD = "[ARGS, {}, EMBED]"
TASK = "demo.append"
ABSENT = ...


@dataclasses.dataclass(frozen=True)
class Outcome:
    """`stored`: state and exception, or None; `events`: the task's, without "task-"; `executed`: the task has
    run. Events that are None are not looked at."""
    fate: str
    stored: str | None = None
    events: tuple | None = ()
    executed: bool = False


ACKNOWLEDGED = Outcome("acknowledged")
REJECTED = Outcome("rejected")
UNKNOWN = Outcome("rejected", "FAILURE NotRegistered", ("failed",))
REVOKED = Outcome("acknowledged", "REVOKED TaskRevokedError", ("revoked",))
BAD_ETA = Outcome("rejected", "FAILURE OverflowError", ("received", "rejected"))
RUNS = Outcome("acknowledged", "SUCCESS", ("received", "started", "succeeded"), True)

# What only the genuine worker does, where its parent or its child raises outside of the task and does not die of
# it: the task is gone without a word, is said to have succeeded, or runs under an id that nobody can ask for.
DIES = Outcome("the worker dies")
LOST = Outcome("acknowledged", None, ("received", "started"))
NEVER_RAN = Outcome("acknowledged", None, ("received", "started", "succeeded"))
NAMELESS = Outcome("acknowledged", None, None, True)


def fails(exception):
    """The task fails without having run."""
    return Outcome("acknowledged", f"FAILURE {exception}", ("received", "started", "failed"))


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    outcome: Outcome
    body: typing.Any
    headers: dict | None
    properties: dict
    python: Outcome
    result_id: str

    @property
    def id(self):
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.title))

    def arguments(self, path):
        return json.dumps([str(path), self.title])

    def body_for(self, path):
        good = GOOD.replace("ARGS", self.arguments(path)).replace("EMBED", EMBED)
        if callable(self.body):
            return self.body(good.encode())
        if isinstance(self.body, bytes):
            return self.body
        text = self.body.replace("ARGS", self.arguments(path)).replace("EMBED", EMBED)
        return text.replace('"ID"', f'"{self.id}"').encode()


ROWS = []


def row(title, outcome, body=GOOD, headers=ABSENT, python=None, result_id=None, properties=None, **changes):
    """Adds one. `changes` are of the headers; `python`: what the genuine worker does where that is different."""
    made = Row(title, outcome, body, headers, {}, python or outcome, "")
    if headers is ABSENT:
        headers = {"lang": "py", "task": TASK, "id": made.id, "root_id": made.id, "parent_id": None,
                   "group": None,
                   "retries": 0, "eta": None, "expires": None, "timelimit": [None, None], "argsrepr": "()",
                   "kwargsrepr": "{}", "origin": "test", **changes}
    headers = {name: made.id if value == "ID" else value for name,
               value in headers.items() if value is not ABSENT}
    basic = {"content_type": "application/json", "content_encoding": "utf-8", "delivery_mode": 2,
             **(properties or {})}
    basic = {name: value for name, value in basic.items() if value is not ABSENT}
    ROWS.append(Row(title, outcome, body, headers, basic, python or outcome, result_id or made.id))


def content(title, outcome, body=GOOD, python=None, encoding="utf-8", **more):
    """One that differs in content type or encoding."""
    row(title, outcome, body, python=python, properties={"content_type": more.pop("kind", "application/json"),
                                                         "content_encoding": encoding}, **more)


def old(title, outcome, python=None, body=None, properties=None, headers=None, **changes):
    """A message of protocol 1, with changes of its body."""
    fields = {"task": json.dumps(TASK), "id": '"ID"', "args": "ARGS", "kwargs": "{}", "retries": "0",
              "eta": "null",
              "expires": "null", "utc": "true", "callbacks": "null", "errbacks": "null",
              "timelimit": "[null, null]",
              "taskset": "null", "chord": "null"}
    fields.update({name: value if value is ABSENT else json.dumps(value) for name, value in changes.items()})
    made = "{" + ", ".join(f'"{name}": {value}' for name,
                           value in fields.items() if value is not ABSENT) + "}"
    row(f"protocol 1: {title}", outcome, body if body is not None else made, headers or {}, python,
        properties=properties)


# ---- the tripwire itself: these run ----

row("a good message", RUNS)
content("content encoding binary", RUNS, encoding="binary")
content("an unknown content encoding", RUNS, encoding="x-no-such")
content("no content encoding", RUNS, encoding=ABSENT)
row("a language that is not py", RUNS, lang="c")
row("no optional header at all", RUNS, headers={"task": TASK, "id": "ID"})
row("a repeated member, of which the last counts", RUNS, '[ARGS, {}, {"callbacks": 1, "callbacks": null}]')
row("white space around the body", RUNS, " \t\r\n" + GOOD + "\n")
row("an embedded part that is null", RUNS, "[ARGS, {}, null]")
row("an empty compression header", RUNS, compression="")
row("bytes behind the compressed stream", RUNS, lambda good: zlib.compress(good) + b"more",
    compression="application/x-gzip", python=RUNS)
old("a good message", RUNS)
old("only what is necessary", RUNS, kwargs=ABSENT, retries=ABSENT, eta=ABSENT, expires=ABSENT, utc=ABSENT,
    callbacks=ABSENT, errbacks=ABSENT, timelimit=ABSENT, taskset=ABSENT, chord=ABSENT)
row("a body of protocol 1 under the headers of protocol 2", RUNS, '{"args": ARGS, "kwargs": {}}')

# ---- content type ----

content("pickle", REJECTED, b"\x80\x04.", kind="application/x-python-serialize", encoding="binary")
content("pickle by its type, JSON by its body", REJECTED, kind="application/x-python-serialize")
content("YAML", REJECTED, kind="application/x-yaml")
content("msgpack", REJECTED, b"\x93\x90\x80\xc0", kind="application/x-msgpack", encoding="binary")
content("plain text", REJECTED, kind="text/plain")
content("a content type in capitals", REJECTED, kind="Application/JSON")
content("a content type with parameters", REJECTED, kind="application/json; charset=utf-8")
content("a content type of 255 bytes", REJECTED, kind="x" * 255)
content("raw data", REJECTED, kind="application/data", python=DIES)
content("no content type", REJECTED, kind=ABSENT, python=DIES)
content("an empty content type", REJECTED, kind="", python=DIES)
content("raw data that holds the word args", REJECTED, "args", kind="application/data")
content("pickle for an unknown task", UNKNOWN, b"\x80\x04.", kind="application/x-python-serialize",
        encoding="binary", task="demo.no_such_task")

# ---- bytes that are no JSON ----

for title, bad in {
        "an open brace": "{", "something behind the JSON": GOOD + "x", "two documents": GOOD + GOOD,
        "a body that is cut off": lambda good: good[:-5], "single quotes": "[['a', 'b'], {}, {}]",
        "a trailing comma": "[ARGS, {}, {},]", "a comment": "[ARGS, {}, {} /* so */]",
        "a missing comma": "[ARGS {}, {}]",
        "a body of NULs": b"\0" * 64, "a NUL behind the JSON": lambda good: good + b"\0",
        "a control character in a string": '[["a\nb", "c"], {}, {}]',
        "bytes that are no UTF-8": b'[["\xff"], {}, {}]',
        "an overlong sequence": b'[["\xc0\xaf"], {}, {}]',
        "a surrogate in UTF-8": b'[["\xed\xa0\x80"], {}, {}]',
        "a sequence that is cut off": b'[["\xe2\x82"], {}, {}]', "UTF-16": GOOD.encode("utf-16"),
        "a byte order mark": b"\xef\xbb\xbf[[], {}, {}]", "a bare word": "hello", "only white space": " \n ",
        "a number with a leading zero": "[[01], {}, {}]", "a number with a plus": "[[+1], {}, {}]",
        "a number that ends in a point": "[[1.], {}, {}]", "a hexadecimal number": "[[0x10], {}, {}]",
        "an unknown escape": r'[["\x41"], {}, {}]', "an escape that is cut off": r'[["\u12"], {}, {}]',
        "an unclosed string": '[["a', "a key without quotes": "[[], {a: 1}, {}]",
        "a key that is a number": "[[], {1: 1}, {}]",
        "undefined": "[undefined, {}, {}]", "a number of 5,000 digits": "[[" + "1" * 5000 + "], {}, {}]",
        "100,000 open brackets": "[" * 100000, "100,000 nested arrays": "[" * 100000 + "]" * 100000,
        "arguments nested 100,000 deep": "[" + "[" * 100000 + "]" * 100000 + ", {}, {}]",
        "objects nested 50,000 deep": '{"a":' * 50000 + "1" + "}" * 50000}.items():
    row(title, ACKNOWLEDGED, bad)
content("Latin-1 said and meant", ACKNOWLEDGED, '[["\xe4"], {}, {}]'.encode("latin-1"), encoding="iso-8859-1",
        python=fails("TypeError"))
row("a megabyte of brackets", ACKNOWLEDGED, "[" * 1048576)

# What is larger the C worker's parent does not read; its child finds out, when the task's receipt was told (and
# its start too, if that takes the child long; so the last row is of a task that is acknowledged late).

row("two megabytes of brackets", Outcome("acknowledged", None, None), "[" * 2097152, python=ACKNOWLEDGED)
row("two megabytes of brackets, compressed", Outcome("acknowledged", None, None), compression="gzip",
    body=zlib.compress(b"[" * 2097152), python=ACKNOWLEDGED)
row("two megabytes of a body of two parts", Outcome("rejected", None, None), '["' + "x" * 2097152 + '", {}]',
    task="demo.append_late", python=DIES)

# ---- compression ----

row("a stream of bzip2", RUNS, bz2.compress, compression="application/x-bz2")
row("two streams of bzip2 and something else", RUNS, compression="bzip2",
    body=lambda good: bz2.compress(good[:9]) + bz2.compress(good[9:]) + b"more")
row("a stream of xz", RUNS, lzma.compress, compression="application/x-lzma")
row("a stream of the older LZMA format", RUNS, lambda good: lzma.compress(good, lzma.FORMAT_ALONE),
    compression="xz")
row("an unknown compression", ACKNOWLEDGED, compression="application/x-no-such")
row("a compression that is a number", ACKNOWLEDGED, compression=5)
row("a compression that is a list", ACKNOWLEDGED, compression=["gzip"])
row("compressed by the header only", ACKNOWLEDGED, compression="application/x-gzip")
row("a zlib stream that is cut off", ACKNOWLEDGED, lambda good: zlib.compress(good)[:-6], compression="zlib")
row("a zlib stream with a wrong sum", ACKNOWLEDGED, lambda good: zlib.compress(good)[:-1] + b"?",
    compression="gzip")
row("a real gzip file", ACKNOWLEDGED, b"\x1f\x8b\x08\0\0\0\0\0\0\3\1\0\0\xff\xff\0\0\0\0\0\0\0\0",
    compression="gzip")
row("a deflate stream without its header", ACKNOWLEDGED, lambda good: zlib.compress(good)[2:-4],
    compression="gzip")
row("an empty body, compressed by the header", ACKNOWLEDGED, b"", compression="gzip")
row("compressed bytes that are no JSON", ACKNOWLEDGED, zlib.compress(b"\xff" * 100), compression="gzip")
row("a stream of bzip2 that is cut off", ACKNOWLEDGED, lambda good: bz2.compress(good)[:-6],
    compression="bzip2")
row("a stream of xz that is cut off", ACKNOWLEDGED, lambda good: lzma.compress(good)[:-6], compression="lzma")
row("bzip2 by the header only", ACKNOWLEDGED, compression="bzip2")
row("xz by the header only", ACKNOWLEDGED, compression="lzma")
row("Zstandard by the header only", ACKNOWLEDGED, compression="zstd")
row("Brotli by the header only", ACKNOWLEDGED, b"\xff\xff\xff\xff", compression="brotli")
row("an unknown task, its body unreadable", UNKNOWN, "{", task="demo.no_such_task")
row("an unknown task, its body in an unknown compression", ACKNOWLEDGED, task="demo.no_such_task",
    compression="x")

# ---- the shape of the body ----

for title, shape in {
        "an empty body": "", "null": "null", "true": "true", "a number": "5", "NaN": "NaN",
        "a string": '"text"',
        "an empty array": "[]", "an array of one": "[ARGS]", "a body of two parts": "[ARGS, {}]",
        "a body of four parts": "[ARGS, {}, {}, {}]", "an empty object": "{}",
        "an object of other members": '{"a": 1}'
}.items():
    row(f"{title} instead of a task's body", REJECTED, shape, python=DIES)
row("a string that holds the word args instead of a task's body", REJECTED, '"args"')
row("an embedded part that is a list", REJECTED, "[ARGS, {}, [1]]", python=LOST)
row("an embedded part that is a number", REJECTED, "[ARGS, {}, 5]", python=LOST)
row("an embedded part that is a string", REJECTED, '[ARGS, {}, "x"]', python=LOST)
row("arguments that are null", fails("TypeError"), "[null, {}, EMBED]")
row("arguments that are a number", fails("TypeError"), "[5, {}, EMBED]")
row("keyword arguments that are a list", fails("TypeError"), "[ARGS, [1], EMBED]", python=NEVER_RAN)
row("keyword arguments that are null", fails("TypeError"), "[ARGS, null, EMBED]", python=NEVER_RAN)
row("keyword arguments that are a string", fails("TypeError"), '[ARGS, "x", EMBED]', python=NEVER_RAN)
row("too few arguments", fails("TypeError"), '[["x"], {}, EMBED]')
row("too many arguments", fails("TypeError"), "[[1, 2, 3, 4, 5], {}, EMBED]")
row("an unexpected keyword", fails("TypeError"), '[ARGS, {"colour": "red"}, EMBED]')
row("an argument given twice", fails("TypeError"), '[ARGS, {"path": "x"}, EMBED]')
row("protocol 1 under protocol 2, its keyword arguments a list", REJECTED, '{"args": ARGS, "kwargs": [1]}')

# ---- headers ----

row("no headers", REJECTED, headers={})
row("no task", REJECTED, task=ABSENT)
row("no task, and a body that is no JSON", ACKNOWLEDGED, "{", task=ABSENT)
row("an unknown task", UNKNOWN, task="demo.no_such_task")
row("a task whose name is null", UNKNOWN, task=None)
row("a task whose name is empty", UNKNOWN, task="")
row("a task whose name is a number", UNKNOWN, task=5)
row("a task's name of 10,000 bytes", UNKNOWN, task="x" * 10000)
row("a task whose name is a list", REJECTED, task=["demo.append"], python=DIES)
row("a task whose name is a table", REJECTED, task={"name": "demo.append"}, python=DIES)
row("an unknown task without an id", REJECTED, task="demo.no_such_task", id=ABSENT, python=DIES)
row("no id", REJECTED, id=ABSENT, python=DIES)
row("an id that is null", REJECTED, id=None, python=NAMELESS)
row("an empty id", REJECTED, id="", result_id="", python=NAMELESS)
row("an id that is a number", REJECTED, id=5, result_id="5", python=NAMELESS)
row("an id that is a list", REJECTED, id=["x"], python=DIES)
row("an id of 10,000 bytes", REJECTED, id="x" * 10000, result_id="x" * 10000, python=RUNS)
row("an ETA that is a word", REJECTED, eta="soon")
row("an ETA that is a number", REJECTED, eta=5)
row("an ETA that is true", REJECTED, eta=True)
row("an ETA that is a list", REJECTED, eta=["2030-01-01T00:00:00"])
row("an ETA in a month 13", REJECTED, eta="2030-13-01T00:00:00+00:00")
row("an ETA in a year of five digits", REJECTED, eta="12030-01-01T00:00:00+00:00")
row("an ETA before the year 1", BAD_ETA, eta="0001-01-01T00:00:00+14:00")
row("an ETA after the year 9999", BAD_ETA, eta="9999-12-31T23:59:59-14:00")
row("an expiry that is a word", REJECTED, expires="later")
row("an expiry that is a number", REJECTED, expires=5)
row("an expiry that is a list", REJECTED, expires=["x"])
row("an expiry of yesterday", REVOKED, expires="2020-01-01T00:00:00+00:00")
row("an expiry of yesterday without a time zone", REVOKED, expires="2020-01-01T00:00:00")
row("a count of retries that is a word", RUNS, retries="many")
row("a count of retries that is negative", RUNS, retries=-1)
row("a count of retries that is null", RUNS, retries=None)
row("time limits that are one number", REJECTED, timelimit=5, python=DIES)
row("time limits of one", REJECTED, timelimit=[None], python=DIES)
row("time limits of three", REJECTED, timelimit=[1, 2, 3], python=DIES)
row("time limits that are words", REJECTED, timelimit=["a", "b"], python=DIES)  # when it has run
row("time limits that are an empty list", RUNS, timelimit=[])
row("a root id that is a number", RUNS, root_id=5)
row("a parent id that is a list", RUNS, parent_id=["x"], python=DIES)
row("a group that is a number", RUNS, group=5)
row("a group index that is a word", RUNS, group_index="x")
row("a shadow that is a number", RUNS, shadow=5)
row("representations that are numbers", RUNS, argsrepr=5, kwargsrepr=6)
row("an ignore_result that is a word", Outcome("acknowledged", None, RUNS.events, True), ignore_result="yes")
row("stamps that are a word", RUNS, stamps="x")
row("a header of 100,000 bytes", RUNS, note="x" * 100000)

# ---- properties ----

row("a priority that the queue does not know", RUNS, properties={"priority": 255})
row("a reply queue that does not exist", RUNS,
    properties={"reply_to": "nowhere", "correlation_id": "x" * 255})
row("a transient message", RUNS, properties={"delivery_mode": 1})

# ---- protocol 1 ----

old("a body that is no JSON", ACKNOWLEDGED, body="{")
old("a content type that is not accepted", ACKNOWLEDGED,
    properties={"content_type": "application/x-python-serialize"})
old("plain text", ACKNOWLEDGED, properties={"content_type": "text/plain"})
old("raw data", REJECTED, properties={"content_type": "application/data"})
for title, shape in {"null": "null", "a number": "5", "a string": '"x"', "an array": "[1, 2, 3]",
                     "an empty object": "{}"}.items():
    old(f"{title} instead of a task's body", REJECTED, body=shape)
old("no task", REJECTED, task=ABSENT)
old("an unknown task", UNKNOWN, task="demo.no_such_task")
old("a task whose name is null", UNKNOWN, task=None)
old("a task whose name is a list", REJECTED, task=["x"], python=DIES)
old("an unknown task without an id", REJECTED, task="demo.no_such_task", id=ABSENT, python=DIES)
old("no id", REJECTED, id=ABSENT, python=NAMELESS)
old("an id that is null", REJECTED, id=None, python=NAMELESS)
old("keyword arguments that are a list", REJECTED, kwargs=[1])
old("keyword arguments that are null", REJECTED, kwargs=None)
old("arguments that are a number", fails("TypeError"), args=5)
old("too few arguments", fails("TypeError"), args=["x"])
old("an ETA that is a word", REJECTED, eta="soon")
old("an expiry that is a word", REJECTED, expires="later")
old("an expiry of yesterday", REVOKED, expires="2020-01-01T00:00:00+00:00")
old("time limits of one", REJECTED, timelimit=[None], python=DIES)
old("compressed by the header only", ACKNOWLEDGED, headers={"compression": "gzip"})
