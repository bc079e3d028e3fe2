from pathlib import Path

from embedded.supervisor.run_directory import RunDirectory, ServiceEntry
from infrastructure.settings import Settings
from ops.locations import with_own_stores


def test_stores_are_those_of_the_running_stack(tmp_path: Path) -> None:
    settings = Settings.of(mongo_uri="mongodb://elsewhere")
    assert with_own_stores(tmp_path, settings) == settings, "none runs there"
    directory = RunDirectory(tmp_path)
    with directory.owned():
        entry = ServiceEntry(pid=1, url="esdb://127.0.0.1:1?Tls=false", state="ready", restarts=0)
        directory.write_services({"node": entry})
        own = with_own_stores(tmp_path, settings)
    assert (own.event_store.uri, own.read_store.uri) == ("esdb://127.0.0.1:1?Tls=false", "mongodb://elsewhere")
