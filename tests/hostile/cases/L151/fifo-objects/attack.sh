work
rm -rf .git/objects
mkfifo .git/objects
echo planted
