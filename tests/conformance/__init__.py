"""Celery's own integration suite, run against a worker in another process: the C worker, or the genuine one."""
