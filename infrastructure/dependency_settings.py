"""Where each outside dependency is, and how far it may be used: one group of settings a dependency, all alike.

Each is `EVENTFOLD_<DEPENDENCY>_<NAME>`. Times are in seconds.
"""

from collections.abc import Callable
from typing import Annotated, Literal

from msgspec import Meta

from infrastructure.resilience.limits import Limits
from infrastructure.secrets import Secret, WithSecrets

Seconds = Annotated[float, Meta(gt=0, le=3600)]

_Timeout = Annotated[Seconds, Meta(description="how long one attempt at a call may take")]
Concurrency = Annotated[int, Meta(description="calls under way at most, by each process", ge=1, le=10_000)]
Queue = Annotated[int, Meta(description="calls that may wait for a place; more are refused at once", ge=0, le=100_000)]
_Retries = Annotated[int, Meta(description="how often a call is attempted again at most", ge=0, le=20)]
_FailureThreshold = Annotated[
    int, Meta(description="after how many failed calls in a row calls are refused", ge=1, le=1_000)
]
_RecoveryTimeout = Annotated[Seconds, Meta(description="how long calls are refused before one is let through to try")]
_SuccessThreshold = Annotated[
    int, Meta(description="after how many such calls that succeed all are let through again", ge=1, le=1_000)
]


def _named(dependency: str) -> Callable[[str], str]:
    return lambda name: f"{dependency}_{name}"


class _Dependency(WithSecrets, frozen=True):
    @property
    def limits(self) -> Limits:
        """What a policy is given."""
        names = Limits.__struct_fields__
        return Limits(**{name: getattr(self, name) for name in names})


class CommandCallSettings(_Dependency, frozen=True, rename=_named("commands")):
    """How consumers and processes send commands to the command API."""

    url: Annotated[str, Meta(description="command API that consumers and processes send commands to")] = (
        "http://127.0.0.1:8001"
    )
    timeout: _Timeout = 10.0
    concurrency: Concurrency = 64
    queue: Queue = 1024
    retries: _Retries = 4
    failure_threshold: _FailureThreshold = 5
    recovery_timeout: _RecoveryTimeout = 1.0
    success_threshold: _SuccessThreshold = 1


class QueryCallSettings(_Dependency, frozen=True, rename=_named("queries")):
    """How the signing page asks the query API."""

    url: Annotated[str, Meta(description="query API that the signing page asks")] = "http://127.0.0.1:8002"
    timeout: _Timeout = 10.0
    concurrency: Concurrency = 32
    queue: Queue = 512
    retries: _Retries = 2
    failure_threshold: _FailureThreshold = 5
    recovery_timeout: _RecoveryTimeout = 1.0
    success_threshold: _SuccessThreshold = 1


class PaymentSettings(_Dependency, frozen=True, rename=_named("payments")):
    """How the payment provider is reached."""

    url: Annotated[str, Meta(description="HTTP API of the payment provider")] = "http://127.0.0.1:8021"
    key: Annotated[Secret, Meta(description="API key of the payment provider; never logged")] = ""
    webhook_secret: Annotated[
        Secret, Meta(description="secret that the payment provider signs webhooks with; never logged")
    ] = ""
    webhook_max_age: Annotated[
        Seconds, Meta(description="how old the signature of a webhook may be, or how far ahead of our clock")
    ] = 300.0
    timeout: _Timeout = 10.0
    concurrency: Concurrency = 32
    queue: Queue = 512
    retries: _Retries = 3
    failure_threshold: _FailureThreshold = 5
    recovery_timeout: _RecoveryTimeout = 5.0
    success_threshold: _SuccessThreshold = 2


class SignatureSettings(_Dependency, frozen=True, rename=_named("signature")):
    """Who has customers sign, and how the signing provider is reached."""

    provider: Annotated[
        Literal["none", "sandbox"],
        Meta(description="who has customers sign: none (our own page and API), or a signing provider: sandbox"),
    ] = "none"
    url: Annotated[str, Meta(description="HTTP API of the signing provider")] = "http://127.0.0.1:8023"
    key: Annotated[Secret, Meta(description="API key of the signing provider; never logged")] = ""
    webhook_secret: Annotated[
        Secret, Meta(description="secret that the signing provider signs webhooks with; never logged")
    ] = ""
    webhook_max_age: Annotated[
        Seconds, Meta(description="how old the signature of a webhook may be, or how far ahead of our clock")
    ] = 300.0
    ca_file: Annotated[
        str, Meta(description="PEM file with the authorities that signatures of the provider must lead up to")
    ] = ""
    timeout: _Timeout = 20.0
    concurrency: Concurrency = 16
    queue: Queue = 256
    retries: _Retries = 3
    failure_threshold: _FailureThreshold = 5
    recovery_timeout: _RecoveryTimeout = 5.0
    success_threshold: _SuccessThreshold = 2


class BucketSettings(_Dependency, frozen=True, rename=_named("s3")):
    """How the bucket with documents is reached, where EVENTFOLD_DOCUMENT_STORE names one."""

    endpoint: Annotated[
        str, Meta(description="server of the bucket with documents, such as https://s3.example; without, Amazon's")
    ] = ""
    region: Annotated[str, Meta(description="region of the bucket with documents", min_length=1)] = "us-east-1"
    access_key_id: Annotated[
        str, Meta(description="who asks for documents; without, what Amazon gives to the machine")
    ] = ""
    secret_access_key: Annotated[Secret, Meta(description="secret of that key; never logged")] = ""
    timeout: _Timeout = 10.0
    concurrency: Concurrency = 32
    queue: Queue = 512
    retries: _Retries = 3
    failure_threshold: _FailureThreshold = 5
    recovery_timeout: _RecoveryTimeout = 5.0
    success_threshold: _SuccessThreshold = 1


class MailSettings(_Dependency, frozen=True, rename=_named("mail")):
    """How mail is sent."""

    url: Annotated[
        Secret,
        Meta(
            description="mail server: smtp://, smtp+starttls:// or smtps://, with user:password@ if need be",
        ),
    ] = "smtp://127.0.0.1:8025"
    sender: Annotated[str, Meta(description="address that mails come from")] = "orders@eventfold.example"
    customer_domain: Annotated[
        str, Meta(description="domain at which each customer has a mailbox of the name of its id")
    ] = "customers.eventfold.example"
    max_age: Annotated[
        float, Meta(description="what happened longer ago than this is told to nobody any more", gt=0, le=315_360_000)
    ] = 604_800.0
    timeout: _Timeout = 10.0
    concurrency: Concurrency = 8
    queue: Queue = 256
    retries: _Retries = 2
    failure_threshold: _FailureThreshold = 5
    recovery_timeout: _RecoveryTimeout = 5.0
    success_threshold: _SuccessThreshold = 1
