"""Private servers for the demo, the tests and the benchmarks: RabbitMQ, Redis and an S3 server, each on a port and in a
folder of its own, started by hand, waited for, and ended by process id. Nothing of the machine's own servers is touched.
Standard library only."""

from dev.servers.ports import free_port, port_is_taken
from dev.servers.process import Process, ServerError, wait_for
from dev.servers.rabbitmq import RabbitMQ
from dev.servers.redis import Redis
from dev.servers.s3 import VersityGW

__all__ = ["Process", "RabbitMQ", "Redis", "ServerError", "VersityGW", "free_port", "port_is_taken", "wait_for"]
