import pytest

from blox_store.passwords import without_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no secret in http://host:80/a here", "no secret in http://host:80/a here"),
        ("write to a@b.org: 3 files", "write to a@b.org: 3 files"),
        ("postgresql://u:geheim@h/db and more", "postgresql://u:***@h/db and more"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        ("redis://:geheim@h:6379/0", "redis://:***@h:6379/0"),
        ("redis://:ge%40he%2Fim%3A@h:6379/0", "redis://:***@h:6379/0"),
        ("redis://:ge@he/im:@h:6379/0", "redis://:***@h:6379/0"),
        ("redis://:a@h redis://:b@h", "redis://:***@h redis://:***@h"),
        ("'host=h password=geheim user=u'", "'host=h password=*** user=u'"),
        ("?sslmode=require&PASSWORD=geheim&x=y", "?sslmode=require&PASSWORD=***&x=y"),
    ],
)
def test_passwords_are_not_shown(text, shown):
    assert without_passwords(text) == shown
