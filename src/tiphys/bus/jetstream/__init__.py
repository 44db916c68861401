"""
The JetStream driver.

``names``: what things are called on the wire; ``settings``: what the user may set; ``connection``
(on ``_client``): the link; ``api``, ``stream``: JetStream's own requests; ``publisher``;
``durables``, ``pull``, ``arrival``, ``consumer``, ``redelivery``: how messages reach a trigger;
``reader``: how streams are read; ``state``, ``journal``: what lies in them; ``bus``: all of it
together.
"""

from tiphys.bus.jetstream.bus import JetStreamBus
from tiphys.bus.jetstream.settings import Credentials, Endpoint, StreamSettings

__all__ = ["Credentials", "Endpoint", "JetStreamBus", "StreamSettings"]
