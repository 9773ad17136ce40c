work one one
work two two
echo "$(git rev-parse HEAD) $START" >.git/info/grafts
echo planted
