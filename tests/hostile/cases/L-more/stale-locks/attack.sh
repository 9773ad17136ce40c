work
for lock in index HEAD config packed-refs refs/heads/main shallow; do : >.git/$lock.lock; done
echo new >new.txt
echo planted
