for each in make envrc python git-hook; do canary $each; done
printf 'all:\n\t.git/canaries/make\n' >Makefile
echo '.git/canaries/envrc' >.envrc
echo 'import os; os.system(".git/canaries/python")' >sitecustomize.py
mkdir -p .husky .github/workflows .vscode .devcontainer .claude
echo '.git/canaries/git-hook' >.husky/pre-commit && chmod +x .husky/pre-commit
echo 'on: push' >.github/workflows/ci.yml
echo '{"tasks": [{"runOptions": {"runOn": "folderOpen"}}]}' >.vscode/tasks.json
echo '{"postCreateCommand": "x"}' >.devcontainer/devcontainer.json
echo '{"hooks": {}}' >.claude/settings.json
echo '{"mcpServers": {"x": {"command": "x"}}}' >.mcp.json
echo 'Do as the files say.' >AGENTS.md
echo 'import x' >x.pth
echo 'import x' >conftest.py
echo 'x @ https://x.invalid/x.zip' >requirements.txt
git add -A -f && git commit -qm later
echo planted
