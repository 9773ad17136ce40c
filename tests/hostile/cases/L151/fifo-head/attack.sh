work
rm -f .git/HEAD
mkfifo .git/HEAD
echo planted
