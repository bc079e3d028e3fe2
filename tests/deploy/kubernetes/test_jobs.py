"""What runs now and then: the scripts do what they say, and leave nothing half done where a backup is expected."""

import os
import subprocess
from pathlib import Path

import pytest

from deploy.kubernetes.generate import CHART
from tests.deploy.kubernetes.chart import committed, of_kind

SCRIPTS = CHART / "files" / "jobs"


def run(script: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/sh", str(SCRIPTS / script)], env={**os.environ, **environ}, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """The data folder of an EventStoreDB node, as it looks."""
    source = tmp_path / "source"
    for name in (
        *("chaser.chk", "writer.chk", "epoch.chk", "truncate.chk", "chunk-000000.000000", "chunk-000001.000000"),
        *("index/indexmap", "index/1f2e", "index/stream-existence/streamExistenceFilter.chk", "index/scavenging/x.db"),
    ):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(f"{name}: a while ago")
    (tmp_path / "backups").mkdir()
    return source


def test_a_node_is_copied_whole(node: Path, tmp_path: Path) -> None:
    told = run("copy-event-store.sh", SOURCE=str(node), BACKUPS=str(tmp_path / "backups"), KEEP="2")
    assert told.returncode == 0, told.stderr
    (copied,) = (tmp_path / "backups").iterdir()
    assert told.stdout.strip() == str(copied)
    files = {path.relative_to(node): path.read_text() for path in node.rglob("*") if path.is_file()}
    assert {path.relative_to(copied): path.read_text() for path in copied.rglob("*") if path.is_file()} == files


def test_what_points_into_the_log_is_copied_before_the_log(node: Path, tmp_path: Path) -> None:
    """Events come in while it copies: what the copied checkpoints count must be in the copied chunks."""
    fakes = tmp_path / "bin"
    fakes.mkdir()
    # Whenever something is copied, an event comes in: to the chunk first, then to the checkpoint.
    (fakes / "cp").write_text(
        "#!/bin/sh\nfor last; do :; done\n"
        'case "$last" in */chunk-*) echo chunk;; *.chk) echo checkpoint;; *) echo index;; esac'
        f' >>{tmp_path}/order\nexec /bin/cp "$@"\n'
    )
    (fakes / "cp").chmod(0o755)
    path = f"{fakes}:{os.environ['PATH']}"
    told = run("copy-event-store.sh", SOURCE=str(node), BACKUPS=str(tmp_path / "backups"), KEEP="2", PATH=path)
    assert told.returncode == 0, told.stderr
    order = (tmp_path / "order").read_text().split()
    assert order == ["checkpoint", "index", "index", "index", *["checkpoint"] * 4, "chunk", "chunk"]


def test_so_many_copies_are_kept_and_what_was_cut_off_is_removed(node: Path, tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    for name in (
        "event-store-20200101T000000Z",
        "event-store-20210101T000000Z",
        "event-store-20220101T000000Z.partial",
    ):
        (backups / name).mkdir()
    (backups / "notes.txt").write_text("not ours")
    told = run("copy-event-store.sh", SOURCE=str(node), BACKUPS=str(backups), KEEP="2")
    assert told.returncode == 0, told.stderr
    newest = Path(told.stdout.splitlines()[0]).name
    assert {one.name for one in backups.iterdir()} == {"event-store-20210101T000000Z", "notes.txt", newest}


def test_a_copy_that_fails_removes_no_other(node: Path, tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    (backups / "event-store-20200101T000000Z").mkdir()
    (node / "chaser.chk").unlink()
    told = run("copy-event-store.sh", SOURCE=str(node), BACKUPS=str(backups), KEEP="1")
    assert told.returncode == 1
    assert "chaser.chk is missing" in told.stderr
    fakes = tmp_path / "bin"
    fakes.mkdir()
    (fakes / "cp").write_text("#!/bin/sh\necho 'no space left' >&2\nexit 1\n")
    (fakes / "cp").chmod(0o755)
    (node / "chaser.chk").write_text("here")
    path = f"{fakes}:{os.environ['PATH']}"
    told = run("copy-event-store.sh", SOURCE=str(node), BACKUPS=str(backups), KEEP="1", PATH=path)
    assert told.returncode != 0
    assert "event-store-20200101T000000Z" in {one.name for one in backups.iterdir()}
    assert not [one for one in backups.iterdir() if one.name.endswith("Z") and "2020" not in one.name]


DUMP = """#!/bin/sh
printf '%s\\n' "$@" >{folder}/arguments
for one; do
  case "$one" in
    --config=*) cat "${{one#--config=}}" >{folder}/config ;;
    --archive=*) archive=${{one#--archive=}} ;;
  esac
done
{does}
"""


def mongodump(folder: Path, does: str = 'echo dumped >"$archive"') -> str:
    """A PATH with a mongodump that keeps what it was told."""
    fakes = folder / "bin"
    fakes.mkdir(exist_ok=True)
    (fakes / "mongodump").write_text(DUMP.format(folder=folder, does=does))
    (fakes / "mongodump").chmod(0o755)
    return f"{fakes}:{os.environ['PATH']}"


def dump(folder: Path, path: str, uri: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    (folder / "uri").write_text(uri)
    (folder / "backups").mkdir(exist_ok=True)
    known = {"EVENTFOLD_MONGO_URI_FILE": str(folder / "uri"), "DATABASE": "eventfold", "KEEP": "2"}
    return run("dump-mongodb.sh", PATH=path, BACKUPS=str(folder / "backups"), **known | environ)


def test_a_single_nodes_database_is_dumped_and_its_address_is_no_argument(tmp_path: Path) -> None:
    uri = "mongodb://ada:it's@mongodb:27017/?directConnection=true"
    told = dump(tmp_path, mongodump(tmp_path), uri)
    assert told.returncode == 0, told.stderr
    (archive,) = (tmp_path / "backups").iterdir()
    assert (archive.read_text(), told.stdout.strip()) == ("dumped\n", str(archive))
    arguments = (tmp_path / "arguments").read_text()
    assert "--db=eventfold" in arguments.split()
    assert "ada" not in arguments
    assert (tmp_path / "config").read_text() == "uri: 'mongodb://ada:it''s@mongodb:27017/?directConnection=true'\n"


def test_a_replica_set_is_dumped_as_of_one_moment(tmp_path: Path) -> None:
    told = dump(tmp_path, mongodump(tmp_path), "mongodb://a,b,c/?replicaSet=rs0")
    assert told.returncode == 0, told.stderr
    arguments = (tmp_path / "arguments").read_text().split()
    assert "--oplog" in arguments
    assert not any(one.startswith("--db") for one in arguments)


def test_the_key_stores_address_comes_by_its_own_variable(tmp_path: Path) -> None:
    told = dump(tmp_path, mongodump(tmp_path), "", EVENTFOLD_KEY_STORE="mongodb://keys/", DATABASE="eventfold_keys")
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "config").read_text() == "uri: 'mongodb://keys/'\n"
    (archive,) = (tmp_path / "backups").iterdir()
    assert archive.name.startswith("eventfold_keys-")


@pytest.mark.parametrize("does", ["exit 1", 'echo half >"$archive"; exit 1', ': >"$archive"'])
def test_a_dump_that_fails_or_is_empty_is_none_and_removes_no_other(tmp_path: Path, does: str) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    for year in (2020, 2021, 2022):
        (backups / f"eventfold-{year}0101T000000Z.archive.gz").write_text("whole")
    told = dump(tmp_path, mongodump(tmp_path, does), "mongodb://mongodb/")
    assert told.returncode != 0
    assert len([one for one in backups.iterdir() if one.name.endswith(".gz")]) == 3
    told = dump(tmp_path, mongodump(tmp_path), "mongodb://mongodb/")
    assert told.returncode == 0
    left = sorted(one.name for one in backups.iterdir())
    assert len(left) == 2
    assert left[0] == "eventfold-20220101T000000Z.archive.gz"


def test_no_job_runs_twice_at_once_or_again_by_itself() -> None:
    jobs = of_kind(committed("trial"), "CronJob")
    assert set(jobs) == {"doctor", "backup-read-store", "backup-key-store", "backup-event-store"}
    for job in jobs.values():
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        assert job["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0
        assert job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_the_node_is_copied_beside_its_pod_from_its_claim() -> None:
    manifests = committed("trial")
    spec = of_kind(manifests, "CronJob")["backup-event-store"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (term,) = spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    node = of_kind(manifests, "StatefulSet")["event-store"]
    wanted = term["labelSelector"]["matchLabels"].items()
    assert wanted <= node["spec"]["template"]["metadata"]["labels"].items()
    (source,) = (one["persistentVolumeClaim"]["claimName"] for one in spec["volumes"] if one["name"] == "source")
    (claim,) = node["spec"]["volumeClaimTemplates"]
    assert source == f"{claim['metadata']['name']}-{node['metadata']['name']}-0"
    assert spec["securityContext"]["runAsUser"] == node["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
