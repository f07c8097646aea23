"""The configuration path: YAML compiled into Envoy resources and served by xDS."""
