work
for hook in post-checkout pre-commit reference-transaction post-index-change; do
    canary "$hook"
done
set_config core.hooksPath .git/canaries
echo planted
