git tag -a t -m t
git rev-parse refs/tags/t >.git/refs/heads/main
echo planted
