"""Templates: a head, a text, and the user's words put in once and never read again."""

from __future__ import annotations

import pytest

from runner.errors import UsageError
from runner.model.template import Template, parse_template, render

HEAD = '+++\ndescription = "What it is for."\nresult = "answer"\n+++\n'


def template(text: str, head: str = HEAD) -> Template:
    return parse_template("mine", head + text, place="/t/mine.md")


def test_the_words_go_where_the_prompt_is_and_the_result_comes_along() -> None:
    assert render(template("Do:\n\n{prompt}\n\nThen stop.\n"), " this ") == ("Do:\n\nthis\n\nThen stop.\n", "answer")


def test_a_result_that_is_not_named_is_a_branch() -> None:
    assert template("{prompt}", '+++\ndescription = "x"\n+++\n').result == "branch"


def test_lines_with_a_check_are_there_only_with_one() -> None:
    with_check = template("{prompt}\nRun `{check}` last.\nEnd.\n")
    assert render(with_check, "x")[0] == "x\nEnd.\n"
    assert render(with_check, "x", check="make test")[0] == "x\nRun `make test` last.\nEnd.\n"


def test_what_is_put_in_is_not_looked_at_again() -> None:
    assert render(template("{prompt} {check}"), "{check} {prompt} {x}", check="{prompt}")[0] == (
        "{check} {prompt} {x} {prompt}\n"
    )


def test_other_braces_stay() -> None:
    assert render(template('{"a": {prompt}} {} {0}'), "1")[0] == '{"a": 1} {} {0}\n'


def test_words_may_be_left_out_only_where_the_template_has_its_own() -> None:
    own = template("{prompt}", '+++\ndescription = "x"\nusual = "the usual"\n+++\n')
    assert render(own, "  ")[0] == "the usual\n"
    assert render(own, "mine")[0] == "mine\n"
    with pytest.raises(UsageError, match="`mine` needs words") as caught:
        render(template("{prompt}"), "")
    assert "--template mine" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{prompt}", "begins with a head"),
        ('+++\ndescription = "x"\n{prompt}', "begins with a head"),
        ("+++\ndescription = \n+++\n{prompt}", "Invalid value"),
        ('+++\nresult = "answer"\n+++\n{prompt}', "description: Field required"),
        ('+++\ndescription = "x"\nresult = "poem"\n+++\n{prompt}', "result: Input should be"),
        ('+++\ndescription = "x"\nmodel = "y"\n+++\n{prompt}', "model: Extra inputs"),
        ('+++\ndescription = "x"\n+++\nwithout a place', r"there is no {prompt} in it"),
        ('+++\ndescription = "x"\nname = "other"\n+++\n{prompt}', "name: Extra inputs"),
    ],
)
def test_a_file_that_is_no_template_is_named_with_what_is_wrong(content: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_template("mine", content, place="/t/mine\x1b.md")
    assert caught.value.message.startswith(r"Template /t/mine\x1b.md: ")
    assert says in caught.value.message


def test_a_head_may_have_windows_line_ends() -> None:
    assert template("{prompt}\r\n", HEAD.replace("\n", "\r\n")).text == "{prompt}\n"
