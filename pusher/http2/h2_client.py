"""h2's connection as Pusher wants it: announced limits, no work done twice, memory bounded over days."""

import logging

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings

from pusher.http2.fields import PlainEncoder

#: Provider answers are a few hundred bytes of JSON; what is longer is a stream error.
MAX_BODY_BYTES = 65_536
#: Names, values and 32 bytes each, as SETTINGS_MAX_HEADER_LIST_SIZE counts them.
MAX_HEADER_BYTES = 16_384
#: More than a body may have, so that no stream ever waits for a WINDOW_UPDATE of ours.
_STREAM_WINDOW = 2 * MAX_BODY_BYTES
_CONNECTION_WINDOW = 2**24


class H2Client(H2Connection):
    """h2 looks at every stream to count the open ones, for each request anew. Here the count is given."""

    #: How many streams are open; to be set before headers are sent.
    in_use = 0

    @property
    def open_outbound_streams(self) -> int:
        """Return the count as given, except when enough streams closed that h2 should forget them."""
        return super().open_outbound_streams if len(self.streams) > 2 * self.in_use + 64 else self.in_use


def start_h2() -> H2Client:
    """Return a connection whose preface waits to be sent."""
    # At debug level hpack logs whole header blocks: device tokens and keys.
    logging.getLogger("hpack").setLevel(logging.INFO)
    # Our fields are lower case and checked: h2 would do both again, for a fifth of a request's time.
    configuration = H2Configuration(
        client_side=True,
        header_encoding=None,
        normalize_outbound_headers=False,
        validate_outbound_headers=False,
    )
    connection = H2Client(configuration)
    connection.encoder = PlainEncoder()
    connection.local_settings = Settings(
        client=True,
        initial_values={
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADER_BYTES,
        },
    )
    connection.initiate_connection()
    connection.increment_flow_control_window(_CONNECTION_WINDOW)
    return connection
