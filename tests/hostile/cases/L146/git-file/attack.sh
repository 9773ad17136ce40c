mv .git .git-away
echo "gitdir: $PRIVATE/.git" >.git
echo planted
