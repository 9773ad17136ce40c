work
head -c 5000 /dev/urandom >.git/index
echo new >new.txt
echo planted
