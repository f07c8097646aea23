"""One client's stream of one discovery service: requests in, responses out, without I/O.

https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
"""
