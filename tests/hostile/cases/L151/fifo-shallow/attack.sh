work
rm -f .git/shallow
mkfifo .git/shallow
echo planted
