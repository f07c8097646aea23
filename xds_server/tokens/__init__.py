"""Access tokens that Envoy cannot fetch: the control plane asks for them and sends them by SDS."""
