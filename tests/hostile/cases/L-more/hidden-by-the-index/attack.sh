work
echo hidden >>file
git update-index --assume-unchanged file
echo new >skipped.txt
echo skipped.txt >.git/info/exclude
echo planted
