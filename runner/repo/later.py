"""Which files run, or steer something, after they have been merged: CI, hooks, editors, builds, agents.

Data only. A pattern with a slash is matched against the whole path, one without against the last part; `**` at the
end means everything below. All in lower case, since some file systems do not tell cases apart.
"""

from __future__ import annotations

import re
from fnmatch import translate
from functools import cache

RUNS_LATER: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "CI",
        (
            ".github/workflows/**", ".github/actions/**", ".github/dependabot.yml", ".gitlab-ci.yml", ".gitlab/ci/**",
            "*.gitlab-ci.yml", ".circleci/**", ".travis.yml", "azure-pipelines*.yml", "bitbucket-pipelines.yml",
            "jenkinsfile*", ".drone.yml", ".woodpecker.yml", ".woodpecker/**", ".buildkite/**", ".cirrus.yml",
            ".forgejo/**", ".gitea/**", ".ci/**", "appveyor.yml", ".appveyor.yml", "action.yml", "action.yaml",
            "renovate.json*", ".renovaterc*", "codecov.yml", ".teamcity/**", ".semaphore/**", "cloudbuild.y*ml",
            "codeowners",
        ),
    ),
    (
        "git hooks and attributes",
        (
            ".githooks/**", "githooks/**", ".husky/**", "hooks/pre-*", "hooks/post-*", "lefthook.y*ml", ".lefthook*",
            ".pre-commit-config.y*ml", ".pre-commit-hooks.y*ml", ".gitattributes", ".gitconfig", ".lintstagedrc*",
            ".overcommit.yml", ".lfsconfig",
        ),
    ),
    (
        "shells and environments",
        (
            ".envrc", ".env", ".env.*", ".bashrc", ".profile", ".zshrc", ".bash_profile", ".tool-versions",
            "mise.toml", ".mise.toml", "flake.nix", "shell.nix", "default.nix", ".python-version", ".nvmrc",
            ".inputrc", ".wgetrc", ".curlrc", ".netrc",
        ),
    ),
    (
        "editors and containers",
        (
            ".vscode/**", ".idea/**", "*.code-workspace", ".devcontainer/**", ".devcontainer.json", ".vim/**",
            ".vimrc", ".nvimrc", ".nvim.lua", ".exrc", ".dir-locals.el", ".emacs", ".editorconfig", ".zed/**",
            ".fleet/**", "*.sublime-project", "*.sublime-build", "dockerfile*", "*.dockerfile", "containerfile*",
            "docker-compose*.y*ml", "compose.y*ml", "compose.*.y*ml", ".dockerignore", "vagrantfile", ".gitpod.yml",
        ),
    ),
    (
        "build scripts",
        (
            "makefile", "makefile.am", "makefile.in", "gnumakefile", "*.mk", "justfile", ".justfile",
            "taskfile.y*ml", "cmakelists.txt", "*.cmake",
            "configure", "configure.ac", "meson.build", "*.bazel", "*.bzl", "workspace", "build", ".bazelrc",
            "package.json", ".npmrc", ".yarnrc*", ".yarn/**", ".pnpmfile.cjs", "setup.py", "setup.cfg",
            "pyproject.toml", "conftest.py", "sitecustomize.py", "usercustomize.py", "*.pth", "noxfile.py", "tox.ini",
            "pytest.ini", "tasks.py", "fabfile.py", "build.rs", "cargo.toml", ".cargo/**", "build.gradle*",
            "settings.gradle*", "gradlew*", "gradle/wrapper/**", "pom.xml", "mvnw*", ".mvn/**", "build.sbt",
            "rakefile", "gemfile", "*.gemspec", "composer.json", "mix.exs", "build.zig", "go.mod", "package.swift",
            "*.csproj", "*.props", "*.targets", "nuget.config", "gulpfile*", "gruntfile*", "webpack.config.*",
            "vite.config.*", "rollup.config.*", "babel.config.*", ".babelrc*", "jest.config.*", "vitest.config.*",
            "eslint.config.*", ".eslintrc*", ".prettierrc*", "prettier.config.*", "postcss.config.*",
            "tailwind.config.*", "next.config.*", "playwright.config.*", "*.tf", "ansible.cfg", "pip.conf",
        ),
    ),
    (
        "lock files",
        (
            "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb",
            "uv.lock", "poetry.lock", "pipfile", "pipfile.lock", "pdm.lock", "requirements*.txt", "requirements/**",
            "requirements*.lock", "constraints*.txt", "cargo.lock", "go.sum", "gemfile.lock", "composer.lock",
            "mix.lock", "flake.lock", "packages.lock.json", "gradle.lockfile", "*.terraform.lock.hcl", "deno.lock",
        ),
    ),
    (
        "agents' instructions",
        (
            "claude.md", "claude.local.md", "agents.md", "agent.md", "gemini.md", "copilot-instructions.md",
            ".claude/**", ".claude.json", ".mcp.json", "mcp.json", ".codex/**", ".gemini/**", ".cursor/**",
            ".cursorrules", ".windsurf/**", ".windsurfrules", ".clinerules*", ".clinerules/**", ".aider*",
            ".opencode/**", "opencode.json*", ".github/instructions/**", ".github/prompts/**", ".roo/**",
            ".continue/**", "skill.md",
            ".paddock/**", "paddock.toml", ".paddock.toml",
        ),
    ),
)  # fmt: skip


def _expression(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One expression for all: at any depth, since tools look from wherever they are started."""
    forms = []
    for pattern in patterns:
        below = pattern.endswith("/**")
        form = translate(pattern.removesuffix("/**")).removeprefix("(?s:").removesuffix(r")\Z").replace(".*", "[^/]*")
        forms.append(form + (r"(?:/.*)?" if below else ""))
    return re.compile(r"(?:.*/)?(?:" + "|".join(forms) + r")\Z", re.DOTALL)


@cache
def _expressions() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((kind, _expression(patterns)) for kind, patterns in RUNS_LATER)


def runs_later(path: bytes) -> str:
    """The kind of file that `path` is, or nothing."""
    text = path.decode("utf-8", "replace").lower()
    return next((kind for kind, expression in _expressions() if expression.match(text)), "")
