"""What people are told about a model that serves, and how the message gets to them.

``causes`` reads health and ledger, ``course`` lets alerts fire, change and end, ``outbox`` knows
what each target has not been told, ``post`` and ``mail`` send. Nothing here stops the loop: what
cannot be sent waits in the store. See docs/alerts.md. Each part is imported where it is needed,
since settings name targets and a server that starts waits for no library.
"""
