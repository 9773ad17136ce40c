work
mv .git hidden
ln -s hidden .git
echo planted
