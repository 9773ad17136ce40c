work
rm -f .git/config
mkfifo .git/config
echo planted
