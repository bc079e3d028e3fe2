"""Every benchmark, one after the other: `make bench`."""

import platform

import uvloop

from benchmarks import (
    authentication,
    authorisation,
    catch_up,
    commands,
    contended,
    documents,
    evidence,
    lag,
    late_events,
    links,
    loading,
    node_appends,
    node_reads,
    node_start,
    outside,
    personal_data,
    policy,
    query_by_id,
    read_store_writes,
    readers,
    relay,
    sagas,
    shapes,
    silence,
    slow_clients,
    takeover,
    tracing,
    verification,
)

BENCHMARKS = (
    commands,
    authentication,
    contended,
    slow_clients,
    catch_up,
    readers,
    read_store_writes,
    query_by_id,
    lag,
    late_events,
    loading,
    takeover,
    tracing,
    verification,
    silence,
    sagas,
    policy,
    authorisation,
    outside,
    relay,
    evidence,
    links,
    documents,
    personal_data,
    node_appends,
    node_reads,
    node_start,
    shapes,
)


def main() -> None:
    """Prints what the machine is, then what each benchmark measures; ratios are taken within one run."""
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {platform.system()}")
    for benchmark in BENCHMARKS:
        print(f"\n== {benchmark.__name__}: {(benchmark.__doc__ or '').splitlines()[0]}")
        uvloop.run(benchmark.run())


if __name__ == "__main__":
    main()
