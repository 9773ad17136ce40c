work
canary config-worktree
set_config extensions.worktreeConfig true
set_config core.repositoryFormatVersion 1
git config --file .git/config.worktree core.fsmonitor .git/canaries/config-worktree
echo planted
