work
rm -f .git/refs/heads/side
mkfifo .git/refs/heads/side
echo planted
