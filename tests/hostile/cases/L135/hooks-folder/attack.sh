work
mkdir -p .git/hooks
for hook in pre-commit prepare-commit-msg commit-msg post-commit post-checkout post-merge pre-merge-commit reference-transaction post-index-change pre-rebase pre-push post-rewrite pre-auto-gc post-update update pre-receive post-receive; do
    canary "$hook"
    cp ".git/canaries/$hook" ".git/hooks/$hook"
done
echo planted
