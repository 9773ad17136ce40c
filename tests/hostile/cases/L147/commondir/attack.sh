work
echo "$PRIVATE/.git" >.git/commondir
echo planted
