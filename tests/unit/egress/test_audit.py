"""One line for each decision, which no name can forge, push out or tear."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress.audit import Entry, omitted, open_audit, summary
from runner.errors import StoreError
from runner.model.network import NetworkRow


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


@given(name=st.text(max_size=400), reason=st.text(max_size=400))
def test_whatever_a_name_holds_a_line_is_one_line_of_ascii(
    name: str, reason: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("audit") / "egress.jsonl"
    with open_audit(path) as audit:
        audit.note(Entry(kind="connect", name=name, port=443, reason=reason))
    data = path.read_bytes()
    assert data.isascii()
    assert data.count(b"\n") == 1
    assert b"\x1b" not in data
    assert len(data) < 5000
    assert lines(path)[0]["name"] == name[:300].encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def test_a_forged_line_in_a_name_stays_in_the_name(tmp_path: Path) -> None:
    path = tmp_path / "egress.jsonl"
    forged = 'x"}\n{"kind":"connect","verdict":"allowed","name":"good.test","reason":"listed"}'
    with open_audit(path) as audit:
        audit.note(Entry(kind="connect", name=forged, port=1, reason="not-a-name"))
    assert [(row.name, row.verdict) for row in summary(path)] == [(forged, "refused")]


def test_only_its_owner_reads_it_and_a_link_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "egress.jsonl"
    with open_audit(path):
        assert path.stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(StoreError, match="cannot be written"), open_audit(tmp_path / "link"):
        pass


def test_lookups_cannot_push_out_connections(tmp_path: Path) -> None:
    path = tmp_path / "egress.jsonl"
    with open_audit(path, limit=20_000) as audit:
        for number in range(1000):
            audit.note(Entry(kind="lookup", name=f"{number}.test", reason="not-listed"))
        assert audit.promise()
        audit.keep(Entry(kind="connect", name="late.test", port=443, verdict="allowed", reason="listed"))
    assert path.stat().st_size <= 20_000
    assert "late.test" in [line.get("name") for line in lines(path)]
    last = lines(path)[-1]
    written = sum(line["kind"] == "lookup" for line in lines(path))
    assert (last["kind"], last["omitted"]) == ("truncated", 1000 - written)


def test_without_room_for_its_line_no_connection_is_promised(tmp_path: Path) -> None:
    with open_audit(tmp_path / "egress.jsonl", limit=5000) as audit:
        assert [audit.promise() for _ in range(4)] == [True, True, False, False]


def test_a_full_disk_is_said_and_ends_all_promises() -> None:
    with open_audit(Path("/dev/full")) as audit:
        audit.note(Entry(kind="lookup", name="a.test", reason="not-listed"))
        assert "space" in audit.broken
        assert not audit.promise()


def test_the_summary_adds_up(tmp_path: Path) -> None:
    path = tmp_path / "egress.jsonl"
    good = Entry(kind="connect", name="a.test", port=443, verdict="allowed", reason="listed", bytes_up=1, bytes_down=2)
    with open_audit(path) as audit:
        for _ in range(3):
            audit.promise()
            audit.keep(good)
        audit.note(Entry(kind="lookup", name="b.test", reason="not-listed"))
        audit.note(Entry(kind="protocol", reason="malformed-line"))
    with path.open("a") as file:
        file.write('{"kind": "connect", "na')
    assert summary(path) == (
        NetworkRow(name="", port=None, verdict="refused", reason="malformed-line", count=1),
        NetworkRow(name="b.test", port=None, verdict="refused", reason="not-listed", count=1),
        NetworkRow(name="a.test", port=443, verdict="allowed", reason="listed", count=3, bytes_up=3, bytes_down=6),
    )


def test_without_a_file_there_is_nothing_to_sum_up(tmp_path: Path) -> None:
    assert summary(tmp_path / "none.jsonl") == ()


def test_what_a_full_file_is_without_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "egress.jsonl"
    with open_audit(path, limit=4000) as audit:
        audit.note(Entry(kind="connect", name="a.test", port=1, reason="not-listed"))
        assert omitted(path) == 0
        for _ in range(20):
            audit.note(Entry(kind="lookup", name="b.test", reason="not-listed"))
    assert omitted(path) == 20
    assert omitted(tmp_path / "none.jsonl") == 0
