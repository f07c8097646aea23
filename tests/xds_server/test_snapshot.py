"""Snapshots are values: compared by content, checked for dangling references, merged."""

from __future__ import annotations

import gc
import itertools
import weakref

import pytest

from xds_server.snapshot import (
    CLUSTER,
    LISTENER,
    NOTHING,
    ROUTES,
    SECRET,
    TYPES,
    DuplicateResource,
    Resource,
    all_resources,
    changed_types,
    dangling,
    resource_of,
    snapshot_of,
    with_kept,
    without,
    without_type,
)

A = resource_of("a", CLUSTER, b"1")
B = resource_of("b", CLUSTER, b"2")
KEY = resource_of("key", SECRET, b"k")
TABLE = resource_of("t", ROUTES, b"r", needs=[(CLUSTER, "a"), (CLUSTER, "b")])


def names(snapshot_resources: tuple[Resource, ...]) -> list[str]:
    return [resource.name for resource in snapshot_resources]


def test_the_order_of_resources_does_not_matter() -> None:
    snapshots = [snapshot_of(order) for order in itertools.permutations([A, B, KEY, TABLE])]
    assert len({snapshot.version for snapshot in snapshots}) == 1
    assert all(snapshot == snapshots[0] for snapshot in snapshots)


def test_every_type_is_present_in_sending_order() -> None:
    assert tuple(snapshot_of([]).resources) == TYPES


def test_a_version_follows_the_content_and_nothing_else() -> None:
    assert resource_of("x", CLUSTER, b"1").version == A.version
    assert B.version != A.version


def test_the_snapshots_version_follows_names_and_types() -> None:
    renamed = resource_of("x", CLUSTER, b"1")
    retyped = resource_of("a", LISTENER, b"1")
    versions = {snapshot_of([each]).version for each in (A, renamed, retyped)}
    assert len(versions) == 3


def test_a_name_stands_once_in_a_type() -> None:
    with pytest.raises(DuplicateResource, match="a"):
        snapshot_of([A, resource_of("a", CLUSTER, b"2")])


def test_a_snapshot_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        snapshot_of([A]).resources[CLUSTER]["b"] = B  # type: ignore[index]


def test_dangling_names_both_ends() -> None:
    assert dangling(snapshot_of([A, TABLE])) == ("RouteConfiguration 't': no Cluster 'b'",)


def test_nothing_dangles_when_all_is_there() -> None:
    assert dangling(snapshot_of([A, B, TABLE])) == ()


def test_clusters_and_secrets_that_disappear_are_kept() -> None:
    kept = with_kept(snapshot_of([A]), snapshot_of([A, B, KEY]))
    assert names(all_resources(kept)) == ["a", "b", "key"]


def test_routes_that_disappear_are_not_kept() -> None:
    assert ROUTES not in changed_types(
        snapshot_of([A, B]), with_kept(snapshot_of([A, B]), snapshot_of([A, B, TABLE]))
    )


def test_what_is_new_wins_over_what_is_kept() -> None:
    newer = resource_of("a", CLUSTER, b"newer")
    assert with_kept(snapshot_of([newer]), snapshot_of([A])) == snapshot_of([newer])


def test_changed_types_are_those_with_additions_changes_and_removals() -> None:
    before = snapshot_of([A, B, KEY])
    assert changed_types(before, before) == ()
    assert changed_types(before, snapshot_of([A, KEY])) == (CLUSTER,)
    assert changed_types(before, snapshot_of([A, B, KEY, TABLE])) == (ROUTES,)
    changed = resource_of("key", SECRET, b"other")
    assert changed_types(before, snapshot_of([A, changed, TABLE])) == (CLUSTER, SECRET, ROUTES)


def test_a_body_is_not_shown() -> None:
    assert "k3y" not in repr(snapshot_of([resource_of("key", SECRET, b"k3y")]))


def test_equal_names_and_bodies_are_one_version_whatever_else_the_snapshot_has() -> None:
    assert snapshot_of([A, KEY]).of(CLUSTER).version == snapshot_of([A, TABLE]).of(CLUSTER).version
    assert snapshot_of([A]).of(CLUSTER).version != snapshot_of([A, B]).of(CLUSTER).version


def test_a_ttl_is_part_of_the_version() -> None:
    assert resource_of("a", CLUSTER, b"1", ttl_seconds=3.0).version != A.version


def test_those_which_fade_are_known() -> None:
    mortal = resource_of("m", CLUSTER, b"1", ttl_seconds=3.0)
    assert snapshot_of([A, mortal]).of(CLUSTER).mortal == ("m",)


def test_changes_are_names_added_changed_and_removed() -> None:
    before, after = snapshot_of([A, B]).of(CLUSTER), snapshot_of([A]).of(CLUSTER)
    newer = snapshot_of([A, resource_of("b", CLUSTER, b"newer")]).of(CLUSTER)
    assert before.changes_since(before) == frozenset()
    assert after.changes_since(before) == {"b"}
    assert newer.changes_since(before) == {"b"}
    assert newer.changes_since(NOTHING) == {"a", "b"}
    assert newer.changes_since(before) is newer.changes_since(before)


def test_changes_do_not_keep_what_they_were_computed_from() -> None:
    before, after = snapshot_of([A, B]).of(CLUSTER), snapshot_of([A]).of(CLUSTER)
    after.changes_since(before)
    gone = weakref.ref(before)
    del before
    gc.collect()
    assert gone() is None


def test_what_is_left_out_is_not_there_and_the_rest_is_shared() -> None:
    whole = snapshot_of([A, B, KEY, TABLE])
    less = without(whole, {(CLUSTER, "b")})
    assert names(all_resources(less)) == ["a", "key", "t"]
    assert less == snapshot_of([A, KEY, TABLE])
    assert less.of(ROUTES) is whole.of(ROUTES)
    assert without(whole, set()) == whole


def test_a_type_can_be_left_out() -> None:
    assert without_type(snapshot_of([A, KEY]), SECRET) == snapshot_of([A])


def test_nothing_is_copied_where_nothing_is_kept() -> None:
    new, old = snapshot_of([A, B, TABLE]), snapshot_of([A, KEY])
    kept = with_kept(new, old)
    assert kept.of(CLUSTER) is new.of(CLUSTER)
    assert names(tuple(kept.of(SECRET).values())) == ["key"]
