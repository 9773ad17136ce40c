"""An annotation as Azure Pipelines and TeamCity want it: one line, which no text of an agent's can leave. Pure.

https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands
https://www.jetbrains.com/help/teamcity/service-messages.html
"""

from __future__ import annotations

import re

from runner.escape import escape_text
from runner.report.ci_annotations import MOST_TEXT

_MARK = re.compile(r"##(?=[A-Za-z]{0,20}\[)")
_AZURE_KINDS = {"error": "error", "warning": "warning"}
_TEAMCITY_KINDS = {"error": "ERROR", "warning": "WARNING", "notice": "NORMAL"}


def azure_command(name: str, message: str, **properties: str) -> str:
    """One issue of the step's log; empty for a notice, which Azure Pipelines does not know."""
    if name not in _AZURE_KINDS:
        return ""
    places = {"sourcepath": properties.get("file", ""), "linenumber": properties.get("line", "")}
    words = "".join(f";{key}={_azure_property(value)}" for key, value in places.items() if value)
    return f"##vso[task.logissue type={_AZURE_KINDS[name]}{words}]{_azure_data(_titled(message, properties))}"


def teamcity_command(name: str, message: str, **properties: str) -> str:
    """One message of the build's log. TeamCity has no place for a file in it: the text says where."""
    return f"##teamcity[message text='{_teamcity(_titled(message, properties))}' status='{_TEAMCITY_KINDS[name]}']"


def _titled(message: str, properties: dict[str, str]) -> str:
    return ": ".join(filter(None, (properties.get("title", ""), message[:MOST_TEXT])))


def _azure_data(text: str) -> str:
    """As azure-pipelines-task-lib escapes what is said; every line end but a line feed is spelled out before."""
    plain = _MARK.sub("# #", escape_text(text, newline=True))  # whoever looks for commands finds ours alone
    return plain.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")


def _azure_property(text: str) -> str:
    return _azure_data(text).replace("]", "%5D").replace(";", "%3B")


def _teamcity(text: str) -> str:
    """As TeamCity wants a value; what is no ASCII by its number."""
    plain = escape_text(text, newline=True)
    for character, code in (("|", "||"), ("'", "|'"), ("\n", "|n"), ("\r", "|r"), ("[", "|["), ("]", "|]")):
        plain = plain.replace(character, code)
    return "".join(each if each.isascii() else _numbered(each) for each in plain)


def _numbered(character: str) -> str:
    """In the units of UTF-16, of which a character may have two."""
    units = character.encode("utf-16-be")
    return "".join(f"|0x{units[place]:02X}{units[place + 1]:02X}" for place in range(0, len(units), 2))
