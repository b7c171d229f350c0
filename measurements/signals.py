"""How measurements speak upwards: `analysis` listens, measurements need not know of it."""

from django.dispatch import Signal

# Measurements were made from a file, inside the transaction. Sent with `measurements` (list) and `upload_file`.
measurement_stored = Signal()
