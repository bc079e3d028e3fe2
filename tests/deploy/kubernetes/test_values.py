"""A value that can't be is named by Helm, with where it stands; nothing is rendered of it."""

import json
from collections.abc import Sequence

import jsonschema
import pytest
import yaml

from deploy.kubernetes.generate import CHART
from infrastructure.settings import PREFIX, Settings, every_setting, load_settings, secret_variables
from tests.deploy.kubernetes.chart import helm, needs_helm

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())

# What is set, and what the refusal must name.
BAD: list[tuple[str, Sequence[str]]] = [
    ("services.command-api.scaling.min=0", ("/services/command-api/scaling/min", "minimum")),
    ("services.command-api.scaling.by=memory", ("/services/command-api/scaling/by", "'cpu', 'lag', 'none'")),
    ("services.projector.scaling.metric=null", ("/services/projector/scaling", "metric")),
    ("services.comand-api.enabled=false", ("/services", "comand-api")),
    ("services.consumers.resources.limits.memory=lots", ("/services/consumers/resources/limits/memory",)),
    ("services.signing-page.from[0]=everybody", ("/services/signing-page/from/0",)),
    ("settings.EVENTFOLD_SHUTDOWN_GRACE=-1", ("/settings/EVENTFOLD_SHUTDOWN_GRACE",)),
    ("settings.EVENTFOLD_SHUTDOWN_GRASE=5", ("/settings", "EVENTFOLD_SHUTDOWN_GRASE")),
    ("settings.EVENTFOLD_PAYMENTS_KEY=sk_live_1", ("/settings", "EVENTFOLD_PAYMENTS_KEY")),
    ("settings.EVENTFOLD_KEY_STORE=mongodb://ada:pass@keys/", ("/settings", "EVENTFOLD_KEY_STORE")),
    ("settings.EVENTFOLD_QUERY_API_PORT_NUMBER=9000", ("/settings", "EVENTFOLD_QUERY_API_PORT_NUMBER")),
    ("secrets.EVENTFOLD_MONGO_URI=mongodb://mongodb/", ("/secrets/EVENTFOLD_MONGO_URI", "object")),
    ("secrets.EVENTFOLD_MONGO_URL.secret=stores", ("/secrets", "EVENTFOLD_MONGO_URL")),
    ("image.tag=latest", ("/image/tag",)),
    ("image.digest=sha256:12", ("/image/digest",)),
    ("dependencies.mail.ports[0]=0", ("/dependencies/mail/ports/0",)),
    ("dependencies.mail.to=[]", ("/dependencies/mail/to",)),
    ("jobs.doctor.schedule=hourly", ("/jobs/doctor/schedule",)),
    ("jobs.backup-read-store.image=mongo:latest", ("/jobs/backup-read-store/image",)),
    ("jobs.backup-read-store.script=dump.sh", ("/jobs/backup-read-store/script",)),
    ("replicas=3", ("replicas",)),
    # What the schema can't see.
    ("services.command-api.scaling.max=1", ("services.command-api.scaling: max is 1, below min, which is 2",)),
    ("services.command-api.needs[0]=event-stor", ("command-api needs event-stor", "dependencies")),
    ("services.command-api.enabled=false", ("command-api is asked for",)),
    ("services.inbound.enabled=true", ("settings.EVENTFOLD_INBOUND_SOURCES",)),
    (
        "secrets.EVENTFOLD_AUTH_JWKS_FILE=null",
        ("settings.EVENTFOLD_AUTH_JWKS_URL or secrets.EVENTFOLD_AUTH_JWKS_FILE",),
    ),
    ("settings.EVENTFOLD_AUTH_JWKS_URL=https://identity.example/keys", ("are both there",)),
    ("secrets.EVENTFOLD_SERVICE_KEY_FILE=null", ("secrets.EVENTFOLD_TOKEN_FILE",)),
]


@needs_helm
@pytest.mark.parametrize(("value", "named"), BAD, ids=[value for value, _ in BAD])
def test_a_value_that_can_not_be_is_named(value: str, named: Sequence[str]) -> None:
    given = ("--set-json", value) if value.endswith("=[]") else ("--set", value)
    told = helm("template", "eventfold", str(CHART), *given)
    assert told.returncode != 0
    assert told.stdout == ""
    for part in named:
        assert part in told.stderr, told.stderr


def test_the_schema_takes_the_values_that_come_along() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator(SCHEMA).validate(VALUES)


def test_every_setting_can_be_set_and_a_secret_by_reference_alone() -> None:
    settings, secrets = SCHEMA["properties"]["settings"]["properties"], SCHEMA["properties"]["secrets"]["properties"]
    by_the_chart = {f"{PREFIX}CONSUMER_NAME"} | {
        f"{PREFIX}{one.encode_name.upper()}" for one in every_setting() if one.encode_name.endswith("_port_number")
    }
    everything = {f"{PREFIX}{one.encode_name.upper()}" for one in every_setting()}
    assert settings.keys() | secrets.keys() | by_the_chart == everything
    assert not settings.keys() & set(secret_variables())
    assert set(secret_variables()) <= secrets.keys()


def test_the_schema_knows_the_same_bounds_as_the_settings() -> None:
    checks = SCHEMA["properties"]["settings"]["properties"]
    defaults = {f"{PREFIX}{one.encode_name.upper()}": one.default for one in every_setting()}
    for name, schema in checks.items():
        jsonschema.Draft7Validator(schema).validate(defaults[name])
    assert load_settings({}) == Settings()
