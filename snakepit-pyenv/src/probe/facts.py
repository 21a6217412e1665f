# Answers the probe's question. It must run, and answer, on every Python there ever was from 2.7 on: an old one is to be
# reported as old, not as broken.
import sys

# With `-c` the current folder is first: a `json.py` of the user's is none of ours.
sys.path[:] = [entry for entry in sys.path if entry]

import json
import os


def raw(path):
    return list(bytearray(os.fsencode(path or "")))


def installed_bridge():
    from importlib.util import find_spec

    try:
        spec = find_spec("snakepit_bridge")
    except Exception:
        return None
    if spec is None or not spec.origin:
        return None
    # Imported here, because it is slow and mostly not needed.
    from importlib import metadata

    try:
        version = metadata.version("snakepit-bridge")
    except Exception:
        return None
    return {"version": version, "folder": raw(os.path.dirname(os.path.dirname(spec.origin)))}


def facts():
    implementation = getattr(sys, "implementation", None)
    answer = {
        "version": list(sys.version_info[:3]),
        "implementation": implementation.name if implementation else "cpython",
    }
    if sys.version_info < (3, 9):
        return answer
    import sysconfig

    answer["rest"] = {
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil_enabled": bool(getattr(sys, "_is_gil_enabled", lambda: True)()),
        "executable": raw(sys.executable),
        "prefix": raw(sys.prefix),
        "extension_suffix": sysconfig.get_config_var("EXT_SUFFIX") or "",
        "bridge": installed_bridge(),
    }
    return answer


# `sys.stdout` may have been replaced, and may hold what was printed before: the descriptor is ours.
text = "<<<snakepit " + sys.argv[1] + json.dumps(facts()) + "snakepit " + sys.argv[1] + ">>>"
left = text.encode("ascii")
while left:
    left = left[os.write(1, left) :]
