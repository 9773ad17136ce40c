"""Puts a batch file together: every task that it means, its words decided, its prompt filled in, its needs named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from runner.agents.providers import PROVIDERS
from runner.batch.layers import Laid, Level, lay
from runner.batch.needs import Wanted, name_needs
from runner.batch.wording import Words, words_of
from runner.model.batch import MOST_TASKS, Batch, Bounds, Item, Matrix, PromptWords, RepoWords, TaskWords, Work
from runner.model.quantities import parse_size
from runner.model.settings import Settings
from runner.repo.urls import is_url
from runner.store.batch_files import BatchSource, PromptFiles, absolute, refuse
from runner.store.run_id import slug_of
from runner.store.toml_lines import KeyPath

LONGEST_STEM = 56


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One task before its words are decided."""

    name: str
    group: str
    """The task of the file that it is one of; empty for one that stands alone."""
    repo: str
    levels: tuple[Level, ...]
    path: KeyPath
    needs: tuple[str, ...] = ()


@dataclass
class Names:
    """Names that tasks have, no two the same."""

    _taken: set[str] = field(default_factory=set)

    def new(self, wanted: str) -> str:
        """The name, or the first free one like it."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted[:LONGEST_STEM]}-{number}"
        self._taken.add(name)
        return name


def assemble(source: BatchSource, settings: Settings, home: Path, templates: Path) -> Batch:
    """The batch that a file means. Raises RefusedError with every fault: file, line, key."""
    drafts = list(drafts_of(source, home))
    if not drafts:
        refuse([source.fault((), "there is no task in it; write [[tasks]] or [matrix]")])
    if len(drafts) > MOST_TASKS:
        refuse([source.fault((), f"these are {len(drafts)} tasks, and {MOST_TASKS} are the most; split it")])
    words = Words(source=source, settings=settings, home=home, templates=templates, prompts=prompt_files(source, home))
    faults = list(twice(drafts, source))
    needs, wrong = name_needs([Wanted(draft.name, draft.group, draft.repo, draft.needs) for draft in drafts])
    faults += [source.fault((*drafts[index].path, "needs"), sentence) for index, sentence in wrong]
    items = []
    for draft, names in zip(drafts, needs, strict=True):
        laid = laid_of(draft, source)
        work, wrong_words = words_of(draft.name, draft.repo, laid, draft.path, words)
        faults += wrong_words
        if work is not None:
            items.append(item_of(draft, work, names, laid, source))
    memory, found = memory_of(source)
    refuse([*faults, *found, *provider_faults(source)])
    return Batch(
        file=str(source.folder / source.path.name),
        items=tuple(items),
        bounds=Bounds(
            providers={name: bound.max for name, bound in source.words.providers.items()},
            cpus=source.words.machine.cpus,
            memory=memory,
        ),
    )


def item_of(draft: Draft, work: Work, needs: tuple[str, ...], laid: Laid, source: BatchSource) -> Item:
    """The task around its work."""
    return Item(
        name=draft.name,
        place=source.place(draft.path),
        work=work,
        attempts=laid.values.get("attempts", 1),
        needs=needs,
        tags=laid.values.get("tags", ()),
    )


def prompt_files(source: BatchSource, home: Path) -> PromptFiles:
    """The files beside the batch file."""
    return PromptFiles(source.folder, home)


def memory_of(source: BatchSource) -> tuple[int | None, list[str]]:
    """What may be handed out, in bytes, and what is wrong with it."""
    given = source.words.machine.memory
    try:
        return (parse_size(given) if given is not None else None), []
    except ValueError as error:
        return None, [source.fault(("machine", "memory"), str(error))]


def provider_faults(source: BatchSource) -> list[str]:
    """A fault for each bound on a provider that there is not."""
    listed = ", ".join(sorted(PROVIDERS))
    return [
        source.fault(("providers", name), f"there is no such provider; there are {listed}")
        for name in source.words.providers
        if name not in PROVIDERS
    ]


def laid_of(draft: Draft, source: BatchSource) -> Laid:
    """What holds for a task: the file's defaults, its repository's, and its own."""
    return lay((Level(source.words.defaults, ("defaults",)), *draft.levels))


def drafts_of(source: BatchSource, home: Path) -> Iterator[Draft]:
    """Every task, those of the matrix first."""
    names = Names()
    repos = [
        (address(repo.repo, source, home), Level(repo, ("repos", index)))
        for index, repo in enumerate(source.words.repos)
    ]
    named = {task.name for task in source.words.tasks if task.name}
    for name in sorted(named):
        names.new(name)
    if source.words.matrix is not None:
        yield from of_matrix(source.words.matrix, repos, source, home, names)
    for index, task in enumerate(source.words.tasks):
        yield from of_task(task, index, repos, source, home, names)


def of_matrix(
    matrix: Matrix, known: Sequence[tuple[str, Level]], source: BatchSource, home: Path, names: Names
) -> Iterator[Draft]:
    """Every repository with every prompt and every agent."""
    path: KeyPath = ("matrix",)
    own = [_matrix_repo(repo, index, known, source, home) for index, repo in enumerate(matrix.repos)]
    repos = own or [(repo, (level,)) for repo, level in known]
    prompts: list[Level | None] = [Level(each, (*path, "prompts", index)) for index, each in enumerate(matrix.prompts)]
    agents: list[Level | None] = [Level(each, (*path, "agents", index)) for index, each in enumerate(matrix.agents)]
    for (repo, below), (number, prompt), agent in product(repos, enumerate(prompts or [None], 1), agents or [None]):
        stem = [stem_of(repo)]
        if prompt is not None and (len(prompts) > 1 or _prompt_name(prompt)):
            stem.append(_prompt_name(prompt) or f"p{number}")
        if agent is not None and len(agents) > 1:
            stem.append(slug_of(getattr(agent.words, "agent", "")))
        levels = (*below, *(level for level in (prompt, agent) if level is not None))
        yield Draft(name=names.new(".".join(stem)), group="matrix", repo=repo, levels=levels, path=path)


def _prompt_name(level: Level) -> str:
    return (level.words.name or "") if isinstance(level.words, PromptWords) else ""


def _matrix_repo(
    repo: RepoWords, index: int, known: Sequence[tuple[str, Level]], source: BatchSource, home: Path
) -> tuple[str, tuple[Level, ...]]:
    place = address(repo.repo, source, home)
    below = tuple(level for other, level in known if other == place)
    return place, (*below, Level(repo, ("matrix", "repos", index)))


def of_task(  # noqa: PLR0913, PLR0917 - what a task is made from comes from so many places
    task: TaskWords, index: int, known: Sequence[tuple[str, Level]], source: BatchSource, home: Path, names: Names
) -> Iterator[Draft]:
    """One task; or one for each repository of the file, where it names none."""
    path: KeyPath = ("tasks", index)
    own = Level(task, path)
    if task.repo is not None:
        repo = address(task.repo, source, home)
        below = tuple(level for place, level in known if place == repo)
        name = task.name or names.new(stem_of(repo))
        yield Draft(name=name, group="", repo=repo, levels=(*below, own), path=path, needs=task.needs)
        return
    group = task.name or f"task{index + 1}"
    if not known:
        yield Draft(name=group, group=group, repo="", levels=(own,), path=path, needs=task.needs)
    for repo, level in known:
        name = names.new(f"{group[:LONGEST_STEM]}.{stem_of(repo)}")
        yield Draft(name=name, group=group, repo=repo, levels=(level, own), path=path, needs=task.needs)


def address(repo: str, source: BatchSource, home: Path) -> str:
    """A repository as a run takes it: a URL as it is, a path absolute."""
    return repo if is_url(repo) else str(absolute(repo, source.folder, home))


def stem_of(repo: str) -> str:
    """A repository's own name, as tasks are called after it."""
    last = repo.rstrip("/").replace(":", "/").rsplit("/", 1)[-1].removesuffix(".git")
    return slug_of(last)


def twice(drafts: Sequence[Draft], source: BatchSource) -> Iterator[str]:
    """A fault for each name that two tasks of the file were given."""
    seen: dict[str, Draft] = {}
    for draft in drafts:
        if draft.name in seen:
            place = source.place(seen[draft.name].path)
            yield source.fault((*draft.path, "name"), f'"{draft.name}" is the name of the task at {place} already')
        seen.setdefault(draft.name, draft)
