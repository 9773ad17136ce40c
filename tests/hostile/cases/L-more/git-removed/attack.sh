echo precious >precious.txt
rm -rf .git
echo planted
