"""pynsq for ../clients.ts.

python pynsq_client.py one-by-one|many|consume HOST:PORT TOPIC MESSAGES
"""

import json
import os
import resource
import sys
import time

import nsq
import tornado.ioloop

task, address, topic, count = sys.argv[1:5]
messages = int(count)
body = b"x" * 200


class Report:
    def __init__(self):
        self.start = time.monotonic()
        self.cpu = self.used()

    def used(self):
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    def end(self):
        seconds = time.monotonic() - self.start
        print(json.dumps({"seconds": seconds, "cpuSeconds": self.used() - self.cpu}), flush=True)
        # Not at once: what is in its output would be lost.
        tornado.ioloop.IOLoop.current().call_later(0.5, lambda: os._exit(0))


report = None
left = messages


def consumed(message):
    global report, left
    report = report or Report()
    left -= 1
    if left == 0:
        report.end()
    return True


def publish_all(writer):
    global report
    if not any(conn.socket for conn in writer.conns.values()):
        tornado.ioloop.IOLoop.current().call_later(0.01, publish_all, writer)
        return
    report = Report()
    unanswered = 0
    unsent = messages

    def published(conn, data):
        nonlocal unanswered
        if isinstance(data, nsq.Error):
            raise data
        unanswered -= 1
        go_on()

    def go_on():
        nonlocal unanswered, unsent
        if unsent > 0:
            unsent -= 1
            unanswered += 1
            writer.pub(topic, body, published)
        elif unanswered == 0:
            report.end()

    for _ in range(1000 if task == "many" else 1):
        go_on()


if task == "consume":
    nsq.Reader(
        message_handler=consumed,
        nsqd_tcp_addresses=[address],
        topic=topic,
        channel="bench",
        max_in_flight=2500,
    )
else:
    tornado.ioloop.IOLoop.current().call_later(0.2, publish_all, nsq.Writer([address]))
nsq.run()
