"""Where a record says that it comes from."""

from app_repro.records import provenance


def test_outside_a_checkout_the_images_commit_is_named(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")  # no git
    monkeypatch.delenv("APP_REPRO_REVISION", raising=False)
    assert provenance.collect({})["git"] == {"commit": None, "dirty": None}
    monkeypatch.setenv("APP_REPRO_REVISION", "0123abc")
    assert provenance.collect({})["git"] == {"commit": "0123abc", "dirty": None}
