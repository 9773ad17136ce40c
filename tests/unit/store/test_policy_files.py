"""Policy files: found, read, merged, validated, and every refusal with its file and line."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import PolicyError
from runner.model.policy import Policy
from runner.shipped import shipped
from runner.store.policy_files import LoadedPolicy, explain, list_policies, load_policy
from runner.store.policy_text import LARGEST_FILE

HOME = Path("/home/somebody")
PRESETS = ["ci", "node", "offline", "paranoid", "python", "research"]

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str | bytes, name: str = "p.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_file


def load(path: Path | str) -> LoadedPolicy:
    return load_policy(str(path), home=HOME)


def refusal(path: Path | str) -> str:
    with pytest.raises(PolicyError) as caught:
        load(path)
    return caught.value.message


# Shipped presets


def test_the_shipped_presets_are_listed_with_a_description() -> None:
    listed = dict(list_policies())
    assert sorted(listed) == PRESETS
    assert all(len(description) > 40 for description in listed.values())


@pytest.mark.parametrize("name", PRESETS)
def test_each_shipped_preset_loads_opens_with_its_description_and_reads_back(name: str) -> None:
    loaded = load(name)
    assert loaded.name == name
    assert loaded.files[0] == shipped("policies") / f"{name}.toml"
    assert loaded.files[0].read_text().startswith("description = ")
    assert Policy.model_validate_json(loaded.policy.model_dump_json()) == loaded.policy
    assert not loaded.policy.mounts
    assert not loaded.policy.sandbox.writable_root


def test_the_default_preset_says_what_an_empty_policy_means(write: Write) -> None:
    offline = load("offline").policy
    assert offline.model_copy(update={"description": ""}) == Policy()
    assert load(write("")).policy == Policy()


def test_paranoid_grants_no_more_than_any_other_preset() -> None:
    tightest = load("paranoid").policy.limits
    for name in PRESETS:
        limits = load(name).policy.limits
        for key in ("cpus", "memory", "pids", "disk", "files", "output", "wall_clock", "idle", "grace"):
            assert getattr(tightest, key) <= getattr(limits, key)


# Names


@pytest.mark.parametrize("name", ["offlne", "Offline", "nope", "", "groups", "off line", "-v", "a\0b", "\x1b[2J"])
def test_an_unknown_name_is_refused_with_the_names_that_there_are(name: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load(name)
    assert caught.value.exit_code == 30
    assert caught.value.message.isprintable()
    assert "\0" in name or "offline" in caught.value.hint


def test_a_near_miss_is_guessed() -> None:
    assert 'did you mean "offline"?' in refusal("offlne")


@pytest.mark.parametrize("name", ["./nope.toml", "nope.toml", "/nope/x", "x/" * 3000, "y" * 300 + ".toml"])
def test_a_missing_file_is_refused(name: str) -> None:
    message = refusal(name)
    assert "there is no such policy file" in message or "cannot be read" in message


def test_folders_of_the_user_add_presets_and_replace_none(write: Write, tmp_path: Path) -> None:
    write('description = "mine"', "mine.toml")
    write('description = "not the shipped one"', "offline.toml")
    write("a = ", "broken.toml")
    listed = dict(list_policies([tmp_path]))
    assert listed["mine"] == "mine"
    assert listed["offline"].startswith("The default.")
    assert listed["broken"].startswith("cannot be used: ")
    assert load_policy("mine", home=HOME, extra_dirs=[tmp_path]).policy.description == "mine"
    assert load_policy("offline", home=HOME, extra_dirs=[tmp_path]).policy == load("offline").policy


# What kind of file


def test_only_regular_files_are_read_and_a_fifo_does_not_wait(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.toml"
    os.mkfifo(fifo)
    assert "is not a regular file" in refusal(fifo)
    assert "is not a regular file" in refusal(f"{tmp_path}/")
    assert "is not a regular file" in refusal("/dev/zero")


def test_a_link_in_a_circle_is_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop.toml"
    loop.symlink_to(loop)
    assert "cannot be read" in refusal(loop)


def test_the_size_of_a_file_is_bounded(write: Write) -> None:
    assert load(write(b"#" * LARGEST_FILE)).policy == Policy()
    assert "is larger than 256 KiB" in refusal(write(b"#" * (LARGEST_FILE + 1)))


@pytest.mark.parametrize(
    ("data", "place", "sentence"),
    [
        (b"\xef\xbb\xbfa = 1", "1", "byte-order mark"),
        (b'\n\ndescription = "\xff"', "3", "is not UTF-8; byte 0xff"),
        ("description = 'x'".encode("utf-16"), "1", "is not UTF-8"),
        (b"\xed\xa0\x80 = 1", "1", "is not UTF-8"),
        (b"a = 1\0", "1", "this is not TOML"),
        (b"\nwritable_root = no", "2", "yes or no is written as true or false"),
        (b"a = 1:2", "1", "this is not TOML"),
        (b"a = !!python/object:os.system", "1", "this is not TOML"),
        (b"a: &a [*a]", "1", 'a key with a value: key = "value"'),
        (b"[limits]\ncpus = 1\ncpus = 2", "3", "for the second time"),
        (b"[limits]\n\n[limits]", "3", "Cannot declare [limits] twice"),
        (b'description = "x', "1", "closing quote"),
        (b"allow = [", "1", "this is not TOML"),
        (b"limits.pids = " + b"9" * 5000, "1", "cannot be read"),
        (b"\na = " + b"[" * 100_000, "2", "nested more than 16 deep"),
        (b"\n" + b"a." * 50_000 + b"a = 1", "2", "nested more than 16 deep"),
        (b"a = " + b"{a=" * 5000, "1", "nested more than 16 deep"),
    ],
)
def test_what_is_not_toml_is_refused_with_its_line(write: Write, data: bytes, place: str, sentence: str) -> None:
    path = write(data)
    began = time.monotonic()
    message = refusal(path)
    assert time.monotonic() - began < 2
    assert message.startswith(f"{path}:{place}: ")
    assert sentence in message


# What is wrong in it


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("memory = '4GiB'", "1: memory: there is no such key here; it is written as limits.memory"),
        ("[limits]\n\ncpuss = 2", '3: limits.cpuss: there is no such key here; did you mean "cpus"?'),
        ("[limit]\ncpus = 2", '1: limit: there is no such key here; did you mean "limits"?'),
        ("privileged = true", "1: privileged: there is no such key here; there are artifacts, caches, description, "),
        ("[limits]\ncpus = true", "2: limits.cpus: must be a number, not the yes-or-no value true"),
        ("[limits]\nmemory = 4", "2: limits.memory: 4 is not a size; write a number and a unit"),
        ("[limits]\nmemory = true", "2: limits.memory: true is not a size"),
        ("[limits]\nidle = 07:32:00", "2: limits.idle: a date or time is not a duration"),
        ("[limits]\nidle = [[1]]", "2: limits.idle: a list is not a duration"),
        ("[limits]\npids = 1.5", "2: limits.pids: must be a whole number, not the number 1.5"),
        ("[limits]\npids = 0", "2: limits.pids: must be at least 1, not the number 0"),
        ("[limits]\ncpus = nan", "2: limits.cpus: must be a finite number, not the number nan"),
        ("limits.pids = " + "9" * 400, "1: limits.pids: must be at most 4194304, not so large a number"),
        ("[sandbox]\nwritable_root = 'no'", '2: sandbox.writable_root: must be true or false, without quotes'),
        ("[sandbox.env]\nCI = 1", '2: sandbox.env.CI: must be a text in quotes, not the number 1; write CI = "1"'),
        ("[sandbox]\nenv = {A = '1', LD_PRELOAD = 'x'}", "2: sandbox.env.LD_PRELOAD: LD_PRELOAD may not be set"),
        ("[sandbox]\nruntime = 'RunC'", '"runc", "runsc", "kata", not the text "RunC"; did you mean "runc"?'),
        ("limits = 5", "1: limits: must be a table, not the number 5; write [limits] on a line of its own"),
        ("[mounts]\nsource = '/x'", "1: mounts: must be a list, in square brackets, not a table; write [[mounts]]"),
        ("[[mounts]]\ntarget = '/x'", "1: mounts[0].source: is missing"),
        ("mounts = ['/x:/y']", '1: mounts[0]: must be a table, not the text "/x:/y"'),
        ("[[mounts]]\nsource = '/a:b'\ntarget = '/x'", '2: mounts[0].source: "/a:b" contains a colon'),
        ("[[mounts]]\nsource = '/a'\ntarget = '/x,ro'", '3: mounts[0].target: "/x,ro" contains a comma'),
        ("[[mounts]]\nsource = '/a'\ntarget = \"/x\\ny\"", '3: mounts[0].target: "/x\\ny" contains a control'),
        ("[[mounts]]\nsource = '/a'\ntarget = '/x'\nmode = 'rw,z'", '4: mounts[0].mode: must be one of "ro", "rw"'),
        ("[network]\nmode = 'open'\nallow = 'x.org'", 'must be a list, in square brackets, not the text "x.org"'),
        ("[network]\nmode = 'allow'\nallow = [\n'x.org',\n'*',\n]", '5: network.allow[1]: "*" would allow every name'),
        ("[network]\nallow = ['x.org']", '2: network.allow: has no effect with network.mode = "none"'),
        ("['\\u001b[2J']\nx = 1", "1: "),
        ("[workspace]\ninclude = ['.git/config']", "2: workspace.include[0]: "),
        ("[gates]\n\nsecret = 'block'", '3: gates.secret: there is no gate of this name; did you mean "secrets"?'),
        ("[gates]\nruns_later = 'block'", '2: gates.runs_later: there is no gate of this name; did you mean "run'),
        ("[gates]\nx = 'block'", "2: gates.x: there is no gate of this name; there are ancestry, authorship, "),
        ("[gates]\nnames = 'flag'", '2: gates.names: must be "block", not the text "flag": a policy makes a gate'),
        ("[gates]\nancestry = 'pass'", '2: gates.ancestry: must be "block", not the text "pass"'),
        ("[gates]\nnames = true", "2: gates.names: must be a text in quotes, not the yes-or-no value true"),
        ("gates = ['names']", "1: gates: must be a table, not a list"),
        ("extends = 1", "1: extends: must be the name of a preset or a file, in quotes"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_line_key_and_rule(write: Write, text: str, expected: str) -> None:
    path = write(text)
    message = refusal(path)
    assert expected in message
    assert message.startswith(f"{path}:")
    assert message.isprintable()


def test_all_mistakes_of_a_file_are_told_at_once_in_the_order_of_lines(write: Write) -> None:
    path = write("[sandbox]\nruntime = 1\n[limits]\npids = 'x'\nmemory = 1\n[netwrok]\n")
    assert [line.split(": ")[0] for line in refusal(path).split("\n")] == [f"{path}:{line}" for line in (2, 4, 5, 6)]


def test_thousands_of_mistakes_are_cut_short(write: Write) -> None:
    path = write("[network]\nmode = 'open'\nallow = [" + "'*'," * 50_000 + "]")
    began = time.monotonic()
    assert len(refusal(path)) < 50 * 400
    assert time.monotonic() - began < 5


def test_a_secret_put_where_its_name_belongs_is_not_repeated(write: Write) -> None:
    path = write("network.mode='open'\n[[network.inject]]\nhost='x.org'\nheader='a'\nsecret='sk-ant-verysecret'")
    message = refusal(path)
    assert f"{path}:5: network.inject[0].secret: " in message
    assert "verysecret" not in message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60) | st.text("[]{}=.,'\"#\n abcdeilmnopstuw1", max_size=60).map(str.encode))
def test_any_bytes_are_a_policy_or_a_policy_error(write: Write, data: bytes) -> None:
    path = write(data, "fuzz.toml")
    try:
        load(path)
    except PolicyError as error:
        refused = error
    else:
        return
    assert all(line.isprintable() for line in refused.message.split("\n"))


# Extending


def test_tables_merge_key_by_key_and_lists_are_replaced(write: Write) -> None:
    write(
        "description = 'base'\n[limits]\npids = 10\ncpus = 1\n[sandbox.env]\nA = '1'\nB = '1'\n"
        "[[mounts]]\nsource = '/srv/a'\ntarget = '/a'\n[[mounts]]\nsource = '/srv/b'\ntarget = '/b'\n"
        "[workspace]\ninclude = ['x', 'y']\n",
        "base.toml",
    )
    child = write(
        "extends = 'base.toml'\n[limits]\npids = 20\n[sandbox.env]\nB = '2'\n"
        "[[mounts]]\nsource = '/srv/c'\ntarget = '/c'\nmode = 'rw'\n[workspace]\ninclude = []\n",
        "child.toml",
    )
    policy = load(child).policy
    assert policy.description == "base"
    assert (policy.limits.pids, policy.limits.cpus) == (20, 1.0)
    assert policy.sandbox.env == {"A": "1", "B": "2"}
    assert [mount.source for mount in policy.mounts] == ["/srv/c"]
    assert policy.workspace.include == ()
    assert load(child).policy.digest() == policy.digest()


def test_gates_that_a_parent_makes_stricter_stay_so_whatever_the_child_says(write: Write) -> None:
    write("[gates]\nsecrets = 'block'\nnames = 'block'\n", "base.toml")
    for text in ("", "[gates]\n", "gates = {}\n", "[gates]\nnames = 'block'\n"):
        assert load(write(f"extends = 'base.toml'\n{text}", "child.toml")).policy.gates.keys() == {"secrets", "names"}
    child = write("extends = 'base.toml'\n[gates]\nsecrets = 'flag'\n", "child.toml")
    assert "child.toml:3: gates.secrets: must be" in refusal(child)
    loaded = load(write("extends = 'base.toml'\n[gates]\nrefs = 'block'\n", "child.toml"))
    rows = {row.key: (row.value, row.origin) for row in explain(loaded) if row.key.startswith("gates")}
    assert {key: Path(origin).name for key, (_, origin) in rows.items()} == {
        "gates.names": "base.toml:3",
        "gates.refs": "child.toml:3",
        "gates.secrets": "base.toml:2",
    }


def test_values_and_mistakes_are_traced_to_the_file_and_line_that_wrote_them(write: Write) -> None:
    base = write("[limits]\npids = 10\ncpus = 1\n[[mounts]]\nsource = '/a'\ntarget = '/a'\nmode = 'rw'\n", "base.toml")
    child = write("extends = './base.toml'\nlimits.pids = 20\n[[mounts]]\nsource = '/c'\ntarget = '/c'\n", "child.toml")
    loaded = load(child)
    rows = {row.key: (row.value, row.origin) for row in explain(loaded)}
    assert rows["limits.pids"] == ("20", f"{child}:2")
    assert rows["limits.cpus"] == ("1.0", f"{loaded.files[1]}:3")
    assert rows["limits.memory"] == ('"4GiB"', "default")
    assert rows["limits.cost_usd"] == ("unset", "default")
    assert rows["mounts[0].source"] == ('"/c"', f"{child}:4")
    assert rows["mounts[0].mode"] == ('"ro"', "default")  # the parent's list is gone, with its "rw"
    assert loaded.files[1].samefile(base)
    write("limits.cpus = -1\n", "base.toml")
    assert "base.toml:1: limits.cpus: must be at least 0.01" in refusal(child)


def test_explain_has_a_row_for_every_field(write: Write) -> None:
    keys = [row.key for row in explain(load(write("[sandbox.env]\nB = '1'\n'A' = '2'")))]
    assert "network.inject" in keys
    assert "mounts" in keys
    assert keys.index("sandbox.env.A") < keys.index("sandbox.env.B")
    assert len(keys) == len(set(keys))


def test_files_in_a_circle_are_refused(write: Write) -> None:
    own = write("\nextends = 'p.toml'")
    assert f"{own}:2: extends: " in refusal(own)
    first = write("extends = 'b/two.toml'", "one.toml")
    write("extends = '../one.toml'", "b/two.toml")
    assert "leads back to a file" in refusal(first)


def test_at_most_eight_files_extend_each_other(write: Write) -> None:
    write("", "0.toml")
    for number in range(1, 9):
        write(f"extends = '{number - 1}.toml'", f"{number}.toml")
    assert len(load(write("", "x.toml").with_name("7.toml")).files) == 8
    assert "more than 8 files extend each other" in refusal(write("", "x.toml").with_name("8.toml"))


@pytest.mark.parametrize("parent", ["nope", "./nope.toml", "nope.toml", "groups", "x/" * 3000 + "y"])
def test_a_missing_parent_is_refused_at_its_line(write: Write, parent: str) -> None:
    path = write(f"\nextends = '{parent}'")
    assert refusal(path).startswith(f"{path}:2: extends: ")


def test_a_parent_is_relative_to_the_file_that_extends_it(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("limits.pids = 7", "lib/base.toml")
    path = write("extends = '../lib/base.toml'", "own/p.toml")
    monkeypatch.chdir("/")
    assert load(path).policy.limits.pids == 7


def test_a_file_of_the_extending_folder_does_not_stand_in_for_a_preset(write: Write) -> None:
    write("limits.pids = 7", "offline.toml")
    assert load(write("extends = 'offline'")).policy.limits.pids == 512


def test_huge_files_merge_in_bounded_time(write: Write) -> None:
    rows = "".join(f"K{number} = ''\n" for number in range(15_000))
    write("[sandbox.env]\n" + rows, "base.toml")
    path = write("extends = 'base.toml'\n[sandbox.env]\n" + rows)
    began = time.monotonic()
    assert "is too long" in refusal(path)
    assert time.monotonic() - began < 5


# Mount sources


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/srv/x", "/srv/x"),
        ("~/x", "/home/somebody/x"),
        ("~", "/home/somebody"),
        ("x", "{folder}/x"),
        ("./x/", "{folder}/x"),
        ("../x", "{parent}/x"),
        (".././../x", "{grandparent}/x"),
        (".", "{folder}"),
    ],
)
def test_mount_sources_are_relative_to_their_file(write: Write, source: str, expected: str) -> None:
    path = write(f"[[mounts]]\nsource = '{source}'\ntarget = '/x'", "deep/er/p.toml")
    folder = path.parent.resolve()
    places = {"folder": folder, "parent": folder.parent, "grandparent": folder.parent.parent}
    assert load(path).policy.mounts[0].source == expected.format(**places)


@pytest.mark.parametrize("source", ["~bob/x", "x/../y", "/x/../y", "../../x/..", "", "a\\nb"])
def test_sources_that_may_lead_elsewhere_are_refused(write: Write, source: str) -> None:
    path = write(f'[[mounts]]\nsource = "{source}"\ntarget = "/x"')
    assert f"{path}:2: mounts[0].source: " in refusal(path)
