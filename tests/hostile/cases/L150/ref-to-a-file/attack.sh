work
ln -s "$PRIVATE/secret.txt" .git/refs/heads/file
echo planted
