work
git symbolic-ref HEAD refs/heads/../tags/x 2>/dev/null || true
echo 'ref: refs/tags/v1' >.git/HEAD
echo planted
