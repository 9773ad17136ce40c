"""Which environment variables a policy or a command line may set inside a sandbox, and which steer programs of ours."""

from __future__ import annotations

import re

from runner.model.wording import quoted

LONGEST_VALUE = 32 * 1024

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)

_STEERING_PREFIXES = {
    "LD_": "it steers the program loader",
    "DYLD_": "it steers the program loader",
    "GIT_": "it steers git, whose settings Paddock decides",
    "PADDOCK_": "that prefix is Paddock's own",
    "PYTHON": "it steers Python, which Paddock's own program in the sandbox runs on",
    "BASH_FUNC_": "it defines shell functions that replace programs",
    "PERL5": "it makes Perl load code before the program",
}
_STEERING_NAMES = {
    "HOME": "Paddock sets the home directory",
    "PATH": "Paddock sets where programs are looked for",
    "BASH_ENV": "it makes every shell run a file first",
    "ENV": "it makes every shell run a file first",
    "SHELLOPTS": "it changes how every shell reads its script",
    "BASHOPTS": "it changes how every shell reads its script",
    "IFS": "it changes how every shell splits words",
    "PS4": "shells evaluate it",
    "PROMPT_COMMAND": "shells run it",
    "NODE_OPTIONS": "it makes Node.js load code before the program",
    "NODE_PATH": "it makes Node.js load code from elsewhere",
    "RUBYOPT": "it makes Ruby load code before the program",
    "RUBYLIB": "it makes Ruby load code from elsewhere",
    "GLIBC_TUNABLES": "it steers the program loader",
    "GCONV_PATH": "it makes the C library load code from elsewhere",
}


def environment_fault(name: str, value: str) -> str:
    """Why `name=value` may not be set in a sandbox, in one sentence that never repeats the value; empty if it may."""
    if not _NAME.fullmatch(name):
        return f"{quoted(name)} is not a variable's name; use letters, digits and underscores, no digit first"
    for prefix, why in _STEERING_PREFIXES.items():
        if name.upper().startswith(prefix):
            return f"{name} may not be set: {why}"
    if name.upper() in _STEERING_NAMES:
        return f"{name} may not be set: {_STEERING_NAMES[name.upper()]}"
    if any(character in value for character in "\0\n\r"):
        return f"the value of {name} contains a line break or NUL, which programs that list variables misread"
    if len(value.encode(errors="surrogatepass")) > LONGEST_VALUE:
        return f"the value of {name} is longer than 32 KiB; put it in a file"
    return ""
