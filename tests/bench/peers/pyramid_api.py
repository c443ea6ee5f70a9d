"""The peer of the API's benchmark: what the assignment's skeleton leads to. Pyramid on waitress; POST /initiate checks
the dates, records the job in Redis and sends the task by Celery's send_task(), the broker's confirm included.

    pyramid_api.py PORT BROKER_URL REDIS_URL"""

import datetime
import json
import sys
import uuid

import redis
from celery import Celery
from pyramid.config import Configurator
from pyramid.response import Response
from waitress import serve


def main(port, broker_url, redis_url):
    app = Celery("webapp", broker=broker_url, backend=redis_url)
    app.conf.broker_transport_options = {"confirm_publish": True}
    store = redis.Redis.from_url(redis_url)

    def initiate(request):
        try:
            body = json.loads(request.body)
            start, end = (datetime.datetime.strptime(body[name], "%Y-%m-%d") for name in ("start_date", "end_date"))
        except (ValueError, KeyError, TypeError) as problem:
            return Response(json_body={"detail": str(problem)}, status=422)
        if start > end:
            return Response(json_body={"detail": "the range ends before it starts"}, status=422)
        job = str(uuid.uuid4())
        store.set(f"logmerge:job:{job}", json.dumps(body), ex=86400)
        app.send_task("merge_s3_files", [body["start_date"], body["end_date"]], task_id=job)
        return Response(json_body={"download_id": job}, status=202)

    with Configurator() as config:
        config.add_route("initiate", "/initiate")
        config.add_view(initiate, route_name="initiate", request_method="POST")
        serve(config.make_wsgi_app(), host="127.0.0.1", port=int(port), threads=16, connection_limit=1000)


if __name__ == "__main__":
    main(*sys.argv[1:])
