"""Honest stand-ins for what surrounds Pusher, over real TLS, HTTP/2 and AMQP: for the demo, the tests and operators.

Reading order: authority (credentials), misbehaviour (what can go wrong), ledger (what was seen), server with
server_connection, stream_rules, server_h2 and acting; apple with its certificate and credentials, firebase with its
message, token_server with its grants; phone, handset and proxy; sip_fields, sip_message, sip_digest, sip_registrations,
sip_reply, sip_session, sip_calls and sip_handset. None of them uses Pusher's own provider or HTTP/2 code.
"""
