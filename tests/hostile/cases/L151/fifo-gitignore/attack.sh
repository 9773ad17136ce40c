work
rm -f .gitignore
mkfifo .gitignore
echo new >new.txt
echo planted
