"""Options of writes that make no sense, and bodies that are too large."""

from __future__ import annotations

import pytest

from tests.integration.kube._contract import KubernetesContract, causes, config_map, make
from tiphys.errors import Invalid, KubernetesError
from tiphys.kube import CONFIG_MAPS, Client
from tiphys.kube._failures import Target

LONGEST = 128  # bytes of the name of a field manager
LARGEST = 3 * 1024 * 1024  # bytes of a body


class TestOptions(KubernetesContract):
    async def test_the_name_of_a_field_manager_is_short(
        self, client: Client, namespace: str
    ) -> None:
        body = {"data": {"x": "1"}}
        await make(client, namespace, "a")
        await client.patch(CONFIG_MAPS, "a", body, namespace, field_manager="x" * LONGEST)

        with pytest.raises(Invalid) as refused:
            await client.patch(CONFIG_MAPS, "a", body, namespace, field_manager="ä" * 65)

        assert refused.value.message.endswith(
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than '
            "128 bytes"
        )
        assert causes(refused.value) == {("FieldValueTooLong", "fieldManager")}
        assert refused.value.details["group"] == "meta.k8s.io"
        assert refused.value.details["kind"] == "PatchOptions"

    async def test_an_unknown_validation_is_refused(self, client: Client, namespace: str) -> None:
        with pytest.raises(Invalid) as refused:
            await client._transport.read(
                "POST", CONFIG_MAPS.path(namespace), Target("create", CONFIG_MAPS, namespace),
                query={"fieldValidation": "Foo"}, body=config_map("a"),
            )  # fmt: skip

        assert refused.value.message.endswith(
            'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Foo": '
            'supported values: "", "Ignore", "Strict", "Warn"'
        )
        assert causes(refused.value) == {("FieldValueNotSupported", "fieldValidation")}

    @pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
    async def test_a_body_has_its_limit(self, client: Client, namespace: str) -> None:
        with pytest.raises(KubernetesError) as refused:
            await make(client, namespace, "a", x="x" * LARGEST)

        assert refused.value.status == 413
        assert refused.value.reason == "RequestEntityTooLarge"
        assert refused.value.message.endswith("Request entity too large: limit is 3145728")
