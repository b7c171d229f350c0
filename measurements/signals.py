"""How measurements speak upwards: `analysis` listens, measurements need not know of it."""

from django.dispatch import Signal

# Measurements were made from a file, inside the transaction. Sent with `measurements` (list), `upload_file`, and
# `goes_on`: whether the sender performs the first run itself. Receivers answer with the runs that they queued.
measurement_stored = Signal()
