work
git config extensions.neverHeardOf true
git config core.repositoryFormatVersion 99
echo left >left.txt
echo planted
