"""The contract of an order as the other layers see it: its commands, its events and their versions."""

from domain.documents.commands import (
    DeclineContract,
    ExpireContract,
    RecordCompletion,
    RecordNotice,
    RecordRendering,
    RecordSeal,
    RecordSignature,
    RemindToSign,
    RequestContract,
    RequestSignature,
    SendToProvider,
    SignByLink,
    SignContract,
    WithdrawContract,
)
from domain.documents.contract import Contract, decide, evolve
from domain.documents.events import (
    ContractCompleted,
    ContractCustomerNotified,
    ContractDeclined,
    ContractExpired,
    ContractRendered,
    ContractRequested,
    ContractSealed,
    ContractSentToProvider,
    ContractSigned,
    ContractWithdrawn,
    SignatureReminded,
    SignatureRequested,
)
from domain.documents.upcasters import contract_signed_1_to_2
from domain.model.access import Access
from domain.model.aggregate import Aggregate, CommandType
from domain.model.event_types import EventType
from domain.model.personal import Personal

CONTRACT = Aggregate(
    category="contract",
    plural="contracts",
    state=Contract,
    commands=(
        CommandType(
            RequestContract,
            "request",
            summary="Ask for the contract of an order",
            access=Access("contracts:request"),
        ),
        CommandType(
            RecordRendering,
            "record-rendering",
            summary="Record that the document was made",
            access=Access("contracts:record-rendering"),
        ),
        CommandType(
            RequestSignature,
            "request-signature",
            summary="Ask the customer to sign",
            access=Access("contracts:request-signature"),
        ),
        CommandType(SignContract, "sign", summary="Sign the document", access=Access("contracts:sign")),
        CommandType(
            SignByLink,
            "sign-by-link",
            summary="Sign the document for who came by the customer's link",
            access=Access("contracts:sign-by-link"),
        ),
        CommandType(
            SendToProvider,
            "send-to-provider",
            summary="Have the customer sign at a signing provider",
            access=Access("contracts:send-to-provider"),
        ),
        CommandType(
            RecordSignature,
            "record-signature",
            summary="Record that the customer has signed at the provider",
            access=Access("contracts:record-signature"),
        ),
        CommandType(DeclineContract, "decline", summary="Refuse to sign it", access=Access("contracts:decline")),
        CommandType(
            RemindToSign,
            "remind",
            summary="Have the customer reminded to sign",
            access=Access("contracts:remind"),
        ),
        CommandType(
            ExpireContract,
            "expire",
            summary="Record that the time to sign is over",
            access=Access("contracts:expire"),
        ),
        CommandType(
            WithdrawContract,
            "withdraw",
            summary="Take it back before it is signed",
            access=Access("contracts:withdraw"),
        ),
        CommandType(
            RecordSeal,
            "record-seal",
            summary="Record that the document has its digital signature",
            access=Access("contracts:record-seal"),
        ),
        CommandType(
            RecordCompletion,
            "record-completion",
            summary="Record that the certificate of completion was made",
            access=Access("contracts:record-completion"),
        ),
        CommandType(
            RecordNotice,
            "record-notice",
            summary="Record that the customer was told",
            access=Access("contracts:record-notice"),
        ),
    ),
    events=(
        EventType("ContractRequested", 1, ContractRequested),
        EventType("ContractRendered", 1, ContractRendered),
        EventType("SignatureRequested", 1, SignatureRequested),
        EventType("ContractSentToProvider", 1, ContractSentToProvider),
        EventType(
            "ContractSigned",
            2,
            ContractSigned,
            {1: contract_signed_1_to_2},
            {1: {"name": Personal("customer", "customer_id")}},
        ),
        EventType("SignatureReminded", 1, SignatureReminded),
        EventType("ContractDeclined", 1, ContractDeclined),
        EventType("ContractExpired", 1, ContractExpired),
        EventType("ContractWithdrawn", 1, ContractWithdrawn),
        EventType("ContractSealed", 1, ContractSealed),
        EventType("ContractCompleted", 1, ContractCompleted),
        EventType("ContractCustomerNotified", 1, ContractCustomerNotified),
    ),
    decide=decide,
    evolve=evolve,
    begins_with=frozenset({ContractRequested}),
    owner="customer_id",
    read_access=Access("contracts:history"),
)
