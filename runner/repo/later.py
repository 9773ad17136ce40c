"""Which files run or steer something after they have been merged: hooks, editors, builds, CI, agents. Data, a look-up.

A pattern without a slash is meant for the last part of a path, `folder/**` for a folder at any depth and all below it,
`folder/name` for what lies in such a folder. All in small letters, since some file systems do not tell cases apart.
"""

from __future__ import annotations

import re
from fnmatch import translate
from functools import cache, lru_cache
from typing import Literal, NamedTuple

MOST_PATHS = 65_536
Where = Literal["here", "ci", "agents", "dependencies"]

RUNS_LATER: tuple[tuple[str, Where, tuple[str, ...]], ...] = (
    (
        "git hooks and attributes", "here",
        (
            ".githooks/**", "githooks/**", ".git-hooks/**", "git-hooks/**", ".hooks/**", "hooks/pre-*", "hooks/post-*",
            "hooks/commit-msg", "hooks/prepare-commit-msg", ".husky/**", ".huskyrc*", "husky.config.*",
            "lefthook*.y*ml", "lefthook*.toml", "lefthook*.json", ".lefthook*", ".pre-commit-config.y*ml",
            ".pre-commit-hooks.y*ml", "prek.toml", ".overcommit.yml", ".git-hooks.json", ".captainhook.json",
            "captainhook.json", "grumphp.y*ml", ".simple-git-hooks.*", "simple-git-hooks.*", ".lintstagedrc*",
            "lint-staged.config.*", ".czrc", "commitlint.config.*", ".commitlintrc*", ".rusty-hook.toml",
            ".cargo-husky/**", "monkeyhook.y*ml", ".hk/**", "hk.pkl", ".autohook/**", ".gitattributes", ".gitconfig",
            ".lfsconfig", ".gitreview", ".mailmap", ".git-blame-ignore-revs",
        ),
    ),
    (
        "shells and environments", "here",
        (
            ".envrc", ".env", ".env.*", ".flaskenv", ".bashrc", ".profile", ".zshrc", ".zshenv", ".zprofile", ".zlogin",
            ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".kshrc", ".cshrc", ".tcshrc",
            "config.fish", ".login", ".logout", ".xprofile", ".xsession", ".xinitrc", ".pam_environment",
            ".tool-versions", "mise.toml", "mise.*.toml", ".mise.toml", ".mise.*.toml", ".mise/**", "mise/config.toml",
            ".config/mise/**", ".rtx.toml", ".asdfrc", "flake.nix", "shell.nix", "default.nix", "devenv.nix",
            "devenv.y*ml", "devbox.json", ".devbox/**", ".python-version", ".nvmrc", ".node-version", ".ruby-version",
            ".java-version", ".sdkmanrc", ".inputrc", ".wgetrc", ".curlrc", ".netrc", ".tmux.conf", ".screenrc",
            ".psqlrc", ".sqliterc", ".gdbinit", ".lldbinit", ".irbrc", ".pryrc", ".rprofile", ".renviron", ".ssh/**",
            ".direnv/**", "autoenv.zsh", ".autoenv*", ".in", ".out", ".hushlogin", ".aws/**", ".docker/config.json",
        ),
    ),
    (
        "editors and containers", "here",
        (
            ".vscode/**", ".vscode-server/**", ".idea/**", "*.code-workspace", ".devcontainer/**", ".devcontainer.json",
            ".vim/**", ".vimrc", ".gvimrc", "_vimrc", ".nvimrc", ".nvim.lua", ".nvim/**", ".exrc", ".lvimrc",
            ".local.vimrc", ".vimspector.json", ".dir-locals.el", ".dir-locals-2.el", ".emacs", ".emacs.d/**",
            ".projectile", ".editorconfig", ".zed/**", ".fleet/**", ".helix/**", ".kakrc", ".lapce/**", ".nova/**",
            "*.sublime-project", "*.sublime-build", "*.sublime-workspace", ".settings/**", "*.launch", ".run/**",
            "*.run.xml", ".vs/**", "project.pbxproj", "*.xcscheme", "contents.xcworkspacedata", "*.ipr", "*.iml",
            "nbproject/**", "dockerfile*", "*.dockerfile", "containerfile*", "*.containerfile", "docker-compose*.y*ml",
            "compose.y*ml", "compose.*.y*ml", "docker-bake.*", ".dockerignore", "devfile.y*ml", ".devfile.y*ml",
            "vagrantfile", "skaffold.y*ml", "tiltfile", "earthfile", ".gitpod.yml", ".gitpod.dockerfile", ".replit",
            "replit.nix", ".idx/**", ".stackblitzrc", "sandbox.config.json", ".codesandbox/**", "*.desktop",
        ),
    ),
    (
        "loaded by interpreters", "here",
        (
            "conftest.py", "sitecustomize.py", "usercustomize.py", "*.pth", "pytest.ini", ".pytest.ini", "pyvenv.cfg",
            ".pythonstartup", ".pythonrc*", "ipython_config.py", ".ipython/**", ".pdbrc*", "jupyter_*config.*",
            ".rspec", ".rspec-local", ".mocharc*", ".noderc", ".node_repl_history", ".npmrc", ".yarnrc*", ".yarn/**",
            ".pnp.*js", ".pnpmfile.*js", ".perltidyrc", ".proverc", ".irb/**", ".jvmopts", "jvm.config", ".jvm.config",
            ".user.ini", "php.ini", ".htaccess", ".luarc.json", ".node-pre-gyp",
        ),
    ),
    (
        "build scripts", "here",
        (
            "makefile", "makefile.am", "makefile.in", "makefile.inc", "gnumakefile", "bsdmakefile", "*.mk", "*.mak",
            "justfile", ".justfile", "*.just", "taskfile.y*ml", "taskfile.*.y*ml", "magefile.go", "magefiles/**",
            "cmakelists.txt", "*.cmake", "cmakepresets.json", "cmakeuserpresets.json", "ctestconfig.cmake", "configure",
            "configure.ac", "configure.in", "autogen.sh", "bootstrap.sh", "meson.build", "meson.options",
            "meson_options.txt", "*.bazel", "*.bzl", "workspace", "build", ".bazelrc", ".bazelversion", "buck",
            ".buckconfig", "pants.toml", "pants.ini", "sconstruct", "sconscript", "wscript", "waf", "xmake.lua",
            "premake*.lua", "conanfile.*", "vcpkg.json", "ninja.build", "build.ninja", "*.nix", "*.gyp", "*.gypi",
            "package.json", "bunfig.toml", "deno.json*", "lerna.json", "nx.json", "turbo.json", "rush.json", "setup.py",
            "setup.cfg", "pyproject.toml", "hatch.toml", "hatch_build.py", "build.py", "noxfile.py", "tox.ini",
            ".coveragerc", "tasks.py", "fabfile.py", "dodo.py", "pavement.py", "manage.py", "environment.y*ml",
            "build.rs", "cargo.toml", ".cargo/**", "rust-toolchain*", "cross.toml", "build.gradle*", "settings.gradle*",
            "init.gradle*", "gradlew*", "gradle.properties", "gradle/wrapper/**", "buildsrc/**", "pom.xml", "mvnw*",
            ".mvn/**", "build.xml", "build.sbt", "*.sbt", "project/plugins.sbt", "build.sc", "build.mill", "rakefile",
            "*.rake", "gemfile", "*.gemspec", "guardfile", "capfile", "fastfile", "podfile", "*.podspec",
            "composer.json", "mix.exs", "rebar.config*", "build.zig*", "go.mod", "go.work", "package.swift", "dub.json",
            "dub.sdl", "stack.yaml", "cabal.project*", "*.cabal", "shard.yml", "build.boot", "project.clj", "deps.edn",
            "dune", "dune-project", "*.opam", "makefile.pl", "build.pl", "cpanfile", "elm.json", "pubspec.yaml",
            "build.yaml", "*.csproj", "*.fsproj", "*.vbproj", "*.vcxproj", "*.sln", "*.props", "*.targets", "*.proj",
            "nuget.config", "global.json", "build.cake", "build.ps1", "paket.dependencies", "gulpfile*", "gruntfile*",
            "webpack.config.*", "webpack.*.js", "vite.config.*", "rollup.config.*", "rspack.config.*",
            "rsbuild.config.*", "esbuild.config.*", "tsup.config.*", "babel.config.*", ".babelrc*", ".swcrc",
            "jest.config.*", "vitest.config.*", "karma.conf.*", "cypress.config.*", "playwright.config.*",
            "eslint.config.*", ".eslintrc*", ".prettierrc*", "prettier.config.*", ".stylelintrc*", "stylelint.config.*",
            "biome.json*", "postcss.config.*", ".postcssrc*", "tailwind.config.*", "next.config.*", "nuxt.config.*",
            "svelte.config.*", "astro.config.*", "remix.config.*", "angular.json", "metro.config.*", "craco.config.*",
            "webdriver*.conf.*", "*.tf", "*.tfvars", "*.hcl", "terragrunt.hcl", "ansible.cfg", "pip.conf", "pip.ini",
            ".pip/**", ".pypirc", ".condarc", "chart.yaml", "helmfile*.y*ml", "pulumi*.y*ml", "cdk.json",
            "serverless.*ml", "procfile*", "docker-entrypoint*", "entrypoint.sh", "*.service", "*.timer", "crontab",
            "crontab.*", "*.cron",
        ),
    ),
    (
        "CI", "ci",
        (
            ".github/workflows/**", ".github/actions/**", ".github/scripts/**", ".github/dependabot.y*ml",
            ".github/settings.yml", ".github/release*.y*ml", ".github/codeql/**", ".github/*.json*", ".gitlab-ci.y*ml",
            ".gitlab-ci/**", ".gitlab/**", "*.gitlab-ci.y*ml", ".circleci/**", ".travis.y*ml", ".travis/**",
            "azure-pipelines*.y*ml", ".azure-pipelines/**", "azure-pipelines/**", ".azuredevops/**", ".vsts-ci.yml",
            ".vsts-pipelines/**", "bitbucket-pipelines.y*ml", "jenkinsfile*", "*.jenkinsfile", ".jenkins/**",
            ".drone.y*ml", ".drone.jsonnet", ".drone.star", ".woodpecker.y*ml", ".woodpecker/**", ".buildkite/**",
            "buildkite.y*ml", ".cirrus.y*ml", ".cirrus.star", ".forgejo/**", ".gitea/**", ".gogs/**", ".ci/**", "ci/**",
            ".builds/**", ".build.yml", ".sourcehut/**", "appveyor.y*ml", ".appveyor.y*ml", "action.y*ml",
            "renovate.json*", ".renovaterc*", "codecov.y*ml", ".codecov.y*ml", ".teamcity/**", ".semaphore/**",
            "cloudbuild*.y*ml", "cloudbuild*.json", "buildspec*.y*ml", "appspec.y*ml", ".aws-codepipeline/**",
            "wercker.yml", "shippable.yml", "codeship-*.yml", "bitrise.y*ml", "codemagic.yaml", ".ci-operator.yaml",
            ".prow.yaml", ".prow/**", "prow.yaml", ".tekton/**", ".argo/**", ".harness/**", ".concourse/**",
            "concourse/**", ".screwdriver.yaml", "screwdriver.yaml", ".zuul.y*ml", ".zuul.d/**", "zuul.y*ml",
            "zuul.d/**", ".taskcluster.yml", "taskcluster/**", ".packit.y*ml", ".evergreen.yml", "evergreen.yml",
            ".gocd.y*ml", "*.gocd.yaml", ".nomad/**", ".mergify.y*ml", ".mergify/**", ".kodiak.toml", "bors.toml",
            ".bors.toml", ".release-it.*", ".releaserc*", "release.config.*", "release-please-config.json",
            ".goreleaser.y*ml", "goreleaser.y*ml", "netlify.toml", "vercel.json", "now.json", "fly.toml", "render.yaml",
            "railway.toml", "railway.json", "app.json", "heroku.yml", "wrangler.*", "firebase.json", "amplify.yml",
            ".readthedocs.y*ml", ".pre-commit-ci.y*ml", "sonar-project.properties", ".snyk", "trivy.yaml",
            ".trivyignore*", ".gitleaks.toml", ".gitleaksignore", ".secrets.baseline", "dangerfile*", "codeowners",
            "owners", "owners_aliases",
        ),
    ),
    (
        "agents' instructions", "agents",
        (
            "claude.md", "claude.*.md", "agents.md", "agents.*.md", "agent.md", "gemini.md", "codex.md", "qwen.md",
            "copilot-instructions.md", "*.instructions.md", "*.prompt.md", "*.chatmode.md", "*.agent.md", "skill.md",
            "llms.txt", "llms-full.txt", "conventions.md", "warp.md", "crush.md", "opencode.md", "jules.md",
            ".claude/**", ".claude.json", ".claude-plugin/**", ".claudeignore", ".mcp.json", "mcp.json", ".mcp/**",
            "mcp_config.json", "mcp_settings.json", ".codex/**", ".gemini/**", ".geminiignore", ".cursor/**",
            ".cursorrules", ".cursorignore", ".windsurf/**", ".windsurfrules", ".codeium/**", ".codeiumignore",
            ".clinerules*", ".clinerules/**", ".cline/**", ".roo/**", ".roomodes", ".roorules*", ".rooignore",
            ".kilocode/**", ".kilocodemodes", ".kiro/**", ".aider*", ".opencode/**", "opencode.json*", ".crush/**",
            "crush.json", ".crush.json", ".goose/**", ".goosehints", ".gooseignore", ".amp/**", ".ampcoderc",
            ".amazonq/**", ".augment/**", ".augment-guidelines", ".junie/**", ".trae/**", ".qwen/**", ".qoder/**",
            ".openhands/**", ".openhands_instructions", ".continue/**", ".continuerules", ".continuerc.json",
            ".tabnine/**", ".factory/**", ".agents/**", ".agent/**", ".devin/**", ".jules/**", ".bolt/**",
            ".lovable/**", ".firebender/**", ".rules", ".github/instructions/**", ".github/prompts/**",
            ".github/chatmodes/**", ".github/agents/**", ".github/skills/**", ".sourcegraph/**", ".cody/**",
            ".pearai/**", ".warp/**", ".zencoder/**", ".ai/**", "ai_rules.md", "memory-bank/**", ".specify/**",
            ".taskmaster/**", "apm.yml", ".paddock/**", "paddock.toml", ".paddock.toml",
        ),
    ),
    (
        "lock files", "dependencies",
        (
            "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "pnpm-workspace.yaml",
            "bun.lock", "bun.lockb", "deno.lock", "jsr.json", "uv.lock", "uv.toml", "poetry.lock", "poetry.toml",
            "pipfile", "pipfile.lock", "pdm.lock", "pylock*.toml", "pixi.lock", "pixi.toml", "conda-lock.yml",
            "requirements*.txt", "requirements*.in", "requirements*.lock", "*requirements.txt", "requirements/**",
            "constraints*.txt", "cargo.lock", "go.sum", "go.work.sum", "vendor/modules.txt", "glide.lock", "gopkg.lock",
            "gopkg.toml", "gemfile.lock", "gems.rb", "gems.locked", "composer.lock", "mix.lock", "rebar.lock",
            "flake.lock", "npins/**", "packages.lock.json", "packages.config", "paket.lock", "project.assets.json",
            "gradle.lockfile", "*.lockfile", "verification-metadata.xml", "libs.versions.toml", "*.versions.toml",
            "*.terraform.lock.hcl", "conan.lock", "vcpkg-configuration.json", "package.resolved", "podfile.lock",
            "cartfile", "cartfile.resolved", "pubspec.lock", "stack.yaml.lock", "cabal.project.freeze", "shard.lock",
            "cpanfile.snapshot", "manifest.toml", "project.toml", "renv.lock", "chart.lock", "requirements.yaml",
            "requirements.yml", "module.bazel.lock", ".bowerrc", "bower.json", "aqua.yaml", "mise.lock", "brewfile",
            "brewfile.lock.json", "west.yml",
        ),
    ),
)  # fmt: skip
"""Kind, whom it concerns, patterns; what needs the least of a person's doing to run stands first."""


