work one one
work two two
work three three
git rev-parse HEAD >.git/shallow
echo planted
