work
rm -f .git/packed-refs
mkfifo .git/packed-refs
echo planted