class Kind(NamedTuple):
    """One row of the table, by its place in it."""

    place: int
    name: str
    concern: Where


@cache
def _kinds() -> tuple[Kind, ...]:
    return tuple(Kind(place, name, concern) for place, (name, concern, _) in enumerate(RUNS_LATER))


class _Table(NamedTuple):
    """The patterns, sorted by how they are looked up; the values are places in `RUNS_LATER`."""

    names: dict[str, int]
    folders: dict[str, list[tuple[str, int]]]
    """Last part of a folder -> the whole of it, in slashes."""
    inside: dict[str, re.Pattern[str]]
    """A folder's name -> what lies in it; the group that matches is the place."""
    shapes: re.Pattern[str]


@cache
def _table() -> _Table:
    names: dict[str, int] = {}
    folders: dict[str, list[tuple[str, int]]] = {}
    inside: dict[str, dict[int, list[str]]] = {}
    shapes: dict[int, list[str]] = {}
    for place, (_, _, patterns) in enumerate(RUNS_LATER):
        for pattern in patterns:
            folder, slash, name = pattern.rpartition("/")
            if name == "**":
                folders.setdefault(folder.rpartition("/")[2], []).append((f"/{folder}/", place))
            elif slash:
                inside.setdefault(folder, {}).setdefault(place, []).append(name)
            elif "*" in name:
                shapes.setdefault(place, []).append(name)
            else:
                names.setdefault(name, place)
    return _Table(names, folders, {folder: _expression(each) for folder, each in inside.items()}, _expression(shapes))


def _expression(patterns: dict[int, list[str]]) -> re.Pattern[str]:
    """One expression for the last part of a path, with a group for each place."""
    forms = (f"(?P<at{place}>{'|'.join(map(translate, each))})" for place, each in sorted(patterns.items()))
    return re.compile("|".join(forms))


@lru_cache(MOST_PATHS)  # several gates ask for the same paths
def runs_later(path: bytes) -> Kind | None:
    """The kind of file that `path` is, if it is any."""
    whole = f"/{path.decode('utf-8', 'replace').lower()}/"
    parts = whole[1:-1].split("/")
    table = _table()
    found = [table.names[parts[-1]]] if parts[-1] in table.names else []
    for part in parts:
        if part in table.folders:
            found += [place for folder, place in table.folders[part] if folder in whole]
    if len(parts) > 1 and parts[-2] in table.inside:
        found += _places(table.inside[parts[-2]], parts[-1])
    found += _places(table.shapes, parts[-1])
    return _kinds()[min(found)] if found else None


def _places(expression: re.Pattern[str], name: str) -> list[int]:
    match = expression.match(name)
    return [int(match.lastgroup[2:])] if match and match.lastgroup else []
