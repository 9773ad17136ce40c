git tag -a t -m t
tag=$(git rev-parse refs/tags/t)
echo "$tag" >.git/refs/heads/main
echo planted
