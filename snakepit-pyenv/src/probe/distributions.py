# Lists what is installed: names and versions of distributions, by their metadata.
import sys

sys.path[:] = [entry for entry in sys.path if entry]

import json
import os
from importlib import metadata

found = {}
for distribution in metadata.distributions():
    try:
        name, version = distribution.metadata["Name"], distribution.version
    except Exception:
        # Broken metadata of one package is no reason to know nothing of the others.
        continue
    # The first on the path is the one that is imported.
    if name and name not in found:
        found[name] = version or ""

text = "<<<snakepit " + sys.argv[1] + json.dumps(found) + "snakepit " + sys.argv[1] + ">>>"
left = text.encode("ascii")
while left:
    left = left[os.write(1, left) :]
