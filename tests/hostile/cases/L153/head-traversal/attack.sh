work
echo "ref: refs/heads/../../../../../../../../..$PRIVATE/.git/refs/heads/main" >.git/HEAD
echo planted
