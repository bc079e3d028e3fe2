"""A projection's figures, in the words of the protocol."""

from esdbclient.protos.Grpc import projections_pb2

from embedded.event_store_node.projections.projection import Status, SystemProjection

Details = projections_pb2.StatisticsResp.Details


def details(projection: SystemProjection, last_position: int) -> Details:
    """The projection's figures, when the log ends at `last_position`."""
    name = projection.definition.name
    enabled = projection.settings.enabled and projection.status in (Status.STOPPED, Status.FAULTED)
    return Details(
        coreProcessingTime=int(projection.progress.busy_seconds * 1000),
        version=max(projection.settings.version, 0),
        epoch=projection.settings.epoch,
        effectiveName=name,
        name=name,
        status=f"{projection.status} (Enabled)" if enabled else projection.status,
        stateReason=projection.fault,
        mode="Continuous",
        position=_position(projection.progress.position),
        progress=_progress(projection, last_position),
        lastCheckpoint=_position(projection.progress.checkpoint),
        eventsProcessedAfterRestart=projection.progress.events_processed,
    )


def _position(position: int) -> str:
    return f"C:{position}/P:{position if position else -1}"


def _progress(projection: SystemProjection, last_position: int) -> float:
    """In percent; -1 for a projection that has not run yet."""
    if projection.status is not Status.RUNNING and not projection.progress.events_processed:
        return -1.0
    return 100.0 if projection.is_caught_up else 100.0 * projection.progress.position / last_position
