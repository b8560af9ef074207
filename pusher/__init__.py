"""Wakes sleeping SIP softphones.

Read it along the three walks: a push (`bus/listener`, `flows/accept_push`, `tasks/push`, `flows/deliver_push`,
`flows/settle_push`), a registration (`flows/accept_registration`, `flows/answer_waiting`, `tasks/devices`,
`flows/learn_device`), a setting (`cli/maintenance`, `documents/system_config`). `ports.py` shows what flows need,
`wiring.py` how it is put together.
"""

__version__ = "0.1.0"
