"""What Envoy starts with: who it is, its administration, and where the rest of its configuration is."""

from ops.gateway.listeners import CERTIFICATE, from_file
from ops.gateway.options import Certificate, GatewayOptions
from ops.gateway.typed import Config, extension, socket_address, typed

LISTENERS, CLUSTERS = "listeners", "clusters"
_MOST_CONNECTIONS = 10_000


def bootstrap(options: GatewayOptions) -> Config:
    """Listeners, routes, clusters and certificates are files that are read again when they are replaced: nobody's
    connection or request ends by that."""
    return {
        "node": {"id": "gateway", "cluster": "eventfold"},
        # Whoever reaches it can end Envoy and read its secrets.
        "admin": {"address": socket_address("127.0.0.1", options.admin_port)},
        "dynamic_resources": {"lds_config": from_file(options, LISTENERS), "cds_config": from_file(options, CLUSTERS)},
        "overload_manager": {
            "resource_monitors": [
                extension(
                    "envoy.resource_monitors.global_downstream_max_connections",
                    "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    max_active_downstream_connections=_MOST_CONNECTIONS,
                )
            ]
        },
    }


def certificate_secret(certificate: Certificate) -> Config:
    """The certificate; both files are read again when something is moved into their folder."""
    folder = certificate.chain.rpartition("/")[0] or "."
    return typed(
        "envoy.extensions.transport_sockets.tls.v3.Secret",
        name=CERTIFICATE,
        tls_certificate={
            "certificate_chain": {"filename": certificate.chain},
            "private_key": {"filename": certificate.key},
            "watched_directory": {"path": folder},
        },
    )
