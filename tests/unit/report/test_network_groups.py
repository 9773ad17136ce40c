"""What a policy's groups stand for."""

from runner.model.policy import Network
from runner.report.network_groups import group_cells, groups_in, unknown_groups

NETWORK = Network(mode="allow", allow=("@forge", "a.test", "@python", "@none"), deny=("@forge",))
GROUPS = {"forge": ("forge.test", "api.forge.test:8443")}


def test_each_group_is_told_once_with_each_of_its_entries() -> None:
    assert list(group_cells(NETWORK, GROUPS, {"python"})) == [
        ("@forge", "forge.test"),
        ("", "api.forge.test:8443"),
        ("@python", "what the image's own tools are set to use: add --image base, or another one"),
        ("@none", "no group is called this, and a run would be refused"),
    ]


def test_a_group_that_an_image_explains_shows_its_hosts_or_that_there_are_none() -> None:
    network = Network(mode="allow", allow=("@python", "@npm"))
    cells = list(group_cells(network, {"python": ("mirror.test",), "npm": ()}, {"python", "npm"}))
    assert cells == [
        ("@python", "mirror.test"),
        ("@npm", "nothing: the image has no such tool, or none with a registry"),
    ]


def test_groups_that_nobody_defines_are_found() -> None:
    assert groups_in(NETWORK) == ("forge", "python", "none")
    assert unknown_groups(NETWORK, {"forge", "python"}) == ("none",)
