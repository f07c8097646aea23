"""The table of services, against the API of the Envoy that we run."""

from __future__ import annotations

import importlib.resources
import zlib

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from gateway import names
from xds_server.server.services import AGGREGATED, SERVICES, Service, Variant, service_of
from xds_server.snapshot import CLUSTER, TYPES


def files() -> list[FileDescriptorProto]:
    packed = (importlib.resources.files("envoy_api") / "descriptors.fds").read_bytes()
    return list(FileDescriptorSet.FromString(zlib.decompress(packed)).file)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.noun)
def test_the_api_knows_every_service_and_each_of_its_streams(service: Service) -> None:
    package, _, name = service.name.rpartition(".")
    in_package = [file for file in files() if file.package == package]
    (found,) = [each for file in in_package for each in file.service if each.name == name]
    streams = {method.name for method in found.method if method.client_streaming}
    assert {service.method(variant) for variant in service.variants} == streams


def test_every_type_that_is_published_has_a_service_of_its_own() -> None:
    served = [service.type_url for service in SERVICES]
    assert sorted(served, key=str) == sorted([*TYPES, names.CONFIGURATION_TYPE, None], key=str)


def test_a_service_is_found_by_its_type() -> None:
    path = service_of(CLUSTER).path(Variant.DELTA)
    assert path == "/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters"
    assert AGGREGATED.path(Variant.SOTW).endswith("/StreamAggregatedResources")
