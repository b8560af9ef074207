"""h2's server side, as tolerant as a vendor's: what h2 ends a connection over, `stream_rules.py` decides."""

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes


class ServerH2(H2Connection):
    """Takes any number of streams, and sends bodies of any size."""

    def __init__(self) -> None:
        super().__init__(H2Configuration(client_side=False, header_encoding=None))
        self._unsent: dict[int, bytes] = {}

    @property
    def open_inbound_streams(self) -> int:
        """None, for h2 to know: it would end the connection over one too many."""
        # The count is taken for what it does besides: it drops the closed streams.
        return 0 * super().open_inbound_streams

    def start(self, *, stream_limit: int, stream_window: int) -> None:
        """Announce our settings."""
        self.initiate_connection()
        # h2's own first SETTINGS would announce its default limit before ours.
        self.clear_outbound_data_buffer()
        self.update_settings(
            {
                SettingCodes.MAX_CONCURRENT_STREAMS: stream_limit,
                SettingCodes.INITIAL_WINDOW_SIZE: stream_window,
            }
        )

    def limit_streams(self, limit: int) -> None:
        """Announce a new MAX_CONCURRENT_STREAMS."""
        self.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: limit})

    def send_body(self, stream_id: int, body: bytes) -> bool:
        """Send `body` as far as the client's windows let it pass; True when that was all of it."""
        while body:
            room = min(self.local_flow_control_window(stream_id), self.max_outbound_frame_size)
            if room <= 0:
                self._unsent[stream_id] = body
                return False
            part, body = body[:room], body[room:]
            self.send_data(stream_id, part, end_stream=not body)
        return True

    def send_unsent(self) -> list[int]:
        """Go on with the bodies that waited for a window; return the streams that are done."""
        waiting, self._unsent = self._unsent, {}
        return [stream_id for stream_id, body in waiting.items() if self.send_body(stream_id, body)]

    def drop_unsent(self, stream_id: int) -> None:
        """Forget what the stream still had to send."""
        self._unsent.pop(stream_id, None)
