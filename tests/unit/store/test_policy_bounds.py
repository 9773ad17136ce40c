"""Ceilings and repositories' policies: read like any policy, bound in what they write, and told by file and line."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from runner.errors import PolicyError, RefusedError
from runner.model.meet import every_key
from runner.model.policy import Policy
from runner.model.policy_file import digest_of
from runner.store.policy_bounds import Bound, bound_of_commit, load_ceiling, load_of_commit, tighten, tightened_keys
from runner.store.policy_files import LoadedPolicy, explain, load_policy

PLACE = ".paddock/policy.toml"
COMMIT = "3f2a" * 10
HOME = Path("/home/somebody")
GROUPS = {"pair": ("a.test", "b.test")}
MINE = """\
[network]
mode = "allow"
allow = ["a.test", "*.b.test", "db.c.test:5432"]
upload_limit = "10MiB"
[[network.inject]]
host = "x.b.test"
header = "x-api-key"
secret = "KEY"
[[mounts]]
source = "/d/a"
target = "/a"
[[mounts]]
source = "/d/b"
target = "/b"
mode = "rw"
[sandbox]
env = { A = "1" }
[limits]
memory = "4GiB"
pids = 100
"""


@pytest.fixture
def mine(tmp_path: Path) -> LoadedPolicy:
    file = tmp_path / "mine.toml"
    file.write_text(MINE)
    return load_policy(str(file), home=HOME)


def theirs(text: str | bytes) -> Bound:
    return bound_of_commit(PLACE, text.encode() if isinstance(text, str) else text, COMMIT, home=HOME)


def ceiling(folder: Path, text: str, mode: int = 0o644) -> Path:
    place = folder / "paddock"
    place.mkdir(exist_ok=True)
    place.chmod(0o755)
    file = place / "ceiling.toml"
    file.write_text(text)
    file.chmod(mode)
    return file


def within(mine: LoadedPolicy, text: str) -> LoadedPolicy:
    return tighten(mine, theirs(text), GROUPS)


def rows(loaded: LoadedPolicy) -> dict[str, str]:
    return {row.key: f"{row.value}  {row.origin}" for row in explain(loaded)}


# Binding


def test_only_what_is_written_binds(mine: LoadedPolicy) -> None:
    tightened = within(mine, '[limits]\nmemory = "2GiB"\nwall_clock = "9h"\n')
    assert tightened_keys(mine.policy, tightened.policy) == ("limits.memory",)
    assert within(mine, 'description = "nothing"').policy == mine.policy
    assert within(mine, "").policy == mine.policy


def test_a_preset_that_it_extends_binds_with_all_that_stands_in_it(mine: LoadedPolicy) -> None:
    tightened = within(mine, 'extends = "paranoid"\n').policy
    paranoid = load_policy("paranoid", home=HOME).policy
    assert tightened.network.mode == "none"
    assert tightened.limits.memory == min(paranoid.limits.memory, mine.policy.limits.memory)


WIDENING = {
    "network.mode": '[network]\nmode = "open"',
    "network.allow": '[network]\nmode = "allow"\nallow = ["a.test", "*.b.test", "db.c.test:5432", "evil.test"]',
    "network.deny": '[network]\nmode = "open"\ndeny = []',
    "network.private": '[network]\nmode = "open"\nprivate = ["10.0.0.0/8", "169.254.0.0/16"]',
    "network.upload_limit": '[network]\nupload_limit = "9GiB"',
    "network.inject": '[network]\nmode = "open"\n[[network.inject]]\nhost = "evil.test"\nheader = "h"\nsecret = "KEY"',
    "mounts": '[[mounts]]\nsource = "/d"\ntarget = "/d"\nmode = "rw"',
    "caches": '[[caches]]\nname = "evil"\ntarget = "/evil"',
    "limits.cpus": "[limits]\ncpus = 99.0",
    "limits.memory": '[limits]\nmemory = "99GiB"',
    "limits.pids": "[limits]\npids = 9999",
    "limits.disk": '[limits]\ndisk = "99GiB"',
    "limits.files": "[limits]\nfiles = 99_000_000",
    "limits.output": '[limits]\noutput = "9GiB"',
    "limits.wall_clock": '[limits]\nwall_clock = "99d"',
    "limits.idle": '[limits]\nidle = "99d"',
    "limits.cost_usd": "[limits]\ncost_usd = 999999.0",
    "limits.tokens": "[limits]\ntokens = 1_000_000_000_000",
    "limits.grace": '[limits]\ngrace = "1h"',
    "sandbox.runtime": '[sandbox]\nruntime = "kata"',
    "sandbox.writable_root": "[sandbox]\nwritable_root = true",
    "sandbox.env": '[sandbox.env]\nEVIL = "1"\nA = "2"',
    "workspace.history": '[workspace]\nhistory = "full"',
    "workspace.include": '[workspace]\ninclude = ["*.pem", ".env"]',
    "artifacts": 'artifacts = ["**"]',
    "gates": "[gates]",
    "description": 'description = "not mine"',
}


@pytest.mark.parametrize("key", WIDENING)
def test_a_repository_widens_no_key(mine: LoadedPolicy, key: str) -> None:
    before, after = mine.policy, within(mine, WIDENING[key]).policy
    section, _, name = key.partition(".")
    if key in {"limits.cost_usd", "limits.tokens"}:  # no limit before: the highest one is still one
        after = after.model_copy(update={"limits": after.limits.model_copy(update={name: None})})
    if section == "network" and "mode" in WIDENING[key]:
        assert set(after.network.allow) <= set(before.network.allow)
        assert after.network.inject in {(), before.network.inject}
        assert (after.network.mode, after.network.private, after.network.deny) == ("allow", (), ())
        after = after.model_copy(update={"network": before.network})
    assert after == before


def test_every_key_is_tried() -> None:
    assert set(WIDENING) == set(every_key())


def test_what_would_give_something_is_left_alone_and_told(mine: LoadedPolicy) -> None:
    loaded = within(mine, WIDENING["mounts"] + "\n[sandbox]\nenv = { B = '1' }\nwritable_root = false\n")
    assert loaded.policy == mine.policy
    [notice] = loaded.notices
    assert "mounts, sandbox.env would give something" in notice
    assert "--policy repo" in notice


def test_an_empty_list_takes_what_was_given_away(mine: LoadedPolicy) -> None:
    assert within(mine, "mounts = []\ncaches = []\n").policy.mounts == ()
    assert within(mine, "[sandbox]\nenv = {}\n").policy.sandbox.env == {}


def test_denials_alone_need_no_mode(mine: LoadedPolicy) -> None:
    tightened = within(mine, '[network]\ndeny = ["a.test"]\nupload_limit = "1MiB"\n')
    assert tightened.policy.network.allow == mine.policy.network.allow
    assert tightened.policy.network.deny == ("a.test",)
    assert tightened_keys(mine.policy, tightened.policy) == ("network.deny", "network.upload_limit")
    with pytest.raises(PolicyError, match="has no effect with"):
        theirs('[network]\nallow = ["a.test"]\n')


def test_a_budget_does_not_bind_where_there_is_nothing_to_spend_it_on(mine: LoadedPolicy) -> None:
    offline = load_policy("offline", home=HOME)
    assert tighten(offline, theirs("[limits]\ntokens = 5\n"), {}).policy.limits.tokens is None
    assert within(mine, "[limits]\ntokens = 5\n").policy.limits.tokens == 5


def test_two_shielding_runtimes_are_refused_with_the_place(mine: LoadedPolicy, tmp_path: Path) -> None:
    file = tmp_path / "kata.toml"
    file.write_text('[sandbox]\nruntime = "kata"\n')
    bound = load_ceiling(ceiling(tmp_path, '[sandbox]\nruntime = "runsc"\n'), home=HOME)
    with pytest.raises(PolicyError, match=r"ceiling\.toml:2: sandbox\.runtime: .* neither replaces the other"):
        tighten(load_policy(str(file), home=HOME), bound, {})


# Telling


def test_every_tightened_value_names_both_places(mine: LoadedPolicy, tmp_path: Path) -> None:
    told = rows(within(mine, '# theirs\n[limits]\nmemory = "2GiB"\nidle = "1m"\n'))
    assert told["limits.memory"] == (
        f'"2GiB"  {PLACE}:3 at {COMMIT[:12]}, tightened from "4GiB" ({tmp_path}/mine.toml:19)'
    )
    assert told["limits.idle"] == f'"1m"  {PLACE}:4 at {COMMIT[:12]}, tightened from "15m" (default)'
    assert told["limits.pids"] == f"100  {tmp_path}/mine.toml:20"


def test_a_list_that_the_mode_shortens_is_told_with_the_modes_line(mine: LoadedPolicy) -> None:
    told = rows(within(mine, '[network]\nmode = "open"\n'))
    assert told["network.allow"].startswith(f'["a.test", "*.b.test"]  {PLACE}:2 at {COMMIT[:12]}, tightened from [')
    assert "db.c.test:5432" in told["network.allow"]


def test_tables_that_stay_and_keys_of_variables_are_told_as_tightened(mine: LoadedPolicy) -> None:
    bound = "[[mounts]]\nsource = '/d/b'\ntarget = '/z'\n"
    loaded = tighten(mine, Bound(load_of_commit(PLACE, bound.encode(), COMMIT, home=HOME), "there"), {})
    told = rows(loaded)
    assert told["mounts[0].source"].startswith(f'"/d/b"  {PLACE}:1 at')
    assert told["mounts[0].mode"].startswith('"ro"')
    assert "mounts[1].source" not in told
    assert loaded.notices == ("there tightens mounts; `paddock policy explain` shows from what.",)


def test_a_second_bound_tells_of_the_first(mine: LoadedPolicy, tmp_path: Path) -> None:
    bound = load_ceiling(ceiling(tmp_path, "[limits]\nmemory = '1GiB'\n"), home=HOME)
    told = rows(tighten(within(mine, '[limits]\nmemory = "2GiB"\n'), bound, {}))["limits.memory"]
    assert told.startswith(f'"1GiB"  {bound.shown}:2, tightened from "2GiB" ({PLACE}:2 at {COMMIT[:12]}, tightened')


def test_all_files_are_told_with_their_digests(mine: LoadedPolicy) -> None:
    text = 'extends = "offline"\n'
    [own, repository, preset] = within(mine, text).evidence
    assert (own.role, own.digest, own.commit) == ("policy", digest_of(MINE.encode()), "")
    assert (repository.role, repository.file, repository.digest, repository.commit) == (
        ("repository", PLACE, digest_of(text.encode()), COMMIT)
    )
    assert (preset.role, Path(preset.file).name) == ("repository", "offline.toml")


# Files of a commit


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\n[limits]\nmemroy = '1GiB'\n", ":3 at 3f2a3f2a3f2a: limits.memroy"),
        (b"a = [\n", ":1: this is not TOML"),
        (b"\xef\xbb\xbf[limits]\n", ":1: begins with a byte-order mark"),
        (b"# \xe9\n", ":1: is not UTF-8"),
        (b"[limits]\npids = 1\npids = 2\n", "this key stands here for the second time"),
        (b"a = " + b"[" * 5000, "nested more than 16 deep"),
        (b".".join([b"a"] * 5000) + b" = 1", "nested more than 16 deep"),
        (b"a = " + b"9" * 5000, "cannot be read"),
        (b"extends = '/etc/paddock/ceiling.toml'\n", "may extend presets alone"),
        (b"extends = '../../secrets.toml'\n", "may extend presets alone"),
        (b"extends = '~/x.toml'\n", "may extend presets alone"),
        (b"extends = 'policy.toml'\n", "may extend presets alone"),
        (b"extends = 'nope'\n", "no policy is called"),
        (b"[[mounts]]\nsource = '../..'\ntarget = '/d'\n", "is not an absolute path"),
        (b"[[mounts]]\nsource = '~/.ssh'\ntarget = '/d'\n", "~/"),
        (b"network = 1\n", "network"),
        (b"[gates]\nsecrets = 'pass'\n", "a policy makes a gate stricter"),
    ],
)
def test_one_that_cannot_be_used_is_refused_with_file_and_line(data: bytes, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        theirs(data)
    assert caught.value.message.startswith(PLACE)
    assert said in caught.value.message
    assert caught.value.message.replace("\n", "").isprintable()


def test_the_largest_lists_are_read_and_met_in_moments(mine: LoadedPolicy) -> None:
    names = ", ".join(f'"*.x{number}.test"' for number in range(3400))
    begin = time.process_time()
    within(mine, f'[network]\nmode = "allow"\nallow = [{names}]\n')
    assert time.process_time() - begin < 5


def test_once_chosen_it_is_a_policy_like_any_other() -> None:
    loaded = load_of_commit(PLACE, b"[limits]\nmemory = '9GiB'\n[sandbox]\nenv = {B = '1'}\n", COMMIT, home=HOME)
    assert loaded.policy.sandbox.env == {"B": "1"}
    assert (loaded.files, [each.role for each in loaded.evidence]) == ((), ["repository"])
    assert rows(loaded)["limits.memory"] == f'"9GiB"  {PLACE}:2 at {COMMIT[:12]}'


# The ceiling's file


def test_a_ceiling_binds_in_what_it_lists(mine: LoadedPolicy, tmp_path: Path) -> None:
    text = "[network]\nmode = 'allow'\nallow = ['a.test', 'x.b.test']\n[[mounts]]\nsource='/d/b'\ntarget='/d'\n"
    bound = load_ceiling(ceiling(tmp_path, text), home=HOME)
    policy = tighten(mine, bound, GROUPS).policy
    assert policy.network.allow == ("a.test", "x.b.test")
    assert policy.network.inject == mine.policy.network.inject
    assert [(each.source, each.target, each.mode) for each in policy.mounts] == [("/d/b", "/b", "ro")]
    assert policy.sandbox.env == {"A": "1"}


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_ceiling_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(RefusedError, match="Others may write"):
        load_ceiling(ceiling(tmp_path, "", mode), home=HOME)


def test_a_ceiling_in_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    file = ceiling(tmp_path, "")
    file.parent.chmod(0o777)
    with pytest.raises(RefusedError, match="Others may write"):
        load_ceiling(file, home=HOME)


def test_a_ceiling_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ceiling(tmp_path, "")
    if os.geteuid() == 0:
        os.chown(file, 12345, 12345)
    else:
        monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(RefusedError, match="belongs to another user"):
        load_ceiling(file, home=HOME)


def test_a_ceiling_that_is_a_link_a_fifo_or_damaged_is_refused(tmp_path: Path) -> None:
    file = ceiling(tmp_path, "")
    (tmp_path / "real.toml").write_text("")
    file.unlink()
    file.symlink_to(tmp_path / "real.toml")
    with pytest.raises(RefusedError, match="symbolic link"):
        load_ceiling(file, home=HOME)
    file.unlink()
    os.mkfifo(file, 0o644)
    with pytest.raises(PolicyError, match="is not a regular file"):
        load_ceiling(file, home=HOME)
    file.unlink()
    for text in ("a = ", "[limits]\nmemroy = 1\n", "extends = '/etc/other.toml'\n"):
        with pytest.raises(PolicyError, match=r"ceiling\.toml:\d"):
            load_ceiling(ceiling(tmp_path, text), home=HOME)


@pytest.mark.parametrize("name", ["", "n" * 300, "a-file"])
def test_a_ceiling_that_cannot_be_looked_at_or_is_gone_is_no_reason_to_run_without(tmp_path: Path, name: str) -> None:
    (tmp_path / "a-file").touch()
    with pytest.raises(RefusedError, match="not to be relied upon"):
        load_ceiling(tmp_path / name / "ceiling.toml", home=HOME)


def test_an_empty_policy_meets_any_bound() -> None:
    empty = LoadedPolicy(Policy(), "empty", {}, ())
    assert tighten(empty, theirs(MINE), GROUPS).policy.network.mode == "none"
