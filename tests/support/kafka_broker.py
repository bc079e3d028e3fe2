"""A real Apache Kafka for tests: one node in KRaft mode, which can be killed and started again over the same data.

It is started once a session. It takes anybody at `servers`, and by TLS those who know the password (SASL/PLAIN) at
`secure_servers`.
"""

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from tests.embedded.event_store_node.access_support import certificate
from tests.support.ports import free_port

VERSION = "4.4.0"
MISSING = "there is no Apache Kafka: .ci/install-kafka fetches one, where there are Java 17 and Maven"
USER, PASSWORD = "eventfold", "a password of the tests"
_STARTS_WITHIN = 180.0
# Little memory, and a start that is quick rather than much throughput.
_JAVA = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true")


def kafka_jars() -> Path | None:
    """The folder with Kafka and what it needs: KAFKA_JARS, or where .ci/install-kafka puts it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("KAFKA_JARS") or cache / "eventfold-kafka" / VERSION)
    return folder if folder.is_dir() and shutil.which("java") is not None else None


class KafkaBroker:
    """Listens at `host` alone; `inside` makes the command line that runs a command where that host is."""

    def __init__(
        self,
        jars: Path,
        folder: Path,
        host: str = "127.0.0.1",
        inside: Callable[[Sequence[str]], list[str]] = list,
    ) -> None:
        self._jars, self._folder, self._inside = jars, folder, inside
        plain, secure, controller = free_port(), free_port(), free_port()
        self.servers = f"{host}:{plain}"
        self.secure_servers = f"{host}:{secure}"
        self.authority, key = certificate(folder, "kafka", hosts=f"IP:{host},DNS:localhost")
        identity = folder / "kafka.pem"
        identity.write_bytes(key.read_bytes() + self.authority.read_bytes())
        self._settings = folder / "server.properties"
        listeners = f"PLAIN://{self.servers},SECURE://{self.secure_servers}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{host}:{controller}",
            "listeners": f"{listeners},CONTROLLER://{host}:{controller}",
            "advertised.listeners": listeners,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAIN",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAIN:PLAINTEXT,SECURE:SASL_SSL",
            "listener.name.secure.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.secure.plain.sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule "
            f'required user_{USER}="{PASSWORD}";',
            "listener.name.secure.ssl.keystore.type": "PEM",
            "listener.name.secure.ssl.keystore.location": str(identity),
            "log.dirs": str(folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",
        }
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, over new data or those of the last time, and waits until it answers."""
        log = self._folder / "kafka.log"
        if not (self._folder / "data").exists():
            cluster = ("-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(self._settings))
            self._java("kafka.tools.StorageTool", "format", *cluster, log=log).wait()
        self._process = self._java("kafka.Kafka", str(self._settings), log=log)
        deadline = time.monotonic() + _STARTS_WITHIN
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Kafka does not start: {log.read_text()[-3000:]}")
            time.sleep(0.1)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, and waits for the end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def end(self) -> None:
        """For good."""
        self.kill()

    def answers(self) -> bool:
        """Whether it says which brokers there are."""
        try:
            return bool(self._admin().list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    def create_topic(self, partitions: int = 3, **settings: str) -> str:
        """A new topic, by its name; `settings` are Kafka's, with `_` for `.`."""
        name = f"tests.{uuid.uuid4().hex[:12]}"
        config = {key.replace("_", "."): value for key, value in settings.items()}
        admin = self._admin()  # it ends what it is asked for when nothing refers to it
        made = admin.create_topics([NewTopic(name, partitions, 1, config=config)])
        made[name].result(60)
        return name

    def _admin(self) -> AdminClient:
        # What it logs of a broker that is away tells a test nothing.
        return AdminClient({"bootstrap.servers": self.servers, "log_level": 0})

    def _java(self, main: str, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        options = (*_JAVA, "-Dlog4j2.level=WARN", "-cp", f"{self._jars}/*")
        with log.open("ab") as output:
            return subprocess.Popen(
                self._inside(["java", *options, main, *arguments]), stdout=output, stderr=output, cwd=self._folder
            )


def kafka_or_skip(
    folder: Path, host: str = "127.0.0.1", inside: Callable[[Sequence[str]], list[str]] = list
) -> KafkaBroker:
    """A broker to be started; skips where there is none. `host` and `inside` as for `KafkaBroker`."""
    jars = kafka_jars()
    if jars is None:
        pytest.skip(MISSING)
    return KafkaBroker(jars, folder, host, inside)


@pytest.fixture(scope="package")
def package_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """The package's broker; tests ask for `kafka`."""
    broker = kafka_or_skip(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.end()


@pytest.fixture
def kafka(package_kafka: KafkaBroker) -> KafkaBroker:
    """The package's broker, which runs. A test may kill it and uses topics of its own."""
    if not package_kafka.running:
        package_kafka.start()
    return package_kafka
