git switch -q -c Main
work one one
git switch -q -c other/deep "$START"
work two two
git switch -q main
work three three
mkdir -p .git/refs/heads/deep
git rev-parse HEAD >.git/refs/heads/deep/er
echo "$(git rev-parse Main) refs/heads/deep" >>.git/packed-refs
echo planted
