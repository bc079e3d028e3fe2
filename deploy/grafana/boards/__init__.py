"""The dashboards, one a file; each is a list of rows of panels."""

from deploy.grafana.boards.commands import COMMANDS
from deploy.grafana.boards.inbound import INBOUND
from deploy.grafana.boards.node import NODE
from deploy.grafana.boards.overview import OVERVIEW
from deploy.grafana.boards.projections import PROJECTIONS
from deploy.grafana.boards.relay import RELAY
from deploy.grafana.boards.sagas import SAGAS

DASHBOARDS = (OVERVIEW, COMMANDS, PROJECTIONS, SAGAS, NODE, RELAY, INBOUND)
