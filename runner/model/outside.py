"""Settings as the environment has them: loaded only where there is something to read, for it takes a while."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict

from runner.model.settings import Settings


class OutsideSettings(Settings, BaseSettings):
    """`Settings` that take from `PADDOCK_<NAME>` what they are not given."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="PADDOCK_")  # type: ignore[mutable-override] # how pydantic-settings is told
