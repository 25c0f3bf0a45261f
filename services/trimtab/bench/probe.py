"""The floor's process, beside a line: started with its own topic and its own account at the exchange, and ended."""

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from trimtab.adapters.kafka.client import Complaints, client_config
from trimtab.bench.floor import HOP_TOPIC, Sample, samples_of
from trimtab.demo.stage import Stage
from trimtab.domain.errors import UnreachableError
from trimtab.settings import FILE_VARIABLE, KafkaSettings

_END_SECONDS_MAX = 15.0
_ANSWER_SECONDS_MAX = 10.0


class Floor:
    """What the probe has measured so far."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def hear(self, line: str) -> None:
        """Take one line of its output."""
        self._lines.append(line)

    @property
    def samples(self) -> Sequence[Sample]:
        return samples_of(self._lines)


@contextmanager
def probing(stage: Stage) -> Iterator[Floor]:
    """Measure the floor beside a line for as long as the block runs.

    Raises:
        UnreachableError: if the probe fails.

    """
    _make_topic(stage.settings().kafka)
    key, secret = secrets.token_hex(16), secrets.token_hex(16)
    terms = {"name": "bench-floor", "api_key": key, "secret": secret, "balances": {"USDT": "1000"}}
    stage.sim.open_account(terms)
    environment = {FILE_VARIABLE: str(stage.settings_file), "TRIMTAB_POSTGRES__DSN": stage.dsn("executor")}
    floor = Floor()
    command = [sys.executable, "-m", "trimtab.bench.floor"]
    with subprocess.Popen(  # noqa: S603 - our own module
        command, env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        reader = threading.Thread(target=_read, args=(process.stdout, floor), daemon=True)
        reader.start()
        process.stdin.write(json.dumps({"url": stage.sim.base, "key": key, "secret": secret}) + "\n")
        process.stdin.flush()
        try:
            yield floor
        finally:
            process.stdin.close()
            try:
                code = process.wait(_END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            reader.join()
    if code != 0:
        raise UnreachableError("the floor's probe", "this machine", f"it ended with code {code}; see standard error")


def _read(lines: Iterator[str], floor: Floor) -> None:
    for line in lines:
        floor.hear(line)


def _make_topic(kafka: KafkaSettings) -> None:
    name = f"{kafka.topic_prefix}{HOP_TOPIC}"
    admin = AdminClient(client_config(kafka, "bench-probe", Complaints()))
    for made in admin.create_topics([NewTopic(name, 1, 1)], operation_timeout=_ANSWER_SECONDS_MAX).values():
        made.result()
