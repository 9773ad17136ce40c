"""What is to be trusted is shown whole or named as not shown, and none of it can pass for Paddock's own words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.escape import is_plain
from runner.model.offer import Offer, OfferedFile
from runner.report.offer import MOST_SHOWN, MOST_SHOWN_IN_ALL, offer_lines

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\x1b\n\r\u202e"))
DOCKERFILE = OfferedFile("Dockerfile", 0o644, b"FROM debian\nRUN\tx\n")


def lines(*files: OfferedFile) -> list[str]:
    return list(offer_lines(Offer(origin=".paddock/Dockerfile", dockerfile="Dockerfile", files=files)))


def test_the_dockerfile_comes_first_and_the_digest_last() -> None:
    shown = lines(OfferedFile("a.sh", 0o755, b"echo\n"), DOCKERFILE)
    assert [line for line in shown if line.startswith("  |") or line.endswith(")")] == [
        "File Dockerfile (18 bytes)",
        "  | FROM debian",
        "  | RUN x",
        "File a.sh (5 bytes, a program)",
        "  | echo",
    ]
    assert shown[-1].startswith("Digest: sha256:")


def test_what_is_not_shown_is_named_with_its_own_digest() -> None:
    long = OfferedFile("long", 0o644, b"x" * (MOST_SHOWN + 1))
    binary = OfferedFile("binary", 0o755, b"\x7fELF\0")
    many = [OfferedFile(f"m{n}", 0o644, b"y" * MOST_SHOWN) for n in range(MOST_SHOWN_IN_ALL // MOST_SHOWN + 1)]
    text = "\n".join(lines(DOCKERFILE, long, binary, *many))
    assert f"not shown: it is longer than {MOST_SHOWN} bytes; {long.digest}" in text
    assert f"not shown: it is no text; {binary.digest}" in text
    assert text.count("too much is shown already") == 2
    assert len(text) < 2 * MOST_SHOWN_IN_ALL


def test_a_name_without_a_digest_is_told_to_be_movable() -> None:
    told = "what it stands for may change"
    plain, pinned = (
        "\n".join(offer_lines(Offer(origin="o", reference=name))) for name in ("a:1", f"a@sha256:{'0' * 64}")
    )
    assert told in plain
    assert told not in pinned


@given(TEXT, st.binary(), TEXT, TEXT)
def test_no_text_of_a_repository_steers_the_terminal_or_forges_a_line(
    path: str, data: bytes, argument: str, ignored: str
) -> None:
    offer = Offer(
        origin=".paddock/Dockerfile",
        dockerfile="Dockerfile",
        files=(DOCKERFILE, OfferedFile(f"{path}.", 0o644, data)),
        arguments={argument: ignored},
        ignored=(ignored,),
        left_out=(path,),
    )
    shown = list(offer_lines(offer))
    assert all(map(is_plain, shown))
    ours = ("  ", "File ", "Offered by .paddock/Dockerfile:")
    assert [line for line in shown if line and not line.startswith(ours)] == [shown[-1]]
