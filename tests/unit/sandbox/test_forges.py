"""The forges' host keys are the ones whose fingerprints the forges publish."""

from __future__ import annotations

import base64
import hashlib

from runner.sandbox.forges import KNOWN_HOSTS

PUBLISHED = {
    ("github.com", "ssh-ed25519"): "+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
    ("github.com", "ecdsa-sha2-nistp256"): "p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM",
    ("gitlab.com", "ssh-ed25519"): "eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
    ("gitlab.com", "ecdsa-sha2-nistp256"): "HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw",
    ("bitbucket.org", "ssh-ed25519"): "ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
    ("bitbucket.org", "ecdsa-sha2-nistp256"): "FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0",
}


def fingerprint(key: str) -> str:
    return base64.b64encode(hashlib.sha256(base64.b64decode(key, validate=True)).digest()).decode().rstrip("=")


def test_every_host_key_has_the_fingerprint_that_its_forge_publishes() -> None:
    found = {(host, kind): fingerprint(key) for host, kind, key in map(str.split, KNOWN_HOSTS.splitlines())}
    assert found == PUBLISHED
