work
: >.git/refs/heads/main
echo planted
