"""The sns source for tests, and the messages that SNS sends to it."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.sources._providers.ministack import ACCESS, REGION, SECRET
from tiphys.testing.push_sources import PushSourceContract, Sent

TOPIC = f"arn:aws:sns:{REGION}:000000000000:orders"
HEADERS = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification"}
KEYS = {
    "accessKey": {"name": "aws", "key": "access"},
    "secretKey": {"name": "aws", "key": "secret"},
}


def notification(text: str = "hello", **members: Any) -> dict[str, Any]:
    """An envelope as SNS sends it, without a signature."""
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "My First Message",
        "Message": text,
        "Timestamp": "2012-05-02T00:54:06.655Z",
        **members,
    }


def sent(message: Any) -> Sent:
    return Sent(json.dumps(message).encode(), HEADERS)


class SNSSource(PushSourceContract):
    """A topic without keys."""

    key = "sns"

    def block(self) -> dict[str, Any]:
        return {"topicArn": TOPIC, "region": REGION}

    def full_block(self, port: int, /, **context: Any) -> dict[str, Any]:
        """The port may be part of the URL."""
        if "url" in context:
            context["url"] = context["url"].replace("{port}", str(port))
        return super().full_block(port, **context)

    def request(self, n: int) -> Sent:
        return sent(notification(str(n), MessageId=f"id-{n}"))

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"]["Message"])

    def secrets(self) -> dict[str, str]:
        return {"aws/access": ACCESS, "aws/secret": SECRET}


sns = SNSSource()
