"""Variables that hold secrets are known by their names; ordinary words that look like one are not."""

from __future__ import annotations

import pytest

from runner.model.secret_names import is_secret_name


@pytest.mark.parametrize(
    "name",
    ["API_KEY", "apikey", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "TOKENS", "DB_PASSWORD", "PGPASSWORD", "PASSWD",
     "PASS", "SSHPASS", "DB_PASS", "PASS_FILE", "GPG_PASSPHRASE", "PASSCODE", "MYSQL_PWD", "AWS_CREDENTIALS", "CREDS",
     "NPM_AUTH", "BASIC_AUTH", "OAUTH_CLIENT", "AUTHORIZATION", "SESSION_COOKIE", "SENTRY_DSN", "JWT", "SESSION_ID",
     "PRIVATE_PEM", "GITHUB_PAT", "PAT", "AZURE_PAT_2", "BEARER", "KEYBOARD_KEY", "AUTHOR_TOKEN"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["CI", "PATTERN", "DATA_PATH", "COMPATIBLE", "AUTHOR_NAME", "XAUTHORITY", "COMPASSES", "PASSENGERS", "OLDPWD",
     "TOKENIZERS_PARALLELISM", "MAX_TOKENS", "AGENT_MAX_OUTPUT_TOKENS", "KEYBOARD_LAYOUT", "KEYWORDS", "DATABASE_URL"],
)  # fmt: skip
def test_names_of_nothing_secret(name: str) -> None:
    assert not is_secret_name(name)
