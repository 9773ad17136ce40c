"""The policy page is generated, complete, and its example is a policy that loads."""

from pathlib import Path

from runner.model.policy import Policy
from runner.report.policy_doc import EXAMPLE, policy_page, policy_table
from runner.store.policy_files import explain, load_policy

PAGE = Path(__file__).parents[3] / "docs" / "policies.md"


def test_the_page_in_docs_is_the_one_that_the_code_writes() -> None:
    assert PAGE.read_text() == policy_page()


def test_every_field_has_a_row_with_type_and_meaning() -> None:
    rows = [line.strip("| ").split(" | ") for line in policy_table().split("\n")[2:]]
    keys = {row[0].strip("`") for row in rows}
    for table, field in Policy.model_fields.items():
        inner = getattr(field.annotation, "model_fields", {})
        assert all(f"{table}.{name}" in keys or f"[[{table}.{name}]]" in keys for name in inner)
    assert {"description", "extends", "[[mounts]]", "mounts[].source", "network.inject[].secret"} <= keys
    assert all(len(row) == 4 and row[1] and row[3].endswith(".") for row in rows)


def test_the_table_names_units_and_choices_as_a_file_writes_them() -> None:
    table = policy_table()
    assert '| `limits.memory` | size | `"4GiB"` |' in table
    assert '| `limits.idle` | duration | `"15m"` |' in table
    assert '| `network.mode` | `"none"` or `"allow"` or `"open"` | `"none"` |' in table
    assert '| `mounts[].mode` | `"ro"` or `"rw"` | `"ro"` |' in table


def test_the_example_on_the_page_loads_and_says_what_it_shows(tmp_path: Path) -> None:
    assert f"```toml\n{EXAMPLE}```" in PAGE.read_text()
    path = tmp_path / "example.toml"
    path.write_text(EXAMPLE)
    loaded = load_policy(str(path), home=Path("/home/me"))
    assert loaded.policy.network.allow == ("@python", "github.com", "*.example.com", "db.example.com:5432")
    assert loaded.policy.mounts[0].source == "/home/me/datasets/imagenet-mini"
    assert loaded.policy.limits.wall_clock == 5400
    origins = {row.key: row.origin for row in explain(loaded)}
    assert origins["limits.memory"].startswith(f"{path}:")
    assert origins["limits.pids"].split(":")[0].endswith("offline.toml")
