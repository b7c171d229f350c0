"""A parser gone mad, for tests: with this folder on PYTHONPATH, the fence's child misbehaves as the file's name says.

Python imports a module of this name at its start. Only the child that parses vendor files is touched.
"""

import os
import sys
import time

if "measurements.fence" in sys.orig_argv:
    from measurements.readers import recognise

    _read_file = recognise.read_file

    def read_file(path, name, **choices):
        """Read the file, or do what its name says."""
        if "abort" in name:
            os.abort()
        if "exit" in name:
            os._exit(3)
        if "memory" in name:
            eaten = []
            while True:
                eaten.append(bytearray(64 * 1024**2))
        if "loop" in name:
            while True:
                pass
        if "slow" in name:
            time.sleep(1.5)
        if "bug" in name:
            raise KeyError("a mistake of ours")
        if "print" in name:
            print("a library that talks", flush=True)
            os.write(1, b'{"sentence": "forged"}\n')
        return _read_file(path, name, **choices)

    recognise.read_file = read_file
