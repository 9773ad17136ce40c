"""What the agent `demo` does inside the sandbox; standard library only, and never imported there."""

import pathlib
import re
import subprocess
import sys

ALIASES = {
    "assertEquals": "assertEqual",
    "assertNotEquals": "assertNotEqual",
    "assertRegexpMatches": "assertRegex",
    "assertItemsEqual": "assertCountEqual",
    "assert_": "assertTrue",
    "failUnlessEqual": "assertEqual",
}


def say(text: str) -> None:
    """One line, at once: an agent's silence is measured."""
    sys.stdout.write(f"demo: {text}\n")
    sys.stdout.flush()


def run(*argv: str) -> int:
    """One command, its output shown; the exit code."""
    say("$ " + " ".join(argv))
    return subprocess.run(argv, check=False).returncode


def modernise(path: pathlib.Path) -> bool:
    """Replace the aliases in one file; whether anything changed."""
    text = path.read_text(encoding="utf-8")
    changed = re.sub(r"\bself\.(\w+)\(", lambda m: f"self.{ALIASES.get(m[1], m[1])}(", text)
    path.write_text(changed, encoding="utf-8")
    return changed != text


def main(prompt: str) -> int:
    """Look, change, test, commit."""
    say(f"asked to: {prompt}")
    changed = [str(path) for path in sorted(pathlib.Path().rglob("*.py")) if modernise(path)]
    for path in changed:
        say(f"edited {path}")
    if not changed:
        say("no deprecated alias found; nothing to do")
        return 0
    if run(sys.executable, "-B", "-m", "unittest", "-q"):
        say("the tests fail; leaving the change uncommitted")
        return 1
    return run("git", "commit", "--quiet", "--all", "--message", "Replace unittest aliases that Python 3.12 removed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
