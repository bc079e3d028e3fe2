import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from embedded.supervisor.ports import PortTaken, free_ports
from embedded.supervisor.run_directory import AlreadyRunning, RunDirectory
from embedded.supervisor.service import StartFailed, State, SupervisedService, Timings
from embedded.supervisor.supervisor import Supervisor, all_ready
from tests.embedded.supervisor.conftest import MakeSpec, eventually

QUICK = Timings(start_timeout=20.0, stop_grace=5.0, stable_after=60.0, backoff_base=0.01, backoff_cap=0.05)


def alive(pid: int | None) -> bool:
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_stages_start_in_order_and_stop_in_reverse(tmp_path: Path, make_spec: MakeSpec) -> None:
    became_ready: list[str] = []

    def note(service: SupervisedService) -> None:
        if service.state is State.READY:
            became_ready.append(service.spec.name)

    stages = [[make_spec("store")], [make_spec("api")], [make_spec("gateway")]]
    async with Supervisor(tmp_path, stages, timings=QUICK, on_change=note).running() as supervisor:
        assert all_ready(supervisor)
        assert became_ready == ["store", "api", "gateway"]
        pids = [service.pid for service in supervisor.services.values()]
        assert all(alive(pid) for pid in pids)
    assert (tmp_path / "ended").read_text().split() == ["gateway", "api", "store"]
    assert not any(alive(pid) for pid in pids)
    assert all(service.state is State.STOPPED for service in supervisor.services.values())


async def test_services_are_listed_while_they_run(tmp_path: Path, make_spec: MakeSpec) -> None:
    async with Supervisor(tmp_path, [[make_spec("api")]], timings=QUICK).running() as supervisor:
        listed = RunDirectory(tmp_path).read_services()
        assert listed["api"].pid == supervisor.services["api"].pid
        assert (listed["api"].url, listed["api"].state) == ("fake://api", "ready")
        assert RunDirectory(tmp_path).is_owned()
    assert RunDirectory(tmp_path).read_services() == {}
    assert not RunDirectory(tmp_path).is_owned()


def test_the_next_owner_clears_what_a_killed_one_left_half_written(tmp_path: Path) -> None:
    run_directory = RunDirectory(tmp_path)
    run_directory.directory.mkdir()
    (run_directory.directory / "services-abcdefgh.tmp").write_text("{")
    with run_directory.owned():
        run_directory.write_services({})
        assert {path.name for path in run_directory.directory.iterdir()} == {"supervisor.lock", "services.json"}


async def test_a_killed_service_is_started_again(tmp_path: Path, make_spec: MakeSpec) -> None:
    stages = [[make_spec("store")], [make_spec("api")]]
    async with Supervisor(tmp_path, stages, timings=QUICK).running() as supervisor:
        store, api = supervisor.services["store"], supervisor.services["api"]
        api_pid = api.pid
        for round_number in (1, 2, 3):
            killed = store.kill()
            await eventually(lambda n=round_number: store.restarts == n and store.state is State.READY)
            assert store.pid not in (None, killed)
            assert store.last_exit == -signal.SIGKILL
        assert api.pid == api_pid, "nothing else is disturbed"
        assert RunDirectory(tmp_path).read_services()["store"].restarts == 3


async def test_stopping_does_not_wait_for_a_backoff(tmp_path: Path, make_spec: MakeSpec) -> None:
    timings = Timings(start_timeout=20.0, backoff_base=600.0, backoff_cap=600.0)
    async with Supervisor(tmp_path, [[make_spec("store")]], timings=timings).running() as supervisor:
        store = supervisor.services["store"]
        store.kill()
        await eventually(lambda: store.state is State.RESTARTING)
        assert store.pid is None
    assert store.state is State.STOPPED


async def test_a_service_that_ignores_sigterm_is_killed(tmp_path: Path, make_spec: MakeSpec) -> None:
    timings = Timings(start_timeout=20.0, stop_grace=0.05)
    stages = [[make_spec("stubborn", "stubborn")]]
    async with Supervisor(tmp_path, stages, timings=timings).running() as supervisor:
        pid = supervisor.services["stubborn"].pid
    assert not alive(pid)
    assert supervisor.services["stubborn"].last_exit == -signal.SIGKILL


async def test_a_service_that_ends_at_once_shows_its_last_lines(tmp_path: Path, make_spec: MakeSpec) -> None:
    stages = [[make_spec("store")], [make_spec("api", "fails")]]
    supervisor = Supervisor(tmp_path, stages, timings=QUICK)
    with pytest.raises(StartFailed, match="api exited with status 3 before it was ready") as failure:
        async with supervisor.running():
            pytest.fail("the block must not be entered")
    assert "api can't find its configuration" in failure.value.tail
    assert failure.value.log_file == tmp_path / "logs" / "api.log"
    assert (tmp_path / "ended").read_text().split() == ["store"], "what had started is stopped"


async def test_a_service_that_is_never_ready_is_given_up(tmp_path: Path, make_spec: MakeSpec) -> None:
    timings = Timings(start_timeout=4.0, stop_grace=5.0)  # long enough for it to say its first words
    with pytest.raises(StartFailed, match=r"was not ready after 4 s \(api has not said") as failure:
        async with Supervisor(tmp_path, [[make_spec("api", "never-ready")]], timings=timings).running():
            pytest.fail("the block must not be entered")
    assert "api starts as never-ready" in failure.value.tail


async def test_a_command_that_does_not_exist(tmp_path: Path, make_spec: MakeSpec) -> None:
    good = make_spec("api")
    spec = type(good)(
        name="api", command=["/nowhere/api"], host=good.host, port=good.port, url=good.url, ready=good.ready
    )
    with pytest.raises(StartFailed, match="api exited with status 1") as failure:
        async with Supervisor(tmp_path, [[spec]], timings=QUICK).running():
            pytest.fail("the block must not be entered")
    assert "/nowhere/api" in failure.value.tail or "FileNotFoundError" in failure.value.tail


async def test_a_taken_port_is_named_and_nothing_is_started(tmp_path: Path, make_spec: MakeSpec) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        stages = [[make_spec("store")], [make_spec("api", port=port)]]
        with pytest.raises(PortTaken) as taken:
            async with Supervisor(tmp_path, stages, timings=QUICK).running():
                pytest.fail("the block must not be entered")
    assert (taken.value.service, taken.value.port) == ("api", port)
    assert not (tmp_path / "logs").exists()


async def test_a_second_supervisor_is_refused(tmp_path: Path, make_spec: MakeSpec) -> None:
    async with Supervisor(tmp_path, [[make_spec("store")]], timings=QUICK).running() as supervisor:
        with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}"):
            async with Supervisor(tmp_path, [[make_spec("other")]], timings=QUICK).running():
                pytest.fail("the block must not be entered")
        assert all_ready(supervisor)
        assert "store" in RunDirectory(tmp_path).read_services()


@pytest.mark.skipif(sys.platform != "linux", reason="bound to the parent's life on Linux only")
async def test_no_service_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    import asyncio

    script = Path(__file__).with_name("supervise_one.py")
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path.cwd()
    )
    assert supervisor.stdout is not None
    child_pid = int(await supervisor.stdout.readline())
    assert alive(child_pid)
    supervisor.kill()
    await supervisor.wait()
    await eventually(lambda: not alive(child_pid))
    assert not RunDirectory(tmp_path).is_owned(), "the data directory is free again"


def test_free_ports_are_different() -> None:
    assert len(set(free_ports("127.0.0.1", 5))) == 5
