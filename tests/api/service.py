"""logmerge-api under test, and a way to bring its jobs into any state without a worker: results are written as
Celery's own backend writes them, merged files are put into the bucket."""

import http.client
import itertools
import json
import re
import uuid

from dev.servers import wait_for
from tests.harness.programs import Program, environment, program
from tests.harness.workers import celery_app

_numbers = itertools.count(1)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:500]!r}>"


class Api:
    """One API process on the servers given, ready when it answers."""

    def __init__(self, folder, broker_url, redis_url, s3, buckets, wait=True, **settings):
        self.broker_url, self.redis_url, self.buckets = broker_url, redis_url, buckets
        self.app = celery_app(broker_url, redis_url)
        self.process = Program(
            [program("logmerge-api"), "--address", "127.0.0.1", "--port", "0"], folder / f"api-{next(_numbers)}.log",
            env=environment(CELERY_BROKER_URL=broker_url, CELERY_RESULT_BACKEND=redis_url, AWS_ENDPOINT_URL_S3=s3.url,
                            AWS_ACCESS_KEY_ID=s3.access_key, AWS_SECRET_ACCESS_KEY=s3.secret_key,
                            SOURCE_BUCKET=buckets.logs, MERGED_BUCKET=buckets.merged, **settings)).start()
        self.port = None
        self.process.wait_ready(self._find_port, "logmerge-api")
        if wait:
            wait_for(lambda: self.get("/readyz").status == 200, "the API is ready", 120)

    def _find_port(self):
        found = re.search(r"listening on \S+ port (\d+)", self.process.log())
        self.port = int(found.group(1)) if found else None
        return self.port

    # ---- HTTP ----

    def connect(self, timeout=120):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None):
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def head(self, path, **headers):
        return self.request("HEAD", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def initiate(self, start="2019-08-19", end="2019-08-25", **headers):
        return self.post({"start_date": start, "end_date": end}, **headers)

    def post(self, body, path="/initiate", **headers):
        """POSTs JSON; text and bytes as they are."""
        if not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, body, {"Content-Type": "application/json", **named})

    # ---- jobs ----

    def new_job(self, start="2019-08-19", end="2019-08-25"):
        answer = self.initiate(start, end)
        assert answer.status == 202, answer
        return answer.json()["download_id"]

    def store(self, job, state, result=None, **more):
        """Stores a state as Celery's own backend does."""
        self.app.backend.store_result(job, result, state, **more)

    def fail(self, job, type_name, message, module="logmerge"):
        self.app.backend.store_result(
            job, {"exc_type": type_name, "exc_message": [message], "exc_module": module}, "FAILURE",
            traceback="Traceback (most recent call last): secret")

    def merged(self, content, job=None):
        """A job whose merge is over, with this content; its id."""
        job = job or self.new_job()
        folder = self.buckets.data / self.buckets.merged
        folder.mkdir(exist_ok=True)
        hidden = self.buckets.data / f".{job}"
        hidden.write_bytes(content)
        hidden.rename(folder / job)
        self.store(job, "SUCCESS", {"bucket": self.buckets.merged, "key": job, "bytes": len(content)})
        return job

    def published(self):
        """The messages in the queue, taken off it: (headers, body)."""
        messages = []
        with self.app.connection_for_read() as connection:
            queue = connection.SimpleQueue("celery", queue_opts={"durable": True}, no_ack=True)
            while True:
                try:
                    message = queue.get(block=False)
                except queue.Empty:
                    break
                messages.append((message.headers, message.payload, message.properties))
            queue.close()
        return messages

    def redis_keys(self):
        return sorted(key.decode() for key in self.app.backend.client.keys("*"))

    def close(self):
        self.app.close()


def unknown_id():
    return str(uuid.uuid4())


def assert_problem(answer, status, name):
    """The answer is a problem of RFC 9457 of this type; its document."""
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"/problems/{name}", document
    assert document["status"] == status
    assert document["title"] and document["detail"] and document["instance"].startswith("/")
    if status == 503:
        assert int(answer.headers["Retry-After"]) > 0
    return document
