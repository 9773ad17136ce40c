"""What a request is answered with: the dialogue's turn for an agent at work, a few harmless words for the rest."""

from __future__ import annotations

import json
import re

from tests.models.dialogues import SIDE, Dialogue, Turn
from tests.models.tools import Action, Shell, Write, call_for, has_shell, smallest
from tests.models.wire import Asked, Reply

SUBMIT = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
"""How mini-swe-agent is told that the work is done: by a command that prints this."""
BLOCK = re.compile(r"```(mswea_bash_command|bash)\n")
EDIT_BLOCKS = "SEARCH/REPLACE"
WHOLE_FILES = "*file listing*"


def at_work(asked: Asked) -> bool:
    """Is this the agent's own request? If not, it is a title, a summary, a probe: it takes no turn."""
    return has_shell(asked) or _edits_by_text(asked) or _acts_by_text(asked)


def reply_to(asked: Asked, dialogue: Dialogue, workdir: str) -> Reply:
    """The answer. The place in the dialogue follows from the conversation in the request alone."""
    turn = dialogue.at(asked.turn)
    if has_shell(asked):
        action = _action(turn, asked)
        call = call_for(action, asked, workdir) if action else None
        return Reply(text=turn.text, call=call, usage=turn.usage)
    if _edits_by_text(asked):
        text = _edits(dialogue, whole=EDIT_BLOCKS not in asked.everything)
        return Reply(text=text, usage=turn.usage, endless=dialogue.endless)
    if _acts_by_text(asked):
        return Reply(text=_block(dialogue.at(_said(asked)), asked), usage=turn.usage)
    text = json.dumps(smallest(asked.schema)) if asked.schema else "A small task"
    return Reply(text=text, usage=SIDE)


def _action(turn: Turn, asked: Asked) -> Action | None:
    """The turn's own action; mini-swe-agent goes on for ever unless it is told to submit."""
    if turn.action is None and SUBMIT in asked.everything:
        return Shell(f"echo {SUBMIT}", "Submit")
    return turn.action


# --- aider: no tools, it takes edits from the text and commits itself ---------------------------------------------


def _edits_by_text(asked: Asked) -> bool:
    return not asked.tools and (EDIT_BLOCKS in asked.everything or WHOLE_FILES in asked.everything)


def _edits(dialogue: Dialogue, *, whole: bool) -> str:
    """All files of the dialogue at once, as new files: such an agent asks only once."""
    blocks = [_whole_file(*item) if whole else _edit_block(*item) for item in dialogue.files().items()]
    return "\n".join([*blocks, dialogue.closing])


def _edit_block(path: str, text: str) -> str:
    return f"{path}\n```\n<<<<<<< SEARCH\n=======\n{text}>>>>>>> REPLACE\n```\n"


def _whole_file(path: str, text: str) -> str:
    return f"{path}\n```\n{text}```\n"


# --- mini-swe-agent without tools: one code block in each answer --------------------------------------------------


def _acts_by_text(asked: Asked) -> bool:
    return not asked.tools and SUBMIT in asked.everything and BLOCK.search(asked.everything) is not None


def _said(asked: Asked) -> int:
    """Its conversation has no calls: each answer of the model was a turn."""
    return sum(line.who == "model" for line in asked.lines)


def _block(turn: Turn, asked: Asked) -> str:
    found = BLOCK.search(asked.everything)
    action = _action(turn, asked)
    shell = action.as_shell() if isinstance(action, Write) else action
    assert found, "asked only where a block was found"
    assert shell, "a turn without an action submits"
    return f"{turn.text}\n\n```{found[1]}\n{shell.command}\n```\n"
