"""Which routes the bundled domain has, and what the OpenAPI document says of them."""

from tests.support.served import Client

OPERATIONS = {
    "/orders/{order_id}": ("GetOrder", ["order_id", "at_least", "as_of"]),
    "/orders/{order_id}/history": ("GetOrderHistory", ["order_id", "from", "limit"]),
    "/orders": ("ListOrders", ["status", "customer_id", "limit", "cursor", "at_least"]),
    "/customers/{customer_id}": ("GetCustomer", ["customer_id", "at_least"]),
    "/customers/{customer_id}/orders": (
        "ListCustomerOrders",
        ["customer_id", "status", "limit", "cursor", "at_least"],
    ),
    "/daily-sales": ("ListDailySales", ["from", "to", "at_least"]),
    "/stock/{stock_id}": ("GetStock", ["stock_id", "at_least", "as_of"]),
    "/stock/{stock_id}/history": ("GetStockHistory", ["stock_id", "from", "limit"]),
    "/stock": ("ListStock", ["limit", "cursor", "at_least"]),
    "/low-stock": ("ListLowStock", ["from", "to", "at_least"]),
    "/reservations/{order_id}": ("GetReservations", ["order_id", "at_least"]),
    "/reservations": ("ListReservations", ["status", "limit", "cursor", "at_least"]),
    "/payments/{payment_id}": ("GetPayment", ["payment_id", "at_least", "as_of"]),
    "/payments/{payment_id}/history": ("GetPaymentHistory", ["payment_id", "from", "limit"]),
    "/payments": ("ListPayments", ["status", "customer_id", "limit", "cursor", "at_least"]),
    "/daily-payments": ("ListDailyPayments", ["currency", "from", "to", "at_least"]),
    "/fulfilments/{order_id}": ("GetFulfilment", ["order_id", "at_least"]),
    "/fulfilments": ("ListFulfilments", ["status", "customer_id", "limit", "cursor", "at_least"]),
    "/provider-results/{provider_result_id}": ("GetProviderResultAsOf", ["provider_result_id", "as_of"]),
    "/provider-results/{provider_result_id}/history": (
        "GetProviderResultHistory",
        ["provider_result_id", "from", "limit"],
    ),
    "/provider-results": ("ListProviderResults", ["status", "reference", "limit", "cursor", "at_least"]),
    "/notifications/{notification_id}": ("GetNotifications", ["notification_id", "at_least", "as_of"]),
    "/notifications/{notification_id}/history": ("GetNotificationHistory", ["notification_id", "from", "limit"]),
    "/customers/{customer_id}/profile": ("GetCustomerProfile", ["customer_id", "at_least", "as_of"]),
    "/customers/{customer_id}/history": ("GetCustomerHistory", ["customer_id", "from", "limit"]),
    "/customer-profiles": ("ListCustomerProfiles", ["status", "limit", "cursor", "at_least"]),
    "/contracts/{contract_id}": ("GetContract", ["contract_id", "at_least", "as_of"]),
    "/contracts/{contract_id}/history": ("GetContractHistory", ["contract_id", "from", "limit"]),
    "/documents/{document_id}": ("GetDocument", ["document_id", "at_least"]),
    "/orders/{order_id}/evidence": ("GetEvidence", ["order_id", "at_least"]),
    "/signature-results/{signature_result_id}": ("GetSignatureResultAsOf", ["signature_result_id", "as_of"]),
    "/signature-results/{signature_result_id}/history": (
        "GetSignatureResultHistory",
        ["signature_result_id", "from", "limit"],
    ),
    "/signature-results": ("ListSignatureResults", ["status", "reference", "limit", "cursor", "at_least"]),
    "/contracts": ("ListContracts", ["status", "customer_id", "limit", "cursor", "at_least"]),
    "/notifications": ("ListNotifications", ["status", "customer_id", "limit", "cursor", "at_least"]),
}


async def test_every_route_has_its_operation_and_parameters(api: Client) -> None:
    document = (await api.get("/schema/openapi.json")).json
    described = {
        path: (
            operations["get"]["operationId"],
            [one["name"] for one in operations["get"]["parameters"] if one["in"] != "header"],
        )
        for path, operations in document["paths"].items()
        if not path.startswith(("/health", "/metrics", "/log-level"))
    }
    assert described == OPERATIONS
    for path in OPERATIONS:
        assert {"200", "304", "400", "503"} <= set(document["paths"][path]["get"]["responses"])
    order = document["components"]["schemas"]["OrderDetails"]
    assert order["properties"]["created_at"] == {"type": "string", "format": "date-time"}
    assert "confirmed_at" not in order["required"]
    message = document["components"]["schemas"]["Message"]
    assert message["properties"]["requested_at"] == {"type": "string", "format": "date-time"}
    assert "requested_at" in message["required"]
    assert "sent_at" not in message["required"]
