"""The Docker SDK, for what is rare: building, fetching, importing and removing images. Loaded when first needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from runner.sandbox.docker_api import API_TIMEOUT, EngineApi
from runner.sandbox.docker_http import refusal

if TYPE_CHECKING:
    from docker import APIClient


@contextmanager
def sdk(api: EngineApi) -> Iterator[APIClient]:
    """The SDK's client of the same engine; inside, its errors become those that `EngineApi` raises."""
    from docker import APIClient
    from docker.errors import APIError, DockerException
    from requests.exceptions import ReadTimeout, RequestException
    from urllib3.exceptions import HTTPError

    try:
        client = APIClient(base_url=api.address, version=api.api_version, timeout=int(API_TIMEOUT))
        # requests would look at proxy variables and ~/.netrc for every call; the engine is asked without them.
        client.trust_env = False
        with closing(client):
            yield client
    except APIError as error:
        raise refusal(error.status_code or 0, str(error.explanation or error)) from error
    except ReadTimeout as error:
        raise TimeoutError(str(error)) from error
    except (DockerException, RequestException, HTTPError) as error:
        raise ConnectionError(str(error)) from error
