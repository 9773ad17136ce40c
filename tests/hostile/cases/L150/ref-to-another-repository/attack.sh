work
ln -sf "$PRIVATE/.git/refs/heads/main" .git/refs/heads/theirs
echo planted
