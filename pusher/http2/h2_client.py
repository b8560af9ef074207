"""h2's connection as Pusher wants it. It sees what holds for the connection as a whole; no stream reaches it."""

import logging

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings

from pusher.http2.announced import MAX_HEADER_BYTES, MORE_WINDOW, STREAM_WINDOW
from pusher.http2.fields import FieldEncoder


def start_h2(encoder: FieldEncoder) -> H2Connection:
    """Return a connection whose preface waits to be sent; it tells `encoder` how large a table the peer allows."""
    # At debug level hpack logs whole header blocks.
    logging.getLogger("hpack").setLevel(logging.INFO)
    connection = H2Connection(H2Configuration(client_side=True))
    # h2 sets the table's size as it acknowledges SETTINGS, and asks nothing else of it.
    connection.encoder = encoder  # type: ignore[assignment]
    connection.local_settings = Settings(
        client=True,
        initial_values={
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADER_BYTES,
        },
    )
    connection.initiate_connection()
    connection.increment_flow_control_window(MORE_WINDOW)
    return connection
