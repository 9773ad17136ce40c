"""Environment variables: what steers a program of ours is refused with the reason."""

import pytest

from runner.model.environment import environment_fault


@pytest.mark.parametrize("name", ["CI", "_x", "a1", "LDAP_HOST", "GITHUB_ACTIONS", "HOMEPAGE", "PATHS", "ENVIRONMENT"])
def test_ordinary_variables_may_be_set(name: str) -> None:
    assert environment_fault(name, "any = value, really: 'ü'") == ""


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD", "LD_LIBRARY_PATH", "GIT_DIR", "GIT_SSH_COMMAND", "PADDOCK_RUN", "PYTHONPATH", "PYTHONSTARTUP",
        "HOME", "PATH", "BASH_ENV", "ENV", "NODE_OPTIONS", "IFS", "PROMPT_COMMAND", "PERL5OPT", "RUBYOPT", "ld_preload",
    ],
)  # fmt: skip
def test_steering_variables_are_refused_with_the_reason(name: str) -> None:
    assert environment_fault(name, "x").startswith(f"{name} may not be set: ")


@pytest.mark.parametrize(
    "name", ["", "1A", "A B", "A=B", "A-B", "--privileged", "Ä", "A\n", "A\0", "BASH_FUNC_x%%", "A" * 129]
)
def test_odd_names_are_refused(name: str) -> None:
    fault = environment_fault(name, "x")
    assert "is not a variable's name" in fault
    assert fault.isprintable()


@pytest.mark.parametrize("value", ["a\nb", "a\0b", "a\rb", "ü" * 20_000])
def test_values_are_one_line_of_bounded_length_and_never_repeated(value: str) -> None:
    fault = environment_fault("A", value)
    assert fault.startswith("the value of A ")
    assert len(fault) < 120
