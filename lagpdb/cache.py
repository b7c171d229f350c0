"""The cache of an installation with Redis. It holds nothing but counts of tries, and these must not need a broker."""

from __future__ import annotations

from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError


class SharedCache(RedisCache):
    """Redis; while it is away, the memory of this process: people still sign in, and their tries are still counted."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._memory = LocMemCache("while Redis is away", params | {"OPTIONS": {}})


def _or_memory(name: str) -> Any:
    def method(self: SharedCache, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(super(SharedCache, self), name)(*args, **kwargs)
        except RedisError:
            return getattr(self._memory, name)(*args, **kwargs)

    method.__doc__ = getattr(BaseCache, name).__doc__
    return method


for _name in (
    "add",
    "get",
    "set",
    "touch",
    "delete",
    "get_many",
    "has_key",
    "incr",
    "set_many",
    "delete_many",
    "clear",
):
    setattr(SharedCache, _name, _or_memory(_name))
