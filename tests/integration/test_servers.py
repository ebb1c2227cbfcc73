import redis


def test_the_redis_server_keeps_what_it_is_given(redis_url):
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    client.rpush("queue", "1", "2")
    assert client.lrange("queue", 0, -1) == ["1", "2"]
    client.close()
