work
rm -rf .git/objects/?? .git/objects/pack/*
echo left >left.txt
echo planted
