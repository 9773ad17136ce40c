work
echo "$PRIVATE/.git/objects" >.git/objects/info/alternates
echo "$PRIVATE_COMMIT" >.git/refs/heads/stolen
echo planted
