work
git config core.repositoryFormatVersion 1
git config extensions.refStorage reftable
mkdir .git/reftable && : >.git/reftable/tables.list
echo left >left.txt
echo planted
