"""The cache of an installation whose Redis is away."""

from lagpdb.cache import SharedCache


def test_counts_go_on_in_memory_while_redis_is_away():
    cache = SharedCache("redis://127.0.0.1:1/0", {"OPTIONS": {"socket_connect_timeout": 1}})
    cache.clear()
    assert cache.get("tries", 0) == 0
    cache.set("tries", 1)
    assert cache.incr("tries") == 2
    assert not cache.add("tries", 5)
    assert cache.get_many(["tries", "others"]) == {"tries": 2}
    assert "tries" in cache
    assert cache.delete("tries")
    assert "tries" not in cache
