mv .git .git-away
ln -s "$PRIVATE/.git" .git
echo planted
