"""Custom resources: definitions, schemas, discovery."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.kube._contract import (
    DEFINITIONS,
    KubernetesContract,
    causes,
    eventually,
    gone,
)
from tiphys.errors import Invalid, KubernetesError, NotFound
from tiphys.kube import Client, Patch, Resource

GROUP = "contract.example"
OPEN: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(
    plural: str, kind: str, spec: dict[str, Any], *, status: bool = True, **more: Any
) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": spec, "status": OPEN}}
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
        **({"subresources": {"status": {}}} if status else {}), **more,
    }  # fmt: skip
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [version],
        },
    }


def thing(name: str, kind: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec,
    }  # fmt: skip


class TestDefinitions(KubernetesContract):
    @contextlib.asynccontextmanager
    async def defined(self, client: Client, body: dict[str, Any]) -> AsyncIterator[Resource]:
        """The resource of a definition, once it is served."""
        name, kind = body["metadata"]["name"], body["spec"]["names"]["kind"]
        await client.create(DEFINITIONS, body)
        found: list[Resource] = []

        async def served() -> bool:
            try:
                found.append(await client.discovery.kind(f"{GROUP}/v1", kind))
                await client.list(found[-1], "default")
            except KubernetesError:
                return False
            return True

        await eventually(served)
        try:
            yield found[-1]
        finally:
            await client.delete(DEFINITIONS, name)
            await gone(client, DEFINITIONS, name, "")

    async def test_a_kind_is_offered_until_its_definition_goes(
        self, client: Client, namespace: str
    ) -> None:
        async with self.defined(client, definition("firsts", "First", OPEN)) as resource:
            assert (resource.plural, resource.namespaced) == ("firsts", True)
            assert resource.subresources == {"status"}
            made = await client.create(
                resource, thing("a", "First", deep={"list": [1, {}]}), namespace
            )
            assert made["spec"] == {"deep": {"list": [1, {}]}}
            assert made["metadata"]["generation"] == 1
            found = await client.get(DEFINITIONS, f"firsts.{GROUP}")
            names = {c["type"]: c["status"] for c in found["status"]["conditions"]}
            assert (names["Established"], names["NamesAccepted"]) == ("True", "True")

        with pytest.raises(NotFound):
            await client.get(resource, "a", namespace)

    async def test_status_and_generation(self, client: Client, namespace: str) -> None:
        async with self.defined(client, definition("seconds", "Second", OPEN)) as resource:
            body = {**thing("a", "Second", x=1), "status": {"ignored": True}}
            made = await client.create(resource, body, namespace)
            assert "status" not in made

            patch = {"spec": {"x": 2}, "status": {"y": 1}}
            status = await client.patch(resource, "a", patch, namespace, subresource="status")
            assert (status["spec"], status["status"]) == ({"x": 1}, {"y": 1})
            assert status["metadata"]["generation"] == 1

            spec = await client.patch(resource, "a", patch | {"status": {"y": 2}}, namespace)
            assert (spec["spec"], spec["status"]) == ({"x": 2}, {"y": 1})
            assert spec["metadata"]["generation"] == 2

            labels = {"metadata": {"labels": {"a": "b"}}, "status": {"y": 3}}
            status = await client.patch(resource, "a", labels, namespace, subresource="status")
            assert "labels" not in status["metadata"]

    async def test_a_schema_is_kept_to(self, client: Client, namespace: str) -> None:
        spec = {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "mode": {"type": "string", "enum": ["a", "b"]},
            },
        }
        async with self.defined(client, definition("thirds", "Third", spec)) as resource:
            for wrong, cause in [
                ({"size": "big"}, ("FieldValueTypeInvalid", "spec.size")),
                ({"size": 0}, ("FieldValueInvalid", "spec.size")),
                ({}, ("FieldValueRequired", "spec.size")),
                ({"size": 1, "mode": "c"}, ("FieldValueNotSupported", "spec.mode")),
            ]:
                with pytest.raises(Invalid) as refused:
                    await client.create(resource, thing("a", "Third", **wrong), namespace)
                assert cause in causes(refused.value)

            made = await client.create(
                resource, thing("a", "Third", size=1, colour="red"), namespace
            )
            assert made["spec"] == {"size": 1}

    async def test_there_is_no_strategic_merge(self, client: Client, namespace: str) -> None:
        async with self.defined(client, definition("fourths", "Fourth", OPEN)) as resource:
            await client.create(resource, thing("a", "Fourth"), namespace)

            with pytest.raises(KubernetesError, match="in an unknown format") as refused:
                await client.patch(resource, "a", {"spec": {}}, namespace, kind=Patch.STRATEGIC)

        assert refused.value.status == 415

    async def test_an_update_needs_a_version(self, client: Client, namespace: str) -> None:
        async with self.defined(client, definition("fifths", "Fifth", OPEN)) as resource:
            await client.create(resource, thing("a", "Fifth"), namespace)
            body = thing("a", "Fifth", x=1)
            body["metadata"]["namespace"] = namespace

            with pytest.raises(Invalid, match="must be specified for an update"):
                await client.replace(resource, body)

    async def test_applying_owns_what_is_applied(self, client: Client, namespace: str) -> None:
        async with self.defined(client, definition("sixths", "Sixth", OPEN)) as resource:

            async def apply(manager: str, **spec: Any) -> dict[str, Any]:
                return await client.patch(
                    resource, "a", thing("a", "Sixth", **spec), namespace,
                    kind=Patch.APPLY, field_manager=manager,
                )  # fmt: skip

            await apply("me", a=1, deep={"x": 1, "y": 2})
            await apply("you", b=[1, 2])
            changed = await apply("me", deep={"x": 1})

        assert changed["spec"] == {"b": [1, 2], "deep": {"x": 1}}

    async def test_a_wrong_definition_is_refused(self, client: Client) -> None:
        body = definition("things", "Thing", OPEN)
        body["metadata"]["name"] = "another"

        with pytest.raises(Invalid, match=r'must be spec.names.plural\+"."\+spec.group'):
            await client.create(DEFINITIONS, body)

    async def test_the_kind_of_an_object_must_fit(self, client: Client, namespace: str) -> None:
        async with self.defined(client, definition("sevenths", "Seventh", OPEN)) as resource:
            with pytest.raises(Invalid, match='kind: Invalid value: "Other": must be Seventh'):
                await client.create(resource, thing("a", "Other"), namespace)
