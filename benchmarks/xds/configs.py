"""A configuration of thousands of routes, as a folder of files: one for each gateway."""

from __future__ import annotations

from pathlib import Path


def write(folder: Path, *, gateways: int, routes: int, upstreams: int) -> None:
    """`routes` plain routes to `upstreams` upstreams, divided over the gateways."""
    folder.mkdir()
    for gateway in range(gateways):
        write_gateway(folder, gateway, gateways=gateways, routes=routes, upstreams=upstreams)


def write_gateway(
    folder: Path, gateway: int, *, gateways: int, routes: int, upstreams: int, change: int = 0
) -> None:
    """One gateway's file. Another `change` makes another timeout of its first route."""
    share = range(gateway * routes // gateways, (gateway + 1) * routes // gateways)
    lines = [f"gateways: {{gw{gateway}: {{port: {20_000 + gateway}}}}}", "routes:"]
    for route in share:
        host, upstream = f"h{route % 500}.example.com", route % upstreams
        address = f"10.{upstream // 62_500}.{upstream // 250 % 250}.{upstream % 250 + 1}"
        lines.append(f"  - name: r{route}")
        lines.append(f"    gateways: [gw{gateway}]")
        lines.append(f"    match: {{hostnames: [{host}], path: {{prefix: /p{route}}}}}")
        lines.append(f"    backend: http://{address}:80")
        if route == share.start and change:
            lines.append(f"    timeout: {change}s")
    partial = folder / f".gw{gateway}.tmp"
    partial.write_text("\n".join(lines) + "\n")
    partial.rename(folder / f"gw{gateway:03}.yaml")
