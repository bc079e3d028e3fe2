"""Who may call whom, in the words of Istio, of Linkerd, and of Envoy as a sidecar."""
