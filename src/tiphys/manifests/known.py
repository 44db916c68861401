"""
The event types and trigger types of Argo Events, whether or not this version has them.

Each list is in the order of the original, which decides where several are given (spec: event
sources 1.1, sensors 1.7).
"""

from __future__ import annotations

from typing import Literal

Replicas = Literal["one", "many"]
"""May several replicas run at once: ``many`` (active-active), or does one lead: ``one``."""

EVENT_TYPES: dict[str, Replicas] = {
    "amqp": "one",
    "azureEventsHub": "one",
    "azureQueueStorage": "many",
    "azureServiceBus": "one",
    "bitbucket": "many",
    "bitbucketserver": "many",
    "calendar": "one",
    "emitter": "one",
    "file": "one",
    "generic": "one",
    "gerrit": "many",
    "github": "many",
    "gitlab": "many",
    "hdfs": "one",
    "kafka": "one",
    "minio": "one",
    "mns": "many",
    "mqtt": "one",
    "nats": "one",
    "nsq": "one",
    "pubSub": "one",
    "pulsar": "one",
    "redis": "one",
    "redisStream": "one",
    "resource": "one",
    "sftp": "one",
    "slack": "many",
    "sns": "many",
    "sqs": "many",
    "storageGrid": "many",
    "stripe": "many",
    "webhook": "many",
}

TRIGGER_TYPES = (
    "k8s",
    "argoWorkflow",
    "http",
    "awsLambda",
    "azureEventHubs",
    "azureServiceBus",
    "kafka",
    "pulsar",
    "nats",
    "slack",
    "openWhisk",
    "custom",
    "log",
    "email",
)
