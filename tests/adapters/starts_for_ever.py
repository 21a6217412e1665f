"""Has a child, says so in a folder, and never finishes its import."""

import os
import subprocess
import time

_child = subprocess.Popen(["sleep", "600"])
with open(os.path.join(os.environ["CHILDREN"], str(_child.pid)), "w", encoding="ascii"):
    pass
time.sleep(600)
