"""Telling words from data in names."""

import base64
import secrets

import pytest

from runner.report.network_names import looks_made, owner_of


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("a.test", "a.test"),
        ("x.y.a.test", "a.test"),
        ("www.shop.co.uk", "shop.co.uk"),
        ("co.uk", "co.uk"),
        ("data.me.github.io", "me.github.io"),
        ("github.io", "github.io"),
    ],
)
def test_the_owner_is_found_by_the_public_suffix_list(name: str, owner: str) -> None:
    assert owner_of(name) == owner


@pytest.mark.parametrize(
    "name",
    [
        "example.test",
        "api.example.test",
        "cdn-lfs-us-1.example.test",
        "generativelanguage.apis.test",
        "release-assets.usercontent.test",
        "registry-1.images.test",
        "archive2024.example.test",
        "s3.eu-central-1.cloud.test",
        "files.pythonic.test",
        "node-01.db.internal.example.test",
    ],
)
def test_words_that_people_choose_are_not_taken_for_data(name: str) -> None:
    assert not looks_made(name)


@pytest.mark.parametrize(
    "name",
    [
        "deadbeef01234567.x.test",
        "4242424242424242.x.test",
        "mfrggzdfmztwq2lknnwg23tpobyx.x.test",
        "a.b.c.d.e.x.test",
        "one-long-label-made-of-words-that-says-a-lot.x.test",
        "deadbeefdeadbeefdeadbeefdeadbeef.test",
        "x.1f2e3d4c5b6a.below.x.test",
    ],
)
def test_encoded_data_is_recognised(name: str) -> None:
    assert looks_made(name)


def test_random_bytes_are_recognised_in_every_usual_spelling() -> None:
    for _ in range(200):
        data = secrets.token_bytes(20)
        assert looks_made(f"{data.hex()}.x.test")
        assert looks_made(f"{base64.b32encode(data).decode().lower()}.x.test")
