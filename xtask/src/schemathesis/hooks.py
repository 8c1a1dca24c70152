"""Teaches schemathesis the bodies that are bytes."""

import schemathesis


def as_bytes(ctx, value):
    if isinstance(value, bytes):
        return value
    to_bytes = getattr(value, "data", None)
    return to_bytes if isinstance(to_bytes, bytes) else str(value).encode("utf-8", "replace")


for media in ("application/wasm", "application/vnd.lockstep.dir"):
    schemathesis.serializer(media)(as_bytes)
