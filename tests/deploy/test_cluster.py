"""deploy/compose.cluster.yaml over compose.yaml, as Compose merges them. Certificates are made; nothing else is run."""

import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from esdbclient.connection_spec import ConnectionSpec
from pymongo.uri_parser import parse_uri

from infrastructure.settings import load_settings
from tests.deploy.test_compose import COMPOSE, NO_READ_STORE, OURS, require_valid, with_defaults
from tests.support.services import ROOT

CLUSTER = COMPOSE.with_name("compose.cluster.yaml")
NODES = ["eventstore-1", "eventstore-2", "eventstore-3"]
MEMBERS = ["mongodb", "mongodb-2", "mongodb-3"]
# Lists of these are one's own or the other's, by the specification; all others are joined.
REPLACED = {"command", "entrypoint", "test"}


def merged(ours: Any, over: Any, key: str = "") -> Any:
    """One compose file over another, as far as these two need it."""
    if isinstance(ours, dict) and isinstance(over, dict):
        return ours | {name: merged(ours[name], one, name) if name in ours else one for name, one in over.items()}
    if isinstance(ours, list) and isinstance(over, list) and key not in REPLACED:
        return [*ours, *(one for one in over if one not in ours)]
    return over


@pytest.fixture(scope="module")
def cluster() -> Any:
    small, over = (yaml.safe_load(with_defaults(path.read_text())) for path in (COMPOSE, CLUSTER))
    return merged(small, over)


def test_it_is_valid_by_itself_and_over_the_small_one(cluster: Any) -> None:
    require_valid(yaml.safe_load(CLUSTER.read_text()))
    require_valid(cluster)


def test_images_are_those_of_the_small_one(cluster: Any) -> None:
    services = cluster["services"]
    assert {services[node]["image"] for node in NODES} == {services["eventstore"]["image"]}
    assert {services[member]["image"] for member in [*MEMBERS, "mongodb-replica-set"]} == {services["mongodb"]["image"]}
    assert services["certificates"]["image"] == services["command-api"]["image"]


def test_the_single_node_stays_out_and_nobody_waits_for_it(cluster: Any) -> None:
    services = cluster["services"]
    assert services["eventstore"]["profiles"] == ["single-node"]
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            profiles = set(services[needed].get("profiles", []))
            in_reach = not profiles or profiles & set(service.get("profiles", []))
            assert in_reach or how.get("required") is False, f"{name} waits for {needed}"


@pytest.mark.parametrize("name", OURS)
def test_our_services_know_every_member_and_wait_for_them(cluster: Any, name: str) -> None:
    service = cluster["services"][name]
    settings = load_settings(service["environment"])
    spec = ConnectionSpec(settings.event_store.uri)
    assert spec.targets == [f"{node}:2113" for node in NODES]
    assert spec.options.Tls is True
    if name in NO_READ_STORE and name != "command-api":
        return
    for uri in (settings.read_store.uri, settings.personal_data.key_store):
        parsed = parse_uri(uri)
        assert parsed["nodelist"] == [(member, 27017) for member in MEMBERS]
        assert parsed["options"]["replicaSet"] == "eventfold"
    needed = service["depends_on"]
    assert needed["mongodb-replica-set"] == {"condition": "service_completed_successfully"}
    if name != "inbound":  # it appends nothing by itself
        assert {needed[node]["condition"] for node in NODES} == {"service_healthy"}
        assert "certificates:/certificates:ro" in service["volumes"]
        assert spec.options.TlsCaFile == "/certificates/ca/ca.crt"


def test_each_node_knows_the_others_and_itself(cluster: Any) -> None:
    services = cluster["services"]
    assert len({tuple(services[node]["ports"]) for node in NODES}) == 3
    for node in NODES:
        given = services[node]["environment"]
        assert given["EVENTSTORE_GOSSIP_SEED"] == ",".join(f"{other}:2113" for other in NODES if other != node)
        assert given["EVENTSTORE_NODE_HOST_ADVERTISE_AS"] == given["EVENTSTORE_REPLICATION_HOST_ADVERTISE_AS"] == node
        assert given["EVENTSTORE_CERTIFICATE_FILE"] == f"/certificates/{node}/node.crt"
        assert given["EVENTSTORE_CERTIFICATE_PRIVATE_KEY_FILE"] == f"/certificates/{node}/node.key"
        assert given["EVENTSTORE_CLUSTER_SIZE"] == str(len(NODES))
        assert "EVENTSTORE_INSECURE" not in given
    for member in MEMBERS:
        assert services[member]["command"][-2:] == ["--replSet", "eventfold"]
    script = (ROOT / "deploy/cluster/replica-set.js").read_text()
    assert all(f'"{member}"' in script for member in MEMBERS)


def test_data_outlives_its_container_and_ports_are_on_the_loopback_address(cluster: Any) -> None:
    mounted = [volume for service in cluster["services"].values() for volume in service.get("volumes", [])]
    assert {volume.partition(":")[0] for volume in mounted if not volume.startswith("./")} == set(cluster["volumes"])
    for name in [*NODES, *MEMBERS]:
        assert all(port.startswith("127.0.0.1:") for port in cluster["services"][name]["ports"])


def make_certificates(cluster: Any, folder: Path) -> None:
    python, script, _, *nodes = cluster["services"]["certificates"]["entrypoint"]
    assert (python, nodes) == ("python", NODES)
    path = ROOT / "deploy" / Path(script).relative_to("/")
    made = subprocess.run([sys.executable, str(path), str(folder), *nodes], capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr


def test_the_nodes_trust_one_another_and_nobody_else(cluster: Any, tmp_path: Path) -> None:
    ours, others = tmp_path / "ours", tmp_path / "others"
    make_certificates(cluster, ours)
    make_certificates(cluster, others)
    for node in NODES:
        assert shaken_hands(ours / node, ours / "eventstore-1", ours / "ca/ca.crt", node) == ""
    assert shaken_hands(ours / NODES[0], ours / NODES[0], ours / "ca/ca.crt", "localhost") == ""
    assert "Hostname mismatch" in shaken_hands(ours / NODES[0], ours / NODES[1], ours / "ca/ca.crt", NODES[2])
    assert "verify failed" in shaken_hands(others / NODES[0], ours / NODES[1], ours / "ca/ca.crt", NODES[0])
    assert "verify failed" in shaken_hands(ours / NODES[0], others / NODES[1], ours / "ca/ca.crt", NODES[0])


def test_certificates_that_are_there_stay(cluster: Any, tmp_path: Path) -> None:
    make_certificates(cluster, tmp_path)
    first = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    make_certificates(cluster, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == first
    assert len(first) == 2 * (1 + len(NODES))


def shaken_hands(server: Path, client: Path, ca: Path, host: str) -> str:
    """What is wrong with a TLS connection to `host`, where both ends show their certificate; nothing when it stands."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca))
    serving.verify_mode = ssl.CERT_REQUIRED
    asking = ssl.create_default_context(cafile=str(ca))
    for context, folder in ((serving, server), (asking, client)):
        context.load_cert_chain(folder / "node.crt", folder / "node.key")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        asking.wrap_bio(to_client, to_server, server_hostname=host),
        serving.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                return str(error)
    return ""
