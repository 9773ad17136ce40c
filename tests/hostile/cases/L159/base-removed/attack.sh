git switch -q --orphan new
work
git branch -q -M new main
rm -rf .git/logs .git/packed-refs
git for-each-ref --format='delete %(refname)' refs/remotes refs/tags | git update-ref --stdin
git gc -q --prune=now
echo planted
